"""The soak test finds growing memory and a missed rate, and nothing in a healthy run."""

from lab.storm.figures import lately, numbers
from lab.storm.history import History, Read, Write
from lab.storm.run import Load, Report
from lab.storm.soak import growth, judge

LOAD = Load(writes=10, reads=20)


def history(writes: int = 100, reads: int = 200, failed: int = 0) -> History:
    """Ten seconds; a change takes 10 ms and a read 5 ms, but for one in a hundred, which takes ten times."""
    found = History(began=1000.0, ended=1010.0)
    for n in range(writes):
        took, bad = (0.1 if n % 100 == 99 else 0.01), n < failed
        outcome, status = ("unknown", 503) if bad else ("done", 200)
        found.writes.append(Write(1000, 1000 + took, 1, "create", "p", "w", outcome, status))  # type: ignore[arg-type]
    for n in range(reads):
        took = 0.05 if n % 100 == 99 else 0.005
        found.reads.append(Read(1000, 1000 + took, 0, 200, (0,)))
    return found


def memory(**ends: int) -> list[dict[str, int]]:
    """Looks at units that begin with 100 MB and grow evenly to so many MB."""
    return [{unit: int(1e6 * (100 + (end - 100) * n / 99)) for unit, end in ends.items()} for n in range(100)]


def kinds(found: list[str]) -> list[str]:
    return [one.partition(":")[0] for one in found]


def test_a_steady_system() -> None:
    assert judge(history(), LOAD, growth(memory(posts=100, redis=100))) == []


def test_memory_that_grows() -> None:
    found = judge(history(), LOAD, growth(memory(posts=140, feed=100)))
    assert kinds(found) == ["memory"]
    assert "posts grew from" in found[0]
    assert kinds(judge(history(), LOAD, growth(memory(redis=140)))) == []  # a store keeps what it is told
    assert kinds(judge(history(), LOAD, growth(memory(redis=250)))) == ["memory"]


def test_what_grows_in_the_warm_up_alone() -> None:
    seen = [{"posts": 50_000_000}] * 24 + [{"posts": 150_000_000}] * 76
    assert judge(history(), LOAD, growth(seen)) == []


def test_too_few_looks_are_no_verdict() -> None:
    assert kinds(judge(history(), LOAD, growth(memory(posts=100)[:3]))) == ["memory"]


def test_a_rate_that_is_missed() -> None:
    grown = growth(memory(posts=100))
    assert kinds(judge(history(writes=94), LOAD, grown)) == ["rate"]
    assert kinds(judge(history(failed=6), LOAD, grown)) == ["rate"]
    assert kinds(judge(history(reads=180), LOAD, grown)) == ["rate"]


def test_figures_for_scripts() -> None:
    found = numbers(Report(0, history()))
    assert (found["changes_per_s"], found["reads_per_s"]) == (10.0, 20.0)
    assert (found["changes_p50_ms"], found["reads_p50_ms"]) == (10.0, 5.0)
    assert found["changes_p99_ms"] > 90
    assert found["reads_p99_ms"] > 45


def test_rates_of_the_live_view() -> None:
    """At any rate, and of the last seconds alone."""
    seen = history(writes=5000, reads=20000, failed=50)
    seen.writes.insert(0, Write(900, 900.1, 1, "create", "p", "w", "done", 201))
    seen.writes.append(Write(1001, 1002, 1, "refuse", "", "w", "refused", 422))
    assert lately(seen, 1002.0) == {"changes": 1000, "failed": 10, "reads": 4000}
    assert lately(seen, 1010.0) == {"changes": 0, "failed": 0, "reads": 0}
