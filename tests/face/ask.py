"""Calls functions of the project's module `use`, as their names come in, and prints what each gives as a line of JSON."""

import json
import sys

sys.path.insert(0, "")

import use

for function in sys.stdin:
    print(json.dumps(getattr(use, function.strip())(), default=repr), file=sys.__stdout__, flush=True)
