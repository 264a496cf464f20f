"""`python -m umbel` is the program `umbel`."""

from __future__ import annotations

import sys
from typing import NoReturn

from umbel.cli import early


def main() -> NoReturn:
    """Run one command line and exit."""
    early.open_streams()
    try:
        early.listen()
        with early.Undisturbed():
            from umbel.cli.main import main as program  # after that: it takes a moment

        program()
    except early.Leave as leave:
        sys.exit(leave.code)
    finally:
        early.end_soon()


if __name__ == "__main__":
    main()
