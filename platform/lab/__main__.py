"""Start the command line: ./lab runs `python -m lab`."""

import sys

from lab import environment
from lab.errors import LabError
from lab.text import never_refuse, visible

never_refuse()
environment.forget_python()
try:
    from lab.cli import main
except LabError as error:  # importing lab.cli chooses the backend, which may fail
    sys.exit(visible(error))
except OSError as error:
    sys.exit(visible(f"{error.filename or 'A file'} cannot be used: {error.strerror or error}."))

main()
