"""Imports what packages around Celery import, and prints what cannot be."""

import importlib
from pathlib import Path

for line in Path(__file__).with_suffix(".tsv").read_text().splitlines()[1:]:
    module, name, who = line.split("\t")
    try:
        found = importlib.import_module(module)
        if name:
            getattr(found, name)
    except (ImportError, AttributeError) as problem:
        print(f"{who} cannot have {module}.{name}: {problem}")
