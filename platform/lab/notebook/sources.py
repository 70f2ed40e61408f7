"""Make the reference copies of the notebooks from their texts.

python -m lab.notebook.sources          # run all on the live system
python -m lab.notebook.sources 00 07    # only these
"""

import sys

from lab.errors import LabError
from lab.notebook.reference_run import make


def main() -> None:
    """Make the reference copies that the command line names, or all of them."""
    try:
        make(sys.argv[1:])
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
