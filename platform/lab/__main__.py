"""`python -m lab`, which ./lab runs."""

from lab.cli import main

main()
