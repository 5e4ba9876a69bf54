"""`python -m htpbench`."""

from htpbench.cli import main

main()
