"""The store that lives and dies with its process: for tests, for trying things out, for tasks nobody would miss."""
