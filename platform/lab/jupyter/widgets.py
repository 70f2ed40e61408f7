"""Whether a browser draws widgets for this kernel.

`./lab notebook` sets the variable for the kernels that JupyterLab starts. Everywhere else (a terminal,
nbval, the run that makes the reference copies) the same is shown as text, and values are set in code.
"""

import os

VARIABLE = "LAB_WIDGETS"


def drawn() -> bool:
    """Whether widgets are shown; if not, text is."""
    return os.environ.get(VARIABLE) == "1"
