"""`python -m fastact` is the command `fastact`."""

from fastact.cli import program

program()
