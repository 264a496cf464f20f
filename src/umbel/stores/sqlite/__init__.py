"""The embedded store: broker and result backend in one SQLite file."""
