"""A request beyond the limit is refused at once; places are given back, also after an error."""

from contextlib import ExitStack, suppress

import pytest

from civildiy.auth.admission import Busy, Queue


def test_a_full_queue_refuses_and_empties_again() -> None:
    queue = Queue("registering", most=2)
    for _ in range(3):
        with suppress(ZeroDivisionError), ExitStack() as inside:
            for _ in range(2):
                inside.enter_context(queue.place())
            with pytest.raises(Busy, match="Too many people are registering"):
                inside.enter_context(queue.place())
            raise ZeroDivisionError
