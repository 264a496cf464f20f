"""For tests of umbel itself and of stores and pools that others write: the public conformance suites."""
