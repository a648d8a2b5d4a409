"""`python -m mainstay`: the same as the command."""

from mainstay.cli import main

if __name__ == "__main__":
    main()
