"""`python -m instructrec` is the `instructrec` command."""

from instructrec.cli import main

if __name__ == "__main__":
    main()
