"""Start the command line: ./lab runs `python -m lab`."""

import os
import signal
import sys

# The imports take a second or more. Until they are done, Ctrl-C ends the process without a traceback.
HANDLER = signal.getsignal(signal.SIGINT)
if HANDLER is signal.default_int_handler:  # a shell starts background jobs with SIGINT ignored
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from lab import environment, tenant  # noqa: E402
from lab.errors import LabError  # noqa: E402
from lab.failures import of_file  # noqa: E402
from lab.text import never_refuse, visible  # noqa: E402

never_refuse()
environment.open_standard_streams()
environment.forget_python()
try:
    # Before lab.cli is imported, because its modules read LAB_HOME and LAB_LOOPBACK.
    sys.argv[1:] = tenant.separate(sys.argv[1:], os.environ)
    from lab.cli import main
except LabError as error:  # importing lab.cli chooses the backend, which may fail
    sys.exit(visible(error))
except OSError as error:
    sys.exit(visible(of_file(error) if error.filename else f"A file cannot be used: {error}."))

signal.signal(signal.SIGINT, HANDLER)
main()
