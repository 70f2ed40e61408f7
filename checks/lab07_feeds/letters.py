"""Batches that the check hands to the projector itself, with faults of Kafka and Redis at chosen moments."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab07_feeds.letter_program import LETTERS

MODULE = "civildiy.feed.projector.main"
APPLY, BURY = "Look at `_apply` in projector.py.", "Look at `_bury` in projector.py."
MIXED = (
    "gave _apply() a batch with two good events, one of an unknown type and two poison records (offsets 10 to"
    " 14)"
)


@check(points=3)
def test_letters_step_by_step(lab: Exercise) -> None:
    """Of a mixed batch each record is handled once, and nothing moves on before Kafka has the dead letters"""
    with beside(lab, "feed-projector", LETTERS, only=(MODULE,)) as module:
        topic = module.hear("your projector to apply some batches", within=20)
        found: dict[str, Any] = json.loads(module.hear("your projector to apply some batches", within=20))
    mixed = found["mixed"]
    require(
        mixed["applied"] == [[2, 15, 1, 2]] and mixed["raised"] == "nothing",
        MIXED,
        expected="one call of apply with 2 events, following 15, skipped 1 and dead 2",
        saw=f"raised {mixed['raised']}; apply was called with {mixed['applied']} (events, following, skipped,"
        " dead)",
        means="Each record of the batch counts once: as an event, as skipped, or as dead. `following` is the"
        f" last offset plus 1. One record that cannot be read must not stop the others. {APPLY}",
    )
    require(
        [letter[4].get("offset") for letter in mixed["letters"]] == ["12", "14"]
        and {letter[0] for letter in mixed["letters"]} == {topic},
        MIXED,
        expected=f"two dead letters on {topic}, of the offsets 12 and 14",
        saw=[(letter[0], letter[4].get("offset")) for letter in mixed["letters"]],
        means="Only a record that can never be applied is poison. An unknown type is counted and logged,"
        f" because a newer service may know it. {APPLY}",
    )
    told = mixed["letters"][0][4]
    require(
        told.get("reason", "").startswith("not JSON") and mixed["letters"][1][1] == "k",
        MIXED,
        expected="dead letters with the record's key, and the reason why it cannot be read",
        saw=f"headers {told}, key {mixed['letters'][1][1]!r}",
        means="A person reads the reason, and `./lab redrive` sends the record back with its key. The reason"
        f" is the text of PoisonEvent. {BURY}",
    )
    _in_order(mixed["log"], ["acknowledged 12", "acknowledged 14", "applied to 15", "committed 15"], MIXED)
    _in_order(
        found["later"]["log"], ["applied to 16", "committed 16"], "then gave it a batch with one good event"
    )
    require(
        found["logged"],
        MIXED,
        expected="a line in the log with offset 11 and the unknown type post.applauded",
        saw="no such line",
        means="A skipped event leaves no other trace, so nobody could find out why the feed lacks something."
        f' `log.info("skipped offset %s: unknown event type %s", record.offset, error)`. {APPLY}',
    )
    gap = found["gap"]
    require(
        gap["log"] == ["applied to 28", "committed 28"],
        "gave _apply() three records with the offsets 20, 22 and 27: Kafka has no others in between",
        expected="applied to 28, committed 28",
        saw=", ".join(gap["log"]) or gap["raised"],
        means="Offsets have gaps. An offset that is made by counting records is too low, and the same"
        f" records are read again. `following` is the offset of the last record plus 1. {APPLY}",
    )
    large = found["large"]
    require(
        [letter[2:4] for letter in large["letters"]] == [[1000, 1_000_000]] and large["raised"] == "nothing",
        "gave _apply() a poison record with a key of 2,000 bytes and a value of 1,200,000 bytes",
        expected="a dead letter with a key of 1,000 bytes and a value of 1,000,000 bytes",
        saw=[letter[2:4] for letter in large["letters"]] or large["raised"],
        means="The broker refuses a dead letter that is larger than the record was, so the projector would"
        f" try for ever. Use what `fitting(record, reason)` returns. {BURY}",
    )
    _refused(found)


def _refused(found: dict[str, Any]) -> None:
    did = f"{MIXED}, and let Kafka not acknowledge the second dead letter"
    refused, again = found["refused"], found["again"]
    require(
        refused["raised"] != "nothing" and not refused["applied"] and "committed 15" not in refused["log"],
        did,
        expected="the KafkaError, and neither effects nor an offset",
        saw=f"raised {refused['raised']}; then {refused['log'] or 'nothing'}",
        means="The offset moved on, so the batch is not read again, and the dead letter is lost. Bury poison"
        f" records before `self._projection.apply`, wait for the answer, and let its error pass. {APPLY}",
    )
    offsets = [letter[4].get("offset") for letter in again["letters"]]
    require(
        offsets == ["14"],
        f"{did}; then gave it the same batch again",
        expected="a dead letter of offset 14 only",
        saw=f"dead letters of the offsets {offsets}",
        means="Offset 12 was acknowledged, offset 14 was not. Set `self._buried` after the answer, and skip"
        f" offsets that are not above it. {BURY}",
    )
    _counted(f"{did}; then gave it the same batch again", again)
    did = f"{MIXED}, and let Redis refuse the effects"
    redis, again = found["redis"], found["redis again"]
    require(
        redis["raised"] != "nothing" and not any("committed" in line for line in redis["log"]),
        did,
        expected="the error of Redis, and no commit",
        saw=f"raised {redis['raised']}; then {redis['log']}",
        means=f"Commit the offset after the effects, and let errors go up to `run`. {APPLY}",
    )
    require(
        not again["letters"],
        f"{did}; then gave it the same batch again",
        expected="no further dead letter",
        saw=f"dead letters of the offsets {[letter[4].get('offset') for letter in again['letters']]}",
        means="The batch is read again until Redis takes it. A record that was buried already, up to the"
        f" offset `self._buried`, is counted as dead, but gets no second dead letter. {BURY}",
    )
    _counted(f"{did}; then gave it the same batch again", again)


def _counted(did: str, again: dict[str, Any]) -> None:
    require(
        again["applied"] == [[2, 15, 1, 2]],
        did,
        expected="one call of apply with 2 events, following 15, skipped 1 and dead 2",
        saw=f"apply was called with {again['applied']} (events, following, skipped, dead)",
        means="The counts of the failed attempt were not stored, so a batch that is read again is counted"
        " again as a whole: each poison record is dead, also one that needs no second dead letter. Count it"
        f" in `_apply`, not where it is buried. {APPLY}",
    )


def _in_order(seen: list[str], wanted: list[str], did: str) -> None:
    require(
        any(line.startswith("acknowledged") for line in seen) or not wanted[0].startswith("acknowledged"),
        did,
        expected=", ".join(wanted),
        saw=", ".join(seen),
        means="Nothing reads Kafka's answer to the dead letters. `flush` and a pause only wait until a record"
        " was sent or given up; that Kafka refused it is told by the future that `send` returns. Call"
        f" `.get(10)` on it, which raises the error, and only then store the offset. {BURY}",
    )
    require(
        seen == wanted,
        did,
        expected=", ".join(wanted),
        saw=", ".join(seen),
        means="First Kafka acknowledges each dead letter (`.get(10)` waits for it, at most 10 s), then the"
        " effects are applied, and last the offset is committed. In another order a crash in between loses"
        " something."
        f" {APPLY}",
    )
