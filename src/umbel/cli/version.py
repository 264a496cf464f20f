"""Which umbel this is."""

from __future__ import annotations

from importlib import import_module

VERSION: str = import_module("umbel").__version__  # by name: rooms do not import the face; reading the metadata costs 20 ms
