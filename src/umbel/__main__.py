"""`python -m umbel` is the program `umbel`."""

from umbel.cli.main import main

if __name__ == "__main__":
    main()
