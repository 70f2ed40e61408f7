"""ProfileInput made beside the system: which values it accepts, and what it makes of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from grading.learner_process import Beside, beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise

MODULE = ("civildiy.profile.schemas",)
PROGRAM = """
import json, sys
from civildiy.profile.schemas import ProfileInput
from pydantic import ValidationError
for line in sys.stdin:
    name, value = json.loads(line)
    try:
        found = ProfileInput.model_validate({name: value})
        answer = ["accepted", json.loads(found.model_dump_json())[name]]
        if found.model_fields_set != {name}:
            answer = ["sets", sorted(found.model_fields_set)]
    except ValidationError as error:
        named = {each["loc"][0] for each in error.errors() if each["loc"]}
        answer = ["refused" if name in named else "A ValidationError without the field's name", None]
    except NotImplementedError:
        raise
    except Exception as error:
        answer = [f"{type(error).__name__}", None]
    say(json.dumps(answer))
"""
DATE = (
    "This date of birth lies between 1900-01-01 and tomorrow, which has already begun somewhere on"
    " Earth, or it is empty. `_iso_date` and `_plausible` must accept it."
)
RETURNED = (
    "A validator returns the value that is stored. `_plausible` and `_iso_date` must return what"
    " they were given."
)
FAR = "`_plausible` must refuse a date before 1900-01-01 or after tomorrow, be it by one day only."
FORM = (
    "`_iso_date` must take null and text of exactly the form 1990-12-31, and nothing else: the whole value"
    " must match."
)
ODD = (
    "`_iso_date` must take null and text of exactly the form 1990-12-31, and nothing else. Look at the type"
    " first: 0 and false are no dates, although Python takes them for empty."
)
TEXTS: tuple[tuple[str, object], ...] = (
    ("bio", "  indented\n\tand more \n"), ("city", " "), ("city", ""), ("first_name", "\u00c9va McDONALD"),
    ("last_name", "e\u0301"), ("bio", "x" * 5000), ("zip_code", "x" * 100), ("phone", "007"), ("state", None),
    ("preferences", {" A ": [" b ", None, True, 1.5, {"": ""}]}),
)  # fmt: skip
AS_SENT = (
    "This value is allowed, and it is data: what a client sends must come back as it was sent. `model_config`"
    " needs `extra` and `strict` only; other settings change texts or refuse good ones."
)


@check(points=2)
def test_dates_at_the_edges(lab: Exercise) -> None:
    """Dates of birth from 1900 to tomorrow are kept as they came; others, and other forms, are refused"""
    today = datetime.now(UTC).date()
    tomorrow, far = ((today + timedelta(days=days)).isoformat() for days in (1, 2))
    with beside(lab, "profile", PROGRAM, only=MODULE) as module:
        for good in ("1900-01-01", today.isoformat(), tomorrow, "2000-02-29", "1990-12-31", None):
            _kept(module, "dob", good, DATE, RETURNED)
        for bad in ("1899-12-31", far):
            _refused(module, "dob", bad, FAR)
        for odd in (0, False, 0.0, "", "1990-12-31T00:00:00", "1990-12-31\n", " 1990-12-31", "19901231",
                    "1990-1-1", "2001-02-29", "\u0661990-12-31", True, 19901231, 1.5, "0", [], {},
                    ["1990-12-31"], {"year": 1990}):  # fmt: skip
            _refused(module, "dob", odd, FORM if isinstance(odd, str) else ODD)
    _ten_days_later(lab)


@check(points=1)
def test_texts_come_back_as_sent(lab: Exercise) -> None:
    """Texts and preferences that are allowed are kept exactly as they were sent"""
    with beside(lab, "profile", PROGRAM, only=MODULE) as module:
        for name, value in TEXTS:
            _kept(module, name, value, AS_SENT, AS_SENT)


def _asked(module: Beside, name: str, value: object) -> tuple[str, Any]:
    module.tell(json.dumps([name, value]))
    said, kept = json.loads(module.hear("ProfileInput to be made beside the system", 20))
    return said, kept


def _did(name: str, value: object) -> str:
    return f"made a ProfileInput beside the system, with {name} = {_short(value)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:20]}… ({len(text) - 2} characters)"


def _kept(module: Beside, name: str, value: object, means: str, changed: str) -> None:
    said, kept = _asked(module, name, value)
    require(
        said == "accepted" and json.dumps(kept) == json.dumps(value),
        _did(name, value),
        expected=f"it to be accepted, and kept as {_short(value)}",
        saw=f"kept as {_short(kept)}" if said == "accepted" else _in_words(said, kept),
        means=changed if said == "accepted" else means,
    )


def _refused(module: Beside, name: str, value: object, means: str) -> None:
    said, kept = _asked(module, name, value)
    require(
        said == "refused",
        _did(name, value),
        expected=f"a ValueError, of which Pydantic makes a refusal that names {name}",
        saw=_in_words(said, kept),
        means=means,
    )


def _in_words(said: str, kept: object) -> str:
    match said:
        case "accepted":
            return f"accepted, and kept as {_short(kept)}"
        case "refused":
            return "refused"
        case "sets":
            return f"accepted, and the fields {kept} count as sent"
    return f"{said} was raised"


LATER_PROGRAM = """
import datetime, json, types
import civildiy.profile.schemas as schemas
def accepted(days):
    day = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)).isoformat()
    try:
        return str(schemas.ProfileInput(dob=day).dob) == day
    except ValueError:
        return False
for days in (0, 2, -365, 1):
    accepted(days)
shift = datetime.timedelta(days=10)
class Date(datetime.date):
    @classmethod
    def today(cls):
        return datetime.date.today() + shift
class Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + shift
    @classmethod
    def today(cls):
        return datetime.datetime.today() + shift
later = types.ModuleType("datetime")
later.__dict__.update({**vars(datetime), "date": Date, "datetime": Datetime})
instead = {id(datetime): later, id(datetime.date): Date, id(datetime.datetime): Datetime}
for name, value in list(vars(schemas).items()):
    if id(value) in instead:
        setattr(schemas, name, instead[id(value)])
say(json.dumps([accepted(10), accepted(12)]))
"""


def _ten_days_later(lab: Exercise) -> None:
    """The module after ten days of running: its tomorrow is another day."""
    with beside(lab, "profile", LATER_PROGRAM, only=("civildiy.profile.schemas",)) as module:
        found = json.loads(module.hear("ProfileInput to be made beside the system", 20))
    require(
        found == [True, False],
        "imported your schemas.py beside the system, gave it four dates, set its clock ten days forward, and"
        " gave it the date of that day",
        expected="this day to be accepted, and the day two days after it to be refused",
        saw=" and ".join(f"{'accepted' if one else 'refused'}" for one in found),
        means="The latest date was computed once, when the module was imported or when the first date came. A"
        " service runs for weeks, so `_plausible` must call `_tomorrow()` at each call.",
    )
