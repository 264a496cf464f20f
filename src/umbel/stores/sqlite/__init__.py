"""The store in one SQLite file: messages, results and dead letters, for any number of threads and processes of one machine."""
