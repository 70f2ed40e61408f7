"""A request above the limit is refused at once, and each place is given back, also after an error."""

from contextlib import ExitStack, suppress

import pytest

from civildiy.auth.admission import Admission, Busy


def test_a_full_limit_refuses_until_places_are_given_back() -> None:
    admission = Admission("registering", most=2)
    for _ in range(3):
        with suppress(ZeroDivisionError), ExitStack() as inside:
            for _ in range(2):
                inside.enter_context(admission.place())
            with pytest.raises(Busy, match="Too many people are registering"):
                inside.enter_context(admission.place())
            raise ZeroDivisionError
