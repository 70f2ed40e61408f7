"""The storm finds no violation in a correct system, however its events are delayed."""

from dataclasses import dataclass, field, replace
from random import Random

import pytest
from storm_world import ANN, BOB, World

from lab.storm import verdict
from lab.storm.history import Entry, Event, Kind, Outcome
from lab.storm.reads import judge_reads


@dataclass
class Lagging(World):
    """A correct system at work: events wait in outboxes, are repeated, and the view lags behind."""

    rng: Random = field(default_factory=Random)
    outbox: dict[str, list[Event]] = field(default_factory=dict)
    view: dict[str, Event] = field(default_factory=dict)
    applied: int = 0

    def write(self, user: int, post: str, kind: Kind = "create", outcome: Outcome = "done") -> None:
        """Change something without an answer; half of these changes are executed."""
        happens = outcome == "done" or (outcome == "unknown" and self.rng.random() < 0.5)
        super().write(user, post, kind, "done" if happens else outcome)
        write = self.history.writes[-1]
        if happens:
            self.outbox.setdefault(post, []).append(self.history.events.pop())
        if outcome == "unknown":
            write.outcome, write.status, write.version, write.time = "unknown", 0, 0, ""
            write.post = "" if kind == "create" else post

    def publish(self) -> None:
        """Publish the oldest event of a post, or an already published one again."""
        topic = self.history.events
        waiting = [post for post, events in self.outbox.items() if events]
        if waiting and self.rng.random() < 0.8:
            topic.append(replace(self.outbox[self.rng.choice(waiting)].pop(0), offset=len(topic)))
        elif topic:
            topic.append(replace(self.rng.choice(topic), offset=len(topic)))

    def apply(self) -> None:
        """Apply the next record."""
        if self.applied < len(self.history.events):
            event = self.history.events[self.applied]
            self.applied += 1
            if event.post not in self.view or self.view[event.post].version < event.version:
                self.view[event.post] = event

    def shown(self, user: int) -> list[Entry]:
        """Return the present contents of the view."""
        entries = [
            Entry(e.post, e.version, e.user, e.words, e.order)
            for e in self.view.values()
            if not e.removal and user in (0, e.user)
        ]
        return sorted(entries, key=lambda entry: entry.order, reverse=True)

    def settle(self) -> dict[int, list[Entry]]:
        """Publish and apply all events, and return the final feeds."""
        while any(self.outbox.values()):
            self.publish()
        while self.applied < len(self.history.events):
            self.apply()
        return {user: self.shown(user) for user in (0, ANN, BOB)}


@pytest.mark.parametrize("seed", range(40))
def test_a_right_system_is_found_right_whatever_happens(seed: int) -> None:
    rng = Random(seed)
    world = Lagging(rng=rng)
    world.history.limit = rng.choice([3, 100])
    mine: dict[int, list[str]] = {ANN: [], BOB: []}
    floor = 0
    for turn in range(55):
        user = rng.choice([ANN, BOB])
        outcome: Outcome = rng.choices(["done", "refused", "unknown"], [8, 1, 1])[0]  # type: ignore[assignment]
        post = rng.choice(mine[user]) if mine[user] and rng.random() < 0.6 else ""
        kind: Kind = rng.choice(["update", "delete"]) if post else "create"
        world.write(user, post or f"p{turn}", kind, outcome)
        if not post and outcome == "done":
            mine[user].append(f"p{turn}")
        elif post and (outcome == "unknown" or (kind == "delete" and outcome == "done")):
            mine[user].remove(post)
        for step in rng.choices([world.publish, world.apply], k=rng.randrange(6)):
            step()
        for reader in (0, ANN, BOB):
            world.read(reader, world.shown(reader)[: world.history.limit], floor)
        floor = rng.choice([floor, world.applied])
    assert verdict.judge_view(world.history, world.settle()) == []
    assert verdict.judge_topic(world.history) == []
    assert judge_reads(world.history) == []
