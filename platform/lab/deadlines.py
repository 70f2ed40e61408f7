"""LAB_SLOW, the factor for every deadline: a slow or busy machine needs more time than the course assumes."""

import os

from lab.errors import LabError
from lab.text import shortened


def slow() -> float:
    """Return the factor LAB_SLOW, which multiplies every deadline. Raises LabError."""
    value = os.environ.get("LAB_SLOW", "1")
    try:
        factor = float(value)
    except ValueError:
        factor = 0.0
    if not 0 < factor < 1000:
        raise LabError(
            f"LAB_SLOW={shortened(value)} is not a number from 0 to 1000; LAB_SLOW=2 doubles all deadlines."
        )
    return factor
