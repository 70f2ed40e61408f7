"""Run a storm: load, faults, settling, verdict."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from threading import Event as Flag
from threading import Thread

from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.faults import break_, ledger
from lab.faults.catalog import fault
from lab.home import Home
from lab.probes import local_http
from lab.probes.readiness import slow, waiting_for
from lab.storm import verdict
from lab.storm.client import Caller
from lab.storm.evidence import (
    PATH,
    RECOVERY_SECONDS,
    end_of_topic,
    events_since,
    generation,
    look_at_profiles,
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
    """How much is asked: changes and reads of streams per second in all, by so many people.

    `private` are reads and changes of profiles per second in all, beside the others.
    `limit` is the length of the pages, `kept` how many reads of each reader per second are judged by
    what the topic says afterwards; all are looked at as they come.
    """

    writes: float = 20.0
    reads: float = 20.0
    people: int = 6
    private: float = 4.0
    limit: int = 100
    kept: float = 10.0


@dataclass
class Report:
    """What a storm came to. `recovery` in seconds after the last fault; None: not within the time."""

    seed: int
    history: History
    violations: list[str] = field(default_factory=list)
    recovery: float | None = None

    @property
    def passed(self) -> bool:
        """Nothing lost, nothing wrong, and well again in time."""
        return not self.violations and self.recovery is not None


class Storm:
    """One storm over the running system."""

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
        """The faults that are on now, for the live view."""
        self.held = False
        """While this is set the load goes on, also when the time is up."""

    def run(self, look: Callable[["Storm"], None] = lambda storm: None) -> Report:
        """Do it; `look` is called several times a second. Raises LabError when it cannot begin."""
        self._wait_until_well()
        accounts = [Account(self._addresses["gateway"]) for _ in range(self._load.people)]
        self.history.users = [account.id for account in accounts]
        kafka = self._addresses["kafka"]
        first = patiently(kafka, lambda: end_of_topic(kafka))
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
        """Units may still be on their way up after a restart. Raises LabError when they do not come."""
        deadline = time.monotonic() + RECOVERY_SECONDS * slow()
        with local_http.client(timeout=5) as client:
            while missing := waiting_for(self._addresses, client):
                if time.monotonic() > deadline:
                    raise LabError(f"The system is not well: {missing[0]} is missing. Look: ./lab status")
                time.sleep(0.3)

    def _threads(self, accounts: list[Account], over: Flag) -> list[Thread]:
        gateway, load, rng = self._addresses["gateway"], self._load, Random(self._seed)
        writers: list[Writer] = []

        def somebodys_post() -> str:
            return writers[0].any_post() if writers else ""

        for account in accounts:
            # The first one's posts are what the others try to change.
            others = somebodys_post if account is not accounts[0] else str
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
            lag = offset = None
            if answer.ok:
                found = answer.json()
                lag, offset = found["lag_events"], found["next_offset"]
            self.history.samples.append(Sample(time.time(), lag, offset))
        caller.close()

    def _weather(self, look: Callable[["Storm"], None]) -> None:
        began = time.monotonic()
        coming = list(self._planned)
        strikes: list[Thread] = []
        while (now := time.monotonic() - began) < self._seconds or (
            self.held and now < self._seconds + HELD_SECONDS * slow()
        ):
            if coming and coming[0].at <= now:
                # In a thread of its own: injecting can take seconds, and the next fault does not wait.
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
        """Each ends by itself, so nobody lends a hand; one that does not is something to be found."""
        deadline = time.monotonic() + RECOVERY_SECONDS * slow()
        while on := ledger.entries(self._home):
            if time.monotonic() > deadline:
                self.history.seen += [f"a fault did not end by itself: {e.fault} {e.unit}" for e in on]
                return
            time.sleep(0.1)

    def _strike(self, planned: Planned) -> None:
        """Inject one fault; what is on its way up after another one cannot always be hit."""
        began, trouble = time.time(), ""
        found = fault(planned.fault)
        try:
            break_.start(self._home, self._backend, found, planned.unit, planned.seconds)
        except LabError as error:
            trouble = str(error)
        if found.lasts and not trouble:
            began = time.time()
        ended = time.time() + (planned.seconds if found.lasts and not trouble else 0)
        self.history.spells.append(Spell(planned.fault, planned.unit, began, ended, trouble))

    def _settle(
        self, accounts: list[Account], calm: float, look: Callable[["Storm"], None]
    ) -> tuple[float | None, list[str]]:
        """Wait until the system is well and the view is right; seconds it took, and what is wrong at last."""
        deadline = calm + self._patience * slow()
        last = ["the system did not become well"]
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
