"""The entries of a schedule: declared in code, kept in the store, sent by hand."""
