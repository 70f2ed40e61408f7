"""The watch over a learner's main thread tells a blocked call from a paused process."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from civildiy.course_runtime import guards


class Ended(Exception):
    """Raised in the place of the last sleep."""


@pytest.mark.parametrize(
    ("sleeps", "wanted"),
    [
        pytest.param([0.2] * 30, ["blocked"], id="a call that does not return"),
        pytest.param([0.2, 8.0, 0.2, 0.2], [], id="a process that was paused for 8 s"),
        pytest.param([0.2, 8.0, *[0.2] * 30], ["blocked"], id="paused first, and blocked afterwards"),
    ],
)
def test_only_a_blocked_call_is_reported(
    monkeypatch: pytest.MonkeyPatch, sleeps: Sequence[float], wanted: Sequence[str]
) -> None:
    clock, left, seen = [100.0], [*sleeps], []

    class Incidents:
        def at(self, kind: str, *_: Any) -> None:
            seen.append(kind)

    def sleep(_: float) -> None:
        if not left:
            raise Ended
        clock[0] += left.pop(0)

    watch = guards.Watch({}, Incidents(), ("", str), blocked_ends=False)  # type: ignore[arg-type]
    frame: FrameType = sys._getframe()
    monkeypatch.setattr(guards, "monotonic", lambda: clock[0])
    monkeypatch.setattr(guards, "sleep", sleep)
    monkeypatch.setattr(watch, "_main_frame", lambda: frame)
    with pytest.raises(Ended):
        watch.run()
    assert seen == wanted


def test_an_import_is_no_blocked_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Incidents:
        def frame(self, frame: FrameType | None) -> FrameType | None:
            while frame is not None and frame.f_code.co_filename != __file__:
                frame = frame.f_back
            return frame

    watch = guards.Watch({}, Incidents(), ("", str), blocked_ends=False)  # type: ignore[arg-type]
    assert watch._main_frame() is sys._getframe()
    seen: list[FrameType | None] = []
    monkeypatch.setattr(guards, "seen", seen, raising=False)
    monkeypatch.setattr(guards, "watch", watch, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    asks = "from civildiy.course_runtime import guards\nguards.seen.append(guards.watch._main_frame())\n"
    (tmp_path / "slow_to_import.py").write_text(asks)
    __import__("slow_to_import")
    assert seen == [None]
