"""The comparison itself, on lists that the check makes: full ones, empty ones, and their edges."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from civildiy.feed import keys
from civildiy.operations.view_diff import EVERYBODY
from lab.course.exercise import Exercise

PROGRAM = """
import json
from datetime import UTC, datetime, timedelta
from civildiy.feed import keys
from civildiy.operations import view_diff
from civildiy.operations.view_reader import Entry, Known

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
MOST = keys.USER_MAX

def name(number):
    return f"{number:024x}"

def entry(number, version=1, words="words"):
    time = f"{number:027}"
    raw = json.dumps({"timestamp": time, "event_id": "e", "post_id": name(number), "words": words}).encode()
    return Entry(raw, name(number), version, time + "e", 1)

def earlier(number):
    time = f"{0:027}"
    raw = json.dumps({"timestamp": time, "event_id": "e", "post_id": name(number), "words": "old"}).encode()
    return Entry(raw, name(number), 1, time + "e", 1)

def expected(number, version=1, user=1, age=timedelta(hours=1)):
    one = entry(number)
    time = NOW - age + timedelta(seconds=number)
    return view_diff.Expected(user, version, one.order, view_diff.digest(one.raw), time)

def found(entries, numbers, removed=0, user=1, **more):
    posts = {name(n): expected(n, **more) for n in numbers}
    mine = [name(n) for n in numbers]
    seen = view_diff.compare_list(user, entries, posts, mine, removed)
    return sorted((f.kind, int(f.post_id, 16)) for f in seen)

def everybody(entries, numbers, **more):
    posts = {name(n): expected(n, **more) for n in numbers}
    seen = view_diff.compare_list(None, entries, posts, [name(n) for n in numbers], 0)
    return sorted((f.kind, int(f.post_id, 16)) for f in seen)

def anothers(entries, numbers):
    # The list of user 1, whom the entries name; the posts belong to user 2.
    posts = {name(n): expected(n, user=2) for n in numbers}
    return sorted((f.kind, int(f.post_id, 16)) for f in view_diff.compare_list(1, entries, posts, [], 0))

def places():
    wrong, posts = [entry(1, words="other")], {name(1): expected(1)}
    found = [[*view_diff.compare_list(user, wrong, posts, [name(1)], 0)] for user in (1, None)]
    return [one[0].place if one else "no finding" for one in found]

def newest_first(numbers):
    return [entry(n) for n in sorted(numbers, reverse=True)]

def known(noted, numbers, **more):
    posts = {name(n): expected(n, **more) for n in numbers}
    told = {name(n): Known(version, has_entry) for n, (version, has_entry) in noted.items()}
    return sorted((f.kind, int(f.post_id, 16)) for f in view_diff.compare_known(posts, told))

def order(*numbers):
    entries = [entry(n) for n in numbers]
    out = view_diff.out_of_order(entries)
    rest = [int(e.post_id, 16) for e in entries if e not in out]
    return [len(out), rest == sorted(rest, reverse=True)]

ALL = range(1, MOST + 2)
more = newest_first(ALL)
CASES = {
    "a list that is right": found(newest_first(range(1, 6)), range(1, 6)),
    "a full list of a user with one post more than it holds": found(more[:MOST], ALL),
    "a list with one entry more than it may hold": found(more, ALL),
    "a full list that lacks its 50th newest": found(more[:49] + more[50:], ALL),
    "a list that was full once, of which one post was removed":
        found(more[1:MOST], [n for n in ALL if n != MOST + 1], removed=1),
    "a list of ten that was never full, without its oldest": found(newest_first(range(2, 11)), range(1, 11)),
    "an empty list of a user with two new posts": found([], (1, 2)),
    "an empty list of a user who wrote nothing for eight days": found([], (1, 2), age=8 * DAY),
    "an empty list of a user who wrote six days ago": found([], (1, 2), age=6 * DAY),
    "other text under the same version": found([entry(2, words="other"), entry(1)], (1, 2)),
    "an entry of a post that MongoDB lacks": found(newest_first((1, 2, 3)), (1, 2)),
    "an entry that is there twice": found([entry(2), entry(2), entry(1)], (1, 2)),
    "two entries of another user": found(newest_first((1, 2)), (1, 2), user=2),
    "an entry of another user with another text": found([entry(1, words="other")], (1,), user=2),
    "an entry that is there twice, the second time with another text":
        found([entry(2), entry(2, words="other"), entry(1)], (1, 2)),
    "the newest entry a second time, at the end": found([entry(3), entry(2), entry(1), entry(3)], (1, 2, 3)),
    "an entry that is there a second time, with an earlier time":
        found([entry(3), entry(2), entry(1), earlier(3)], (1, 2, 3)),
    "an entry at the wrong place": found([entry(1), entry(3), entry(2)], (1, 2, 3)),
    "an unknown entry at the wrong place": found([entry(3), entry(9), entry(2), entry(1)], (1, 2, 3)),
    "an entry beyond the greatest length, which is unknown": found(more[:MOST] + [entry(500)], ALL),
    "a full list with its newest entry at the end": found([*more[1:], more[0]], ALL),
    "an entry that names the list's user, of a post of another user":
        anothers([entry(2), entry(1)], (1, 2)),
    "the global list": everybody(newest_first((1, 2)), (1, 2), user=7),
    "the global list with another text": everybody([entry(2, words="other"), entry(1)], (1, 2), user=7),
    "the places": places(),
    "the versions that MongoDB has": known({1: (1, True), 2: (1, True)}, (1, 2)),
    "an older version of a post": known({1: (1, True)}, (1,), version=2),
    "a later version of a post": known({1: (3, True)}, (1,), version=2),
    "no version of a new post": known({}, (1,)),
    "no version of a post that is eight days old": known({}, (1,), age=8 * DAY),
    "the version of a removed post, without an entry": known({1: (4, False)}, ()),
    "an entry of a post that MongoDB does not have": known({1: (4, True)}, ()),
    "3 1 2": order(3, 1, 2), "5 4 3 2 1": order(5, 4, 3, 2, 1), "1 2 3 4 5": order(1, 2, 3, 4, 5),
    "1 9 8 7 6": order(1, 9, 8, 7, 6), "9 8 2 7 6 1": order(9, 8, 2, 7, 6, 1),
    "5 9 4 8 3 7": order(5, 9, 4, 8, 3, 7),
    "": order(),
}
say(json.dumps(CASES))
"""
MOST = 100
LISTS: dict[str, list[tuple[str, int]]] = {
    "a list that is right": [],
    "a full list of a user with one post more than it holds": [],
    "a list with one entry more than it may hold": [("surplus", 1)],
    "a full list that lacks its 50th newest": [("missing", MOST + 1 - 49)],
    "a list that was full once, of which one post was removed": [],
    "a list of ten that was never full, without its oldest": [("missing", 1)],
    "an empty list of a user with two new posts": [("missing", 1), ("missing", 2)],
    "an empty list of a user who wrote nothing for eight days": [],
    "an empty list of a user who wrote six days ago": [("missing", 1), ("missing", 2)],
    "other text under the same version": [("stale", 2)],
    "an entry of a post that MongoDB lacks": [("surplus", 3)],
    "an entry that is there twice": [("surplus", 2)],
    "two entries of another user": [("misplaced", 1), ("misplaced", 2)],
    "an entry of another user with another text": [("misplaced", 1)],
    "an entry that is there twice, the second time with another text": [("surplus", 2)],
    "the newest entry a second time, at the end": [("surplus", 3)],
    "an entry that is there a second time, with an earlier time": [("surplus", 3)],
    "an entry at the wrong place": [("misplaced", 1)],
    "an unknown entry at the wrong place": [("surplus", 9)],
    "an entry beyond the greatest length, which is unknown": [("surplus", 500)],
    "a full list with its newest entry at the end": [("misplaced", MOST + 1), ("surplus", MOST + 1)],
    "an entry that names the list's user, of a post of another user": [("misplaced", 1), ("misplaced", 2)],
    "the global list": [],
    "the global list with another text": [("stale", 2)],
}
KNOWN: dict[str, list[tuple[str, int]]] = {
    "the versions that MongoDB has": [],
    "an older version of a post": [("stale", 1)],
    "a later version of a post": [("stale", 1)],
    "no version of a new post": [("missing", 1)],
    "no version of a post that is eight days old": [],
    "the version of a removed post, without an entry": [],
    "an entry of a post that MongoDB does not have": [("surplus", 1)],
}
ORDERS = {
    "3 1 2": 1,
    "5 4 3 2 1": 0,
    "1 2 3 4 5": 4,
    "1 9 8 7 6": 1,
    "9 8 2 7 6 1": 1,
    "5 9 4 8 3 7": 3,
    "": 0,
}


@check(points=2)
def test_comparison_at_the_edges(lab: Exercise) -> None:
    """verify reports full, empty, expired and disordered lists as they are, and nothing that is right"""
    with beside(lab, "feed", PROGRAM) as module:
        seen: dict[str, Any] = json.loads(module.hear("your module to compare some lists", within=20))
    for cases, function, means in (
        (
            LISTS,
            "compare_list",
            "",
        ),
        (
            KNOWN,
            "compare_known",
            "The view has to know the version of each post of the last week, and exactly that version. Of a"
            " removed post it may know the version but must not hold an entry. Look at `compare_known` in"
            " verify.py.",
        ),
    ):
        for case, wanted in cases.items():
            found = [tuple(one) for one in seen[case]]
            require(
                found == wanted,
                f"called {function}() for {case}",
                expected=wanted or "no finding",
                saw=found or "no finding",
                means=means or f"{_kind(found, wanted)} Look at `compare_list` in verify.py.",
            )
    require(
        seen["the places"] == [keys.of_user(1), EVERYBODY],
        "called compare_list() for a list of user 1, and for the global list (user None)",
        expected=[keys.of_user(1), EVERYBODY],
        saw=seen["the places"],
        means="The place says where a person finds the wrong entry. Look at `compare_list` in verify.py.",
    )
    for case, least in ORDERS.items():
        count, is_ordered = seen[case]
        require(
            count == least and is_ordered,
            f"called out_of_order() for entries with the times {case or '(none)'}; newest first is right",
            expected=f"{least} entries, without which the rest is newest first",
            saw=f"{count} entries; without them the rest is {'' if is_ordered else 'not '}newest first",
            means="One entry at the wrong place must not make its neighbours look wrong. Find the"
            " longest part"
            " that is in order; all others are out of order. Look at `out_of_order` in verify.py.",
        )


RULES = {
    "missing": "Of the newest posts, as many as the list may hold, each one without an entry is missing. Two"
    " exceptions: the end of a list that was full once, and a list to which nobody added for a week."
    " `_missing` decides it, from the first entry of each post, by its id.",
    "surplus": "An entry is surplus beyond the greatest length of its list, if an entry of the same post came"
    " before, or if MongoDB has no such post.",
    "misplaced": "An entry is misplaced in the list of another user than that of MongoDB's post; what the"
    " entry itself names does not count. In the global list the user does not matter. An entry is also"
    " misplaced if `out_of_order` returns it, which gets only the first entry of each post that MongoDB has.",
    "stale": "An entry is stale if its digest is not that of MongoDB's post, even if the version"
    " is the same.",
}


def _kind(found: list[tuple[str, int]], wanted: list[tuple[str, int]]) -> str:
    """The rule for the first finding that is wrong, and the order of the rules if there are two."""
    different = [one for one in (*wanted, *found) if found.count(one) != wanted.count(one)]
    twice = " An entry gets at most one finding, the first that fits." if len(found) > len(wanted) else ""
    return (RULES[different[0][0]] if different else "") + twice
