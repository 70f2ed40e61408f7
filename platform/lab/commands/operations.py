"""The commands about the feed's view: verify, rebuild, redrive, lag, costs."""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Timer
from typing import Any

import click
import httpx

from civildiy.course_runtime.incidents import MARK
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.probes import local_http
from lab.probes.readiness import slow
from lab.terminal import Console, print_rows
from lab.text import shortened, visible

PATIENCE_SECONDS = 15.0
SHOWN = 40
LONGEST = 200
"""Characters of a value in a table; --json has all of it."""


@dataclass(frozen=True)
class Ran:
    """What a tool did: exit code, its answer (empty when it had none), and what it said meanwhile."""

    code: int
    answer: dict[str, Any]
    said: tuple[str, ...]


def run_tool(
    backend: Backend,
    tool: str,
    arguments: Sequence[str] = (),
    on_line: Callable[[str], None] = lambda line: None,
    within: float = 1800.0,
) -> Ran:
    """Run one of the feed's tools to its end; `on_line` gets each line as it is said.

    A tool that runs longer than `within` seconds is killed (code -9). Raises LabError when the system
    is down.
    """
    if not backend.running():
        raise LabError("The system is not running. Start it: ./lab up")
    patience = f"--patience={PATIENCE_SECONDS * slow():g}"
    command = backend.tool_command(tool, patience, *arguments)
    said = []
    with tempfile.TemporaryFile() as out:
        # By bytes: what a learner's code prints need not be text.
        with subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            ending = Timer(within, process.kill)
            ending.start()
            try:
                for raw in process.stderr:
                    line = raw.decode(errors="replace").rstrip()
                    said.append(line)
                    on_line(line)
            finally:
                ending.cancel()
        out.seek(0)
        answers = out.read().decode(errors="replace").strip().splitlines()
    try:
        answer = json.loads(answers[-1]) if answers else {}
    except ValueError:
        answer = {}
    return Ran(process.returncode, answer if isinstance(answer, dict) else {}, tuple(said))


def register(cli: click.Group, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""
    for_scripts = click.option("--json", "as_json", is_flag=True, help="For scripts.")

    def told(tool: str, as_json: bool, *arguments: str) -> Ran:
        """Run a tool; ends the command with exit code 2 when it found no answer."""

        def show(line: str) -> None:
            if line and MARK not in line:
                click.echo(f"  {visible(line)}", err=True)

        ran = run_tool(backend, tool, arguments, show)
        if not ran.answer:
            console.print("No answer (see above). Look: ./lab status")
            sys.exit(2)
        if as_json:
            click.echo(json.dumps(ran.answer, indent=1))
            sys.exit(ran.code)
        return ran

    @cli.command()
    @for_scripts
    def verify(as_json: bool) -> None:
        """Compare posts, topic and feed item by item. Exit code 1: there are differences."""
        ran = told("feed-verify", as_json)
        findings = ran.answer["findings"]
        heads = ("kind", "post", "place", "what")
        rows = [[shortened(one[key], LONGEST) or "-" for key in ("kind", "post_id", "place", "says")]
                for one in findings[:SHOWN]]  # fmt: skip
        if findings:
            print_rows(console, heads, rows, whole=["kind"])
            if len(findings) > SHOWN:
                console.print(f"and {len(findings) - SHOWN} more (all of them: ./lab verify --json)")
        counts = ", ".join(f"{n} {kind}" for kind, n in Counter(f["kind"] for f in findings).items())
        looked_at = f"{ran.answer['posts']} posts, {ran.answer['records']} records of the topic,"
        looked_at += f" {ran.answer['entries']} entries in lists"
        console.print(f"{looked_at}: {counts or 'no difference'}.")
        if ran.answer["not_judged"]:
            console.print(
                f"{ran.answer['not_judged']} posts are not judged: their last event is still on its way"
                f" ({ran.answer['behind']} events behind)."
            )
        if findings:
            console.print(
                "Next: ./lab rebuild makes the feed anew from MongoDB, and no longer depends on what is wrong"
                " on the topic; ./lab logs feed-projector, ./lab logs posts-relay say more."
            )
        sys.exit(ran.code)

    @cli.command()
    @for_scripts
    def rebuild(as_json: bool) -> None:
        """Make the feed anew beside the live one, and switch over; readers notice nothing."""
        ran = told("feed-rebuild", as_json)
        if not ran.answer["switched"]:
            raise LabError(ran.answer["why"])
        console.print(
            f"The feed is made anew: {ran.answer['posts']} posts from MongoDB, {ran.answer['followed']}"
            f" events on top, {ran.answer['seconds']:.1f} s. Next: ./lab verify"
        )

    @cli.command()
    @for_scripts
    @click.option("--dry-run", is_flag=True, help="List the dead letters, send nothing.")
    def redrive(as_json: bool, dry_run: bool) -> None:
        """Send dead letters back, each once. Exit code 1: some are dead again."""
        ran = told("feed-redrive", as_json, *(["--dry-run"] if dry_run else []))
        listed = ran.answer.get("waiting", []) if dry_run else ran.answer["dead_again"]
        rows = [(letter["offset"], shortened(letter["reason"], LONGEST), shortened(letter["value"], 60))
                for letter in listed[:SHOWN]]  # fmt: skip
        if listed:
            print_rows(console, ("dead letter", "reason", "value"), rows, whole=["dead letter"])
            if len(listed) > SHOWN:
                console.print(f"and {len(listed) - SHOWN} more (all of them: --json)")
        if dry_run:
            console.print(f"{len(listed)} dead letters wait. ./lab redrive sends them back.")
            return
        sent, dead = len(ran.answer["sent"]), len(listed)
        console.print(f"{sent} dead letters sent back, {dead} are dead again.")
        if outdated := len(ran.answer["outdated"]):
            console.print(f"{outdated} were left out: their posts have changed since, or are gone.")
        if not ran.answer["applied"]:
            console.print("The projector has not come to them yet. Look: ./lab lag")
        sys.exit(ran.code)

    @cli.command()
    @for_scripts
    @click.argument("sizes", nargs=-1, type=click.IntRange(1, 1_000_000))
    def costs(as_json: bool, sizes: tuple[int, ...]) -> None:
        """Measure a page of the feed from Redis beside the same page worked out by MongoDB.

        SIZES are numbers of posts; 100, 1000, 10000 and 100000 by default.
        """
        ran = told("feed-costs", as_json, *map(str, sizes))
        heads = ("posts", "Redis ms", "MongoDB ms", "times")
        rows = []
        for cost in ran.answer["costs"]:
            mine, theirs = cost["redis_ms"], cost["mongodb_ms"]
            rows.append((f"{cost['posts']:,}", f"{mine:.2f}", f"{theirs:.2f}", f"{theirs / mine:.1f}"))
        print_rows(console, heads, rows, right=heads, whole=heads)
        console.print("Median of one page of 20, read by one client; both databases were made for this.")

    @cli.command()
    @for_scripts
    def lag(as_json: bool) -> None:
        """How far the feed is behind, and what became of the events so far."""
        try:
            url = f"{backend.endpoints()['feed']}/api/activity-stream/stats"
            stats = local_http.get(url, timeout=5).raise_for_status().json()
        except httpx.HTTPError as error:
            why = shortened(f"{type(error).__name__}: {error}", 160)
            raise LabError(f"The service feed does not report its lag ({why}). Look: ./lab status") from error
        except ValueError as error:
            raise LabError("The answer of feed is not JSON. Look: ./lab logs feed") from error
        if as_json:
            click.echo(json.dumps(stats, indent=1))
            return
        if stats["lag"] is None:
            behind = f"unknown ({_why_unknown(backend)})"
        else:
            behind = f"{stats['lag_events']} events, {stats['lag_seconds']:.1f} s"
        console.print(f"behind: {behind}; the projector is {stats['consumer_state']}")
        counts = ", ".join(f"{n} {name}" for name, n in stats["counters"].items())
        console.print(f"events so far: {counts}; next offset {stats['next_offset']}")


def _why_unknown(backend: Backend) -> str:
    """What keeps the feed from measuring its lag: a topic that is missing, or Kafka itself."""
    from lab.health.examine import UNREACHED
    from lab.health.topics import look

    try:
        wrong = [found for found in look(backend) if found.remedy]
    except UNREACHED:
        return "Kafka does not answer; look: ./lab status"
    return f"{wrong[0].seen}; {wrong[0].remedy}" if wrong else "Kafka answers again; ask once more"
