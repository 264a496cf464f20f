"""`python -m celery` is the program `celery`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one command line and exit."""
    from celery.bin.celery import main as program
    from umbel.cli import early

    try:
        sys.exit(program())
    finally:
        early.end_soon()


if __name__ == "__main__":
    main()
