"""Run a storm: load, faults, recovery, verdict."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from threading import Event as Flag
from threading import Thread

from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.errors import LabError
from lab.faults import break_, ledger
from lab.faults.catalog import fault
from lab.home import Home
from lab.probes import local_http
from lab.probes.readiness import waiting_for
from lab.storm import verdict
from lab.storm.client import Caller
from lab.storm.evidence import (
    PATH,
    RECOVERY_SECONDS,
    ends_of_topic,
    events_since,
    generation,
    look_at_profiles,
    next_offsets,
    patiently,
    streams,
)
from lab.storm.history import History, Sample, Spell
from lab.storm.people import Account
from lab.storm.private import Keeper, judge_private
from lab.storm.readers import Reader
from lab.storm.reads import judge_reads
from lab.storm.schedule import Planned
from lab.storm.writers import Writer

SAMPLE_SECONDS = 0.25
HELD_SECONDS = 60.0


@dataclass(frozen=True)
class Load:
    """The size of the load: changes and reads of feeds per second in total, by this many users.

    `private` are reads and changes of profiles per second in total, in addition to the others.
    `limit` is the length of the pages. `kept` is how many reads of each reader per second are kept, to be
    judged against the topic afterwards; every read is checked at once.
    """

    writes: float = 20.0
    reads: float = 20.0
    people: int = 6
    private: float = 4.0
    limit: int = 100
    kept: float = 10.0


@dataclass
class Report:
    """The result of a storm. `recovery`: seconds after the last fault, None when that took too long."""

    seed: int
    history: History
    violations: list[str] = field(default_factory=list)
    recovery: float | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing is lost or wrong, and the system recovered in time."""
        return not self.violations and self.recovery is not None


class Storm:
    """One storm on the running system."""

    def __init__(
        self,
        home: Home,
        backend: Backend,
        seed: int,
        seconds: float,
        planned: list[Planned],
        load: Load,
        patience: float = RECOVERY_SECONDS,
    ) -> None:
        self._home, self._backend = home, backend
        self._seed, self._seconds, self._planned, self._load = seed, seconds, planned, load
        self._patience = patience
        self._addresses = backend.endpoints()
        self.history = History(limit=load.limit)
        self.on: str = ""
        """The active faults, for the live view."""
        self.held = False
        """While this is set the load continues, even after its time."""

    def run(self, look: Callable[["Storm"], None] = lambda storm: None) -> Report:
        """Run the storm; `look` is called several times a second. Raises LabError when it cannot begin."""
        self._wait_until_well()
        accounts = [Account(self._addresses["gateway"]) for _ in range(self._load.people)]
        self.history.users = [account.id for account in accounts]
        kafka = self._addresses["kafka"]
        first = patiently(kafka, lambda: ends_of_topic(kafka))
        view = generation(self._addresses["redis"])
        over = Flag()
        threads = self._threads(accounts, over)
        self.history.began = time.time()
        try:
            for thread in threads:
                thread.start()
            self._weather(look)
            self._let_faults_end()
        finally:
            over.set()
            break_.heal_all(self._home, self._backend)
        self.history.ended = calm = time.time()
        for thread in threads:
            thread.join(30)
        report = Report(self._seed, self.history)
        report.recovery, report.violations = self._settle(accounts, calm, look)
        users = set(self.history.users)
        self.history.events = patiently(kafka, lambda: events_since(kafka, first, users))
        self.history.rebuilt = generation(self._addresses["redis"]) != view
        report.violations += [*dict.fromkeys(self.history.seen)][:20]
        report.violations += verdict.judge_topic(self.history) + judge_reads(self.history)
        report.violations += judge_private(self.history)
        report.violations = [*dict.fromkeys(report.violations)]
        return report

    def _wait_until_well(self) -> None:
        """Wait for units that are still starting after a restart. Raises LabError when they do not start."""
        deadline = time.monotonic() + RECOVERY_SECONDS * slow()
        with local_http.client(timeout=5) as client:
            while missing := waiting_for(self._addresses, client):
                if time.monotonic() > deadline:
                    raise LabError(
                        f"The system is not healthy: {missing[0]} is missing. Find the cause: ./lab status"
                    )
                time.sleep(0.3)

    def _threads(self, accounts: list[Account], over: Flag) -> list[Thread]:
        gateway, load, rng = self._addresses["gateway"], self._load, Random(self._seed)
        writers: list[Writer] = []

        def post_of_the_first_user() -> str:
            return writers[0].any_post() if writers else ""

        for account in accounts:
            # All other users try to change a post of the first user.
            others = post_of_the_first_user if account is not accounts[0] else str
            writers.append(
                Writer(gateway, account, others, self.history, Random(rng.random()),
                       load.writes / load.people, over)
            )  # fmt: skip
        per_reader = load.reads / (2 * min(load.people, 4))
        readers = [
            Reader(gateway, who, accounts[number - 1], self.history, per_reader, load.kept, over)
            for number, account in enumerate(accounts[:4])
            for who in (account, None)
        ]
        keepers = [
            Keeper(gateway, account, accounts, self.history, Random(rng.random()),
                   load.private / len(accounts), over)
            for account in accounts
        ]  # fmt: skip
        for keeper in keepers:
            keeper.begin()
        return [*writers, *readers, *keepers, Thread(target=self._sample, args=(over,), daemon=True)]

    def _sample(self, over: Flag) -> None:
        caller = Caller(self._addresses["gateway"], timeout=4)
        while not over.wait(SAMPLE_SECONDS):
            answer = caller.call("GET", f"{PATH}/stats")
            lag = offsets = None
            if answer.ok:
                statistics = answer.json()
                lag, offsets = statistics["lag_events"], next_offsets(statistics)
            self.history.samples.append(Sample(time.time(), lag, offsets))
        caller.close()

    def _weather(self, look: Callable[["Storm"], None]) -> None:
        began = time.monotonic()
        coming = list(self._planned)
        strikes: list[Thread] = []
        while (now := time.monotonic() - began) < self._seconds or (
            self.held and now < self._seconds + HELD_SECONDS * slow()
        ):
            if coming and coming[0].at <= now:
                # In a thread of its own: injecting can take seconds, and the next fault must not be late.
                strikes.append(Thread(target=self._strike, args=(coming.pop(0),)))
                strikes[-1].start()
            on = [s for s in self.history.spells if s.began <= time.time() < s.ended]
            self.on = ", ".join(f"{s.fault} {s.unit}" for s in on)
            look(self)
            time.sleep(0.1)
        for strike in strikes:
            strike.join()
        self.on = ""

    def _let_faults_end(self) -> None:
        """Wait until each fault has ended by itself; record a violation for one that does not."""
        deadline = time.monotonic() + RECOVERY_SECONDS * slow()
        while on := ledger.entries(self._home):
            if time.monotonic() > deadline:
                self.history.seen += [f"a fault did not end by itself: {e.fault} {e.unit}" for e in on]
                return
            time.sleep(0.1)

    def _strike(self, planned: Planned) -> None:
        """Inject one fault. A unit that is still starting after another fault cannot always be hit."""
        began, trouble = time.time(), ""
        planned_fault = fault(planned.fault)
        try:
            break_.start(self._home, self._backend, planned_fault, planned.unit, planned.seconds)
        except LabError as error:
            trouble = str(error)
        if planned_fault.lasts and not trouble:
            began = time.time()
        ended = time.time() + (planned.seconds if planned_fault.lasts and not trouble else 0)
        self.history.spells.append(Spell(planned.fault, planned.unit, began, ended, trouble))

    def _settle(
        self, accounts: list[Account], calm: float, look: Callable[["Storm"], None]
    ) -> tuple[float | None, list[str]]:
        """Wait until the system is healthy and the view is right; return the seconds and the violations."""
        deadline = calm + self._patience * slow()
        last = ["the system did not recover"]
        with local_http.client(timeout=5) as client:
            while time.time() < deadline:
                look(self)
                missing = waiting_for(self._addresses, client)
                last = [f"after the storm: {what} is missing" for what in missing]
                try:
                    last += verdict.judge_view(self.history, streams(self._addresses["gateway"], accounts))
                    look_at_profiles(self._addresses["gateway"], accounts, self.history)
                except LabError as error:
                    last.append(f"after the storm: {error}")
                else:
                    if not last:
                        return time.time() - calm, []
                time.sleep(0.3)
        return None, last
