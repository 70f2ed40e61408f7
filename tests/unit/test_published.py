"""The comparison of topic and posts, on a handful of records that a person can check."""

from datetime import UTC, datetime, timedelta

import orjson

from civildiy.feed.projector.projection import timestamp
from civildiy.operations.topic_diff import PLACE, Published
from civildiy.operations.truth import Expected, Truth

NOW = datetime.now(UTC)


def record(post: str, version: int, kind: str = "post.updated", id: str = "") -> bytes:
    said = {"id": id or f"{post}{version}", "type": kind, "postversion": version, "data": {"post_id": post}}
    return orjson.dumps(said)


def truth(**versions: int) -> Truth:
    """Return posts by their version."""
    found = Truth()
    for post, version in versions.items():
        found.add(post, Expected(1, version, f"{timestamp(NOW)}{post}{version}", b"", NOW))
    return found


def published(*records: bytes, since: int = 0, whole_after: datetime | None = None) -> Published:
    found = Published()
    found.since[0], found.whole_after = since, whole_after
    for offset, value in enumerate(records):
        found.take_in(offset, value)
    return found


def kinds(found: Published, true: Truth) -> set[tuple[str, str]]:
    findings = [*found.compare(true)]
    assert {finding.place for finding in findings} <= {PLACE}
    return {(finding.kind, finding.post_id) for finding in findings}


A, B = [record("a", n) for n in (1, 2, 3)], [record("b", 1), record("b", 2, "post.deleted")]


def test_a_right_topic() -> None:
    assert kinds(published(A[0], B[0], *A[1:], B[1]), truth(a=3)) == set()
    again = [A[2], A[1], A[0], B[1]]
    assert kinds(published(*A, *B, *again), truth(a=3)) == set()
    assert kinds(published(*A, b"poison", b"", b"[1]"), truth(a=3)) == set()


def test_each_kind() -> None:
    assert kinds(published(*A[:2]), truth(a=3)) == {("missing", "a")}
    assert kinds(published(A[0], A[2]), truth(a=3)) == {("missing", "a")}
    assert kinds(published(), truth(a=1)) == {("missing", "a")}
    assert kinds(published(*A), truth(a=2)) == {("surplus", "a")}
    assert kinds(published(*A), truth()) == {("surplus", "a")}
    assert kinds(published(A[0], A[2], A[1]), truth(a=3)) == {("misplaced", "a")}
    assert kinds(published(*A, record("a", 2, id="other")), truth(a=3)) == {("surplus", "a")}
    assert kinds(published(*A[:2], record("a", 3, id="other")), truth(a=3)) == {("stale", "a")}
    assert kinds(published(*B[:1]), truth()) == {("surplus", "b")}


def test_a_gap_is_one_finding_however_wide() -> None:
    (found,) = published(A[0], record("a", 10**9)).compare(truth(a=10**9))
    assert found.says == "versions 2 to 999999999 were never published"
    (found,) = published(A[0], A[2]).compare(truth(a=3))
    assert found.says == "version 2 was never published"


def test_what_is_on_its_way_is_not_judged() -> None:
    true = truth(a=3)
    true.leave_out(["a"])
    assert kinds(published(*A[:2]), true) == set()


def test_what_was_before_the_last_rebuild_is_not_judged() -> None:
    wrong = [A[0], A[2], A[1], record("a", 2, id="other"), record("c", 1)]
    assert kinds(published(*wrong, since=5), truth(a=4)) == {("missing", "a")}
    right = [*wrong, record("a", 4)]
    assert kinds(published(*right, since=5), truth(a=4)) == set()
    assert kinds(published(*right, A[1], A[0], since=5), truth(a=4)) == set()
    assert kinds(published(*right, record("c", 2), since=5), truth(a=4)) == {("surplus", "c")}


def test_what_kafka_has_forgotten_is_not_missing() -> None:
    early, late = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    assert kinds(published(since=3, whole_after=late), truth(a=3)) == set()
    assert kinds(published(since=3, whole_after=early), truth(a=3)) == {("missing", "a")}
