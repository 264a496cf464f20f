"""Calls one function of the project's module `use`, and prints what it gives as JSON."""

import json
import sys

sys.path.insert(0, "")

import use

print(json.dumps(getattr(use, sys.argv[1])(), default=repr), file=sys.__stdout__)
