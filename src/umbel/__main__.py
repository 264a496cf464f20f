"""`python -m umbel` is the program `umbel`."""

from __future__ import annotations

from typing import NoReturn

from umbel.cli import early


def main() -> NoReturn:
    """Run one command line and exit."""
    early.open_streams()
    early.listen()
    from umbel.cli.main import main as program  # after that: it takes a moment

    program()


if __name__ == "__main__":
    main()
