"""`python -m tailrace`: the command."""

from tailrace._cli import main

if __name__ == "__main__":
    main()
