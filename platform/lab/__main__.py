"""`python -m lab`, which ./lab runs."""

import sys

from lab.errors import LabError

try:
    from lab.cli import main
except LabError as error:  # the backend is chosen at import
    sys.exit(str(error))

main()
