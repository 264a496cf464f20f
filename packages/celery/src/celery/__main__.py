"""`python -m celery` is the program `celery`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one command line and exit."""
    from umbel.cli import early

    early.open_streams()
    try:
        with early.Undisturbed():
            from celery.bin.celery import main as program  # with the streams that it is loaded to write to

        sys.exit(program())
    finally:
        early.end_soon()


if __name__ == "__main__":
    main()
