"""The commands about the feed's materialised view: verify, rebuild, redrive, lag, costs."""

import json
import sys
from collections import Counter

import click
import httpx

from civildiy.contracts.posts.envelope import MOST_PARTITIONS
from civildiy.course_runtime.incidents import MARK
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.probes import local_http
from lab.probes.tools import Ran, run_tool
from lab.terminal import Console, print_rows
from lab.text import shortened, visible

SHOWN = 40
LONGEST = 200
"""The most characters of a value that a table shows; --json shows all of them."""


def register(cli: click.Group, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""
    for_scripts = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

    def run_and_show(tool: str, as_json: bool, *arguments: str) -> Ran:
        """Run a tool and show its progress; end the command with exit code 2 when it gave no answer."""

        def show(line: str) -> None:
            if line and MARK not in line:
                click.echo(f"  {visible(line)}", err=True)

        ran = run_tool(backend, tool, arguments, show)
        if not ran.answer:
            console.print("The tool gave no answer; its error is above. See what is running: ./lab status")
            sys.exit(2)
        if as_json:
            click.echo(json.dumps(ran.answer, indent=1))
            sys.exit(ran.code)
        return ran

    @cli.command()
    @for_scripts
    def verify(as_json: bool) -> None:
        """Compare MongoDB, topic and Redis item by item. Exit code 1: they differ."""
        ran = run_and_show("feed-verify", as_json)
        findings = ran.answer["findings"]
        heads = ("kind", "post", "place", "what")
        rows = [[shortened(finding[key], LONGEST) or "-" for key in ("kind", "post_id", "place", "says")]
                for finding in findings[:SHOWN]]  # fmt: skip
        if findings:
            print_rows(console, heads, rows, whole=["kind"])
            if len(findings) > SHOWN:
                console.print(f"and {len(findings) - SHOWN} more (print all: ./lab verify --json)")
        counts = ", ".join(f"{n} {kind}" for kind, n in Counter(f["kind"] for f in findings).items())
        compared = f"{ran.answer['posts']} posts, {ran.answer['records']} records of the topic,"
        compared += f" {ran.answer['entries']} entries in lists"
        console.print(f"{compared}: {counts or 'no difference'}.")
        if ran.answer["not_judged"]:
            console.print(
                f"{ran.answer['not_judged']} posts were not compared: their last event is not in the feed yet"
                f" ({ran.answer['behind']} events behind)."
            )
        if ran.answer["more"]:
            console.print(
                "There were more differences than ./lab verify keeps at a time, so some may be missing here."
                " Run it again after a rebuild, or while fewer posts change."
            )
        if findings:
            console.print(
                "Next: ./lab rebuild builds the feed from MongoDB again, without the topic."
                " Find the cause: ./lab logs feed-projector, ./lab logs posts-relay"
            )
        sys.exit(ran.code)

    @cli.command()
    @for_scripts
    def rebuild(as_json: bool) -> None:
        """Rebuild the feed in a second database, then swap it in. Readers are not interrupted."""
        ran = run_and_show("feed-rebuild", as_json)
        if not ran.answer["switched"]:
            raise LabError(ran.answer["why"])
        console.print(
            f"The feed is rebuilt: {ran.answer['posts']} posts from MongoDB, {ran.answer['followed']}"
            f" events on top, {ran.answer['seconds']:.1f} s. Next: ./lab verify"
        )

    @cli.command()
    @for_scripts
    @click.option("--dry-run", is_flag=True, help="List the dead letters, but send nothing.")
    def redrive(as_json: bool, dry_run: bool) -> None:
        """Send each dead letter to the topic once more. Exit code 1: some became dead letters again."""
        ran = run_and_show("feed-redrive", as_json, *(["--dry-run"] if dry_run else []))
        listed = ran.answer.get("waiting", []) if dry_run else ran.answer["dead_again"]
        rows = [(letter["offset"], shortened(letter["reason"], LONGEST), shortened(letter["value"], 60))
                for letter in listed[:SHOWN]]  # fmt: skip
        if listed:
            print_rows(console, ("dead letter", "reason", "value"), rows, whole=["dead letter"])
            if len(listed) > SHOWN:
                console.print(f"and {len(listed) - SHOWN} more (print all: --json)")
        if dry_run:
            console.print(f"{len(listed)} dead letters are waiting. Send them back: ./lab redrive")
            return
        sent, dead = len(ran.answer["sent"]), len(listed)
        console.print(f"{sent} dead letters sent back; {dead} became dead letters again.")
        if outdated := len(ran.answer["outdated"]):
            console.print(f"{outdated} were skipped: their posts have changed since, or were deleted.")
        if not ran.answer["applied"]:
            console.print("The projector has not processed all of them yet. See how far it is: ./lab lag")
        sys.exit(ran.code)

    @cli.command()
    @for_scripts
    @click.argument("sizes", nargs=-1, type=click.IntRange(1, 1_000_000))
    def costs(as_json: bool, sizes: tuple[int, ...]) -> None:
        """Compare the time of a page from Redis with one from MongoDB.

        SIZES are numbers of posts; the default is 100, 1000, 10000 and 100000.
        """
        ran = run_and_show("feed-costs", as_json, *map(str, sizes))
        heads = ("posts", "Redis ms", "MongoDB ms", "times")
        rows = []
        for cost in ran.answer["costs"]:
            redis, mongodb = cost["redis_ms"], cost["mongodb_ms"]
            rows.append((f"{cost['posts']:,}", f"{redis:.2f}", f"{mongodb:.2f}", f"{mongodb / redis:.1f}"))
        print_rows(console, heads, rows, right=heads, whole=heads)
        console.print(
            "Median time of a page of 20 posts, read by one client. Both databases were filled for this run."
        )

    @cli.command()
    @click.argument("number", type=click.IntRange(1, MOST_PARTITIONS))
    @for_scripts
    def partitions(number: int, as_json: bool) -> None:
        """Bring the topic posts-events to NUMBER partitions, while users write on."""
        ran = run_and_show("topic-grow", as_json, str(number))
        done = ran.answer
        if not done["grown"]:
            console.print(done["why"])
            sys.exit(ran.code)
        if done["before"] == done["after"] and not done["paused_seconds"]:
            console.print(f"The topic has {number} partitions already. Nothing was changed.")
            return
        console.print(
            f"The topic had {done['before']} and has {done['after']} partitions now. For"
            f" {done['paused_seconds']:.1f} s no event was published; they waited in the outbox."
            " More projectors and relays share the work now. Next: ./lab lag"
        )

    @cli.command()
    @for_scripts
    def lag(as_json: bool) -> None:
        """Show how far the feed is behind, and the counts of all events."""
        try:
            url = f"{backend.endpoints()['feed']}/api/activity-stream/stats"
            stats = local_http.get(url, timeout=5).raise_for_status().json()
        except httpx.HTTPError as error:
            why = shortened(f"{type(error).__name__}: {error}", 160)
            raise LabError(
                f"The service feed does not report its lag ({why}). See why: ./lab status"
            ) from error
        except ValueError as error:
            raise LabError("The answer of feed is not JSON. See why: ./lab logs feed") from error
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
        if each := stats.get("partitions"):
            heads = ("partition", "next offset", "events behind", "seconds behind")
            rows = [
                (str(n), *(_known(one[key]) for key in ("next_offset", "lag_events", "lag_seconds")))
                for n, one in enumerate(each)
            ]
            print_rows(console, heads, rows, right=heads, whole=heads)


def _known(number: float | None) -> str:
    """Return a number as a table shows it; "-" for one that is not known."""
    return "-" if number is None else f"{number:.1f}" if isinstance(number, float) else str(number)


def _why_unknown(backend: Backend) -> str:
    """Return why the feed cannot measure its lag: Kafka does not answer, or a topic is missing or wrong."""
    from lab.health.examine import UNREACHED
    from lab.health.topics import look

    try:
        wrong = [finding for finding in look(backend) if finding.remedy]
    except UNREACHED:
        return "Kafka does not answer; see ./lab status"
    return f"{wrong[0].seen}; {wrong[0].remedy}" if wrong else "Kafka answers again; run ./lab lag once more"
