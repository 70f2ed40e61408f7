"""The history of a correct system in a storm; the tests of the verdict add mistakes to it."""

from dataclasses import dataclass, field

from lab.storm.history import Entry, Event, History, Kind, Outcome, Read, Write

ANN, BOB, STRANGER = 1, 2, 9


def words_of(post: str, version: int) -> str:
    return f"{post} version {version}"


@dataclass
class World:
    """A correct system: one change each second, which is in the view as soon as it is answered."""

    history: History = field(default_factory=lambda: History(users=[ANN, BOB], limit=100))
    live: dict[str, Entry] = field(default_factory=dict)

    def write(self, user: int, post: str, kind: Kind = "create", outcome: Outcome = "done") -> None:
        """Record one change; it takes effect only if its outcome is `done`."""
        now, known = float(len(self.history.writes)), self.live.get(post)
        version = known.version + 1 if known else 1
        words = "" if kind == "delete" else words_of(post, version)
        words += f" (change {now})" if words and outcome == "refused" else ""  # no text occurs twice
        done, time = outcome == "done", f"2026-01-01T00:00:{int(now):02d}.000000Z"
        status = {"done": 200, "refused": 403, "unknown": 0}[outcome]
        write = Write(now, now + 0.5, user, kind, post, words, outcome, status)
        self.history.writes.append(write)
        if not done:
            return
        if kind != "delete":
            write.version, write.time = version, time
        order, events = f"{time}{post}{version}", self.history.events
        events.append(
            Event(len(events), f"{post}{version}", post, version, kind == "delete", user, words, order)
        )
        self.live.pop(post, None)
        if kind != "delete":
            self.live[post] = Entry(post, version, user, words, order)

    def stream(self, user: int = 0) -> list[Entry]:
        """Return the feed as the view shows it now."""
        found = [entry for entry in self.live.values() if user in (0, entry.user)]
        return sorted(found, key=lambda entry: entry.order, reverse=True)

    def streams(self) -> dict[int, list[Entry]]:
        return {user: self.stream(user) for user in (0, ANN, BOB)}

    def read(self, user: int, page: list[Entry], floor: int | None = None) -> None:
        """Record that a reader gets this page now."""
        now = float(len(self.history.writes))
        floor = len(self.history.events) if floor is None else floor
        self.history.reads.append(Read(now, now + 0.1, user, 200, (floor,), page))


def kinds(violations: list[str]) -> set[str]:
    return {violation.partition(":")[0] for violation in violations}
