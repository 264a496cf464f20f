"""`python -m celery` is the program `celery`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one command line and exit."""
    from celery.bin.celery import main as program

    sys.exit(program())


if __name__ == "__main__":
    main()
