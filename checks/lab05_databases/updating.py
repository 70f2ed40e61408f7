"""One update of a profile at a time, while another request writes between its read and its write."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.people import Person
from grading.plugin import check

from lab.course.exercise import Exercise
from lab05_databases.awake import ASLEEP, stayed_awake

PROFILES = (
    ASLEEP
    + """
import json, sys
import psycopg
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from civildiy.chassis.clients import postgres, sqlalchemy
from civildiy.chassis.settings import load_settings
from civildiy.profile.settings import ProfileSettings
from civildiy.profile.store import ATTEMPTS, ProfileStore, UserProfile

user = int(sys.argv[1])
settings = load_settings(ProfileSettings)
info = postgres.connection_info(settings, "check")
CHANGE = "UPDATE user_profiles SET city = %(city)s, version = version + 1 WHERE user_id = %(user)s"
REMOVE = "DELETE FROM user_profiles WHERE user_id = %(user)s"
engine = sqlalchemy.engine(settings, "profile")
store, sessions = ProfileStore(engine), async_sessionmaker(engine, expire_on_commit=False)
mine = select(UserProfile).where(UserProfile.user_id == user)

class Other:
    # Another request. It writes between the read and the write of update(), unless the row is locked.
    def __init__(self, times, statement):
        self.times, self.statement = times, statement
        self.writes, self.done, self.city = 0, 0, "Bern"

    def __call__(self, session, *_):
        if not session.dirty:
            return
        self.writes += 1
        if self.writes > self.times:
            return
        try:
            with psycopg.connect(info) as connection:
                connection.execute("SET lock_timeout = '300ms'")
                connection.execute(self.statement, {"city": f"city {self.writes}", "user": user})
        except psycopg.errors.LockNotAvailable:
            return
        self.done, self.city = self.done + 1, f"city {self.writes}"

async def update(times, changes, statement=CHANGE):
    other = Other(times, statement)
    event.listen(Session, "before_flush", other)
    try:
        profile = await store.update(user, changes)
        outcome = {name: getattr(profile, name) for name in ("first_name", "city", "bio")}
    except Exception as error:
        outcome = type(error).__name__
    finally:
        event.remove(Session, "before_flush", other)
    return {
        "outcome": outcome, "limit": ATTEMPTS, "writes": other.writes, "done": other.done, "city": other.city,
    }

async def written(state):
    async with sessions() as session:
        (await session.scalar(mine)).state = state
        await session.commit()

async def overtaken(times):
    # One session reads, others write at once after one another, and the first one writes what it has read.
    await written("before")
    async with sessions() as first:
        row = await first.scalar(mine)
        for number in range(times):
            await written(f"state {number}")
        row.state = "of the first"
        try:
            await first.commit()
            return "written"
        except StaleDataError:
            return "StaleDataError"

async def second_profile():
    try:
        await store.create(user, {"city": "Rome"})
        return "a second profile"
    except Exception as error:
        return type(error).__name__

async def main():
    three = await update(3, {"first_name": "Ada", "bio": None})
    refused = await second_profile()
    say(json.dumps({
        "three": three, "asleep": [*asleep], "refused": refused,
        "overtaken": {times: await overtaken(times) for times in (0, 1, 2)},
        "always": await update(300, {"first_name": "Grace"}),
        "gone": await update(1, {"first_name": "Grace"}, REMOVE),
    }))

asyncio.run(main())
"""
)


@check(points=2)
def test_update_step_by_step(lab: Exercise, ada: Person) -> None:
    """An update that another request overtakes is applied to the new state, at most ATTEMPTS times"""
    ada.http.post("/api/profile", json={"city": "Bern", "bio": "to be removed"}).raise_for_status()
    with beside(lab, "profile", PROFILES, str(ada.id)) as module:
        seen: dict[str, Any] = json.loads(module.hear("two updates of a profile", within=30))
    three, always = seen["three"], seen["always"]
    wanted = {"first_name": "Ada", "city": three["city"], "bio": None}
    require(
        three["outcome"] == wanted,
        "set first_name to 'Ada' and bio to null, while another request changed the city before each of the"
        " first three commits",
        expected=wanted,
        saw=three["outcome"],
        means=f"{_why(three['outcome'], wanted)} Look at `update` in profiles.py.",
    )
    stayed_awake(
        seen["asleep"],
        "updated a profile while another request changed it before each of the first three commits, and"
        " created a second one, which was refused",
        "`update` and `create` in profiles.py",
    )
    _versions(seen["overtaken"])
    if not always["done"]:
        return  # a lock on the row: no other request can come in between
    require(
        always["outcome"] == "Conflict" and always["writes"] == always["limit"],
        "updated a profile while another request changed it before each commit",
        expected=f"Conflict after {always['limit']} attempts (ATTEMPTS)",
        saw=f"{always['outcome']} after {always['writes']}",
        means="Without a limit such a request never ends. With one attempt only, users get 409 whenever two"
        " devices write at once. Look at the loop of `update` in profiles.py.",
    )
    gone = seen["gone"]
    require(
        gone["outcome"] == "NotFound",
        "updated a profile while another request deleted it between the read and the commit",
        expected="NotFound",
        saw=gone["outcome"],
        means="StaleDataError also means that the row is gone. Each attempt begins with the read, and"
        " `self._row(session, user_id)` raises NotFound: let it pass. Look at `update` in profiles.py.",
    )


def _versions(overtaken: dict[str, str]) -> None:
    for times, often, wanted in (
        ("0", "not at all", "written"), ("1", "once", "StaleDataError"), ("2", "twice", "StaleDataError"),
    ):  # fmt: skip
        require(
            overtaken[times] == wanted,
            f"read a profile in one session, changed it {often} in others within a few milliseconds,"
            " and committed a change in the first session",
            expected="StaleDataError" if wanted == "StaleDataError" else "the change to be written",
            saw=overtaken[times],
            means="The commit compares the version that was read with the one in the database, so each change"
            " needs a version that the row never had before. With `version_id_col` alone SQLAlchemy counts 1,"
            " 2, 3. A clock gives the same number to all changes of one second, and a number that comes back"
            " hides the changes in between. Look at `__mapper_args__` in profiles.py.",
        )


def _why(seen: object, wanted: dict[str, Any]) -> str:
    if seen == "Conflict":
        return (
            "StaleDataError says that another change came first. The change can still be made: open a new"
            " session, read the row again, and set the fields again, at most ATTEMPTS times."
        )
    if not isinstance(seen, dict):
        return (
            "After StaleDataError the session cannot be used any more. Open a new session for each attempt,"
            " and read the row again in it."
        )
    if seen["city"] != wanted["city"]:
        return (
            "The change of another request is lost. With `version_id_col` SQLAlchemy writes only if the"
            " version is still the one that was read, and raises StaleDataError otherwise. Each attempt has"
            " to"
            " read the row again and to set only the fields in `changes`, none that an earlier attempt read."
        )
    return (
        "Set exactly the fields in `changes`, also those whose new value is None: a user removed that text."
    )
