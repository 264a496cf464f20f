"""The command line, `umbel`."""
