"""The processes of the native backend: one shell script for each, and the supervisor's configuration."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from lab import topology
from lab.backends import overrides
from lab.backends.native import network, optional, postgresql
from lab.backends.settings import read
from lab.home import PLATFORM, REPO, Home
from lab.install import kafka
from lab.install.servers import ServerPaths
from lab.topology import SECONDS, SERVICES, STORES

OURS = (*topology.TASKS, *topology.OURS)
TOOL = "feed-tool"
"""Not a unit, but the settings and the script that run the feed's tools."""
TOOL_RUNS_CODE_OF = "feed"


NEVER = 1_000_000_000
"""Failed probes in a row that end a process for good. A learner's /health may fail for hours."""


def as_group(home: Home, unit: str) -> list[str]:
    """Return the prefix that gives the unit a group of its own; the packet filter selects packets by it."""
    # PostgreSQL changes its user and group by itself; provision is not a unit that faults can hit.
    if os.geteuid() != 0 or unit in ("postgresql", "provision", *topology.OPTIONAL):
        return []
    return ["setpriv", "--regid", str(network.group(home, unit)), "--keep-groups"]


def commands(home: Home, paths: ServerPaths, values: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the command of each process."""
    data, python = home.data, [sys.executable, "-P", "-m"]
    inner = f"{network.BASE}.{topology.addresses()['consul']}"
    jars = paths.kafka_jars
    archive = [f"-XX:SharedArchiveFile={paths.kafka_archive}"] if paths.kafka_archive else []
    return {
        "postgresql": [
            *postgresql.as_owner(network.group(home, "postgresql")), f"{paths.postgresql_bin}/postgres",
            "-D", f"{postgresql.data_folder(home)}", "-h", values["HOST_POSTGRESQL"],
            "-p", values["PORT_POSTGRESQL"], "-c", "unix_socket_directories=",
            "-c", "shared_buffers=32MB", "-c", "max_connections=60",
        ],
        "mongodb": [
            f"{paths.mongod}", "--dbpath", f"{data}/mongodb", "--bind_ip", values["HOST_MONGODB"],
            "--port", values["PORT_MONGODB"], "--replSet", "rs0",
            "--wiredTigerEngineConfigString", "cache_size=96M", "--oplogSize", "200",
            "--setParameter", "ttlMonitorSleepSecs=1", "--nounixsocket",
        ],
        "redis": [
            f"{paths.redis_server}", "--bind", values["HOST_REDIS"], "--port", values["PORT_REDIS"],
            "--dir", f"{data}/redis", "--appendonly", "yes", "--save", "", "--protected-mode", "no",
            "--maxmemory", "36mb",
        ],
        "kafka": [
            f"{paths.java}", *kafka.java_options(), *archive, "-cp", f"{jars}/*", "kafka.Kafka",
            f"{home.run}/server.properties",
        ],
        "consul": [
            f"{paths.consul}", "agent", "-server", "-ui", "-bootstrap-expect=1", "-node=lab",
            f"-bind={inner}", f"-advertise={inner}", f"-client={network.front()}",
            f"-http-port={values['PORT_CONSUL']}", "-dns-port=-1", "-grpc-port=-1",
            "-grpc-tls-port=-1", f"-data-dir={data}/consul", "-disable-host-node-id",
            "-hcl", "performance { raft_multiplier = 1 }", "-hcl", "disable_update_check = true",
        ],
        "traefik": [f"{paths.traefik}"],
        **{name: [*python, "civildiy", name] for name in OURS},
        **{name: [*python, "civildiy", name.removesuffix(topology.SECOND)] for name in SECONDS},
    }  # fmt: skip


def _environment(name: str, values: Mapping[str, str], chosen: tuple[str, ...]) -> dict[str, str]:
    first = name.removesuffix(topology.SECOND)
    common = read("common", values) if first in SERVICES else {}
    settings = common | (read(first, values) if first in ("traefik", TOOL, *OURS) else {})
    if name in SECONDS:
        settings |= {"SERVICE_HOST": network.host(name)} if first in SERVICES else {}
        settings |= {owner: name for owner in ("RELAY_ID", "PROJECTOR_ID") if owner in settings}
    settings |= optional.environment(name, chosen, values)
    if first not in (TOOL, *OURS):
        return settings
    code = {"PYTHONPATH": str(PLATFORM), "PYTHONUNBUFFERED": "1", "LAB_CODE_FOLDER": str(REPO / "labs")}
    return settings | code


def _probe(name: str, values: Mapping[str, str]) -> dict[str, object]:
    """Return the probe by which the supervisor knows that a process is ready."""
    at = {
        "consul": (network.front(), values["PORT_CONSUL"]),
        "traefik": (network.front(), str(network.port("dashboard"))),
        **{
            n: (network.host(n), values["PORT_SERVICES"])
            for n in (*SERVICES, *SECONDS)
            if topology.first(n) in SERVICES
        },
    }
    timing = {"period_seconds": 2, "timeout_seconds": 2, "failure_threshold": NEVER}
    if name in topology.OPTIONAL:
        host, port, path = optional.probe(name)
        get = {"host": host, "port": port, "path": path, "scheme": "http"}
        return {"readiness_probe": {"http_get": get, **timing}}
    if name in at:
        host, port = at[name]
        path = topology.health()[topology.first(name)]
        get = {"host": host, "port": port, "path": path, "scheme": "http"}
        return {"readiness_probe": {"http_get": get, **timing}}
    if name in STORES:
        address = f"{values[f'HOST_{name.upper()}']}/{values[f'PORT_{name.upper()}']}"
        return {"readiness_probe": {"exec": {"command": f"exec 3<>/dev/tcp/{address}"}, **timing}}
    return {}


NEEDS = {
    name: topology.needs(name) for name in (*topology.TASKS, *topology.UNITS, *topology.OPTIONAL, *SECONDS)
}
"""What each process needs. It starts after these, which need not be ready, and stops before them."""


OWN_END_SECONDS, SERVER_END_SECONDS = 6, 15
"""Seconds after SIGTERM until a unit is killed. A learner's endless loop does not react to SIGTERM."""


LAUNCHER = '${LAB_CONFINE:+"$LAB_CONFINE"} '
"""In a script, before a command that may run a learner's code: the program that limits it, if there is one.
`./lab class check` sets the variable."""


def _script(
    home: Home, name: str, code_of: str, settings: Mapping[str, str], command: str, program: str = ""
) -> Path:
    """Write the script that runs `command` with `settings` and the overrides of `code_of`.

    It waits for `program`, if one is given: `lab.install.optional` may still build it.
    """
    script = home.run / f"{name}.sh"
    script.touch(mode=0o600)
    override = shlex.quote(str(overrides.file(home, code_of)))
    exports = [f"export {k}={shlex.quote(v)}" for k, v in settings.items()]
    # Without SIGXFSZ, a file that may not grow is an error (EFBIG), not the end of the process.
    lines = ["# Written by ./lab up.", "trap '' XFSZ", *exports]
    lines += [f"if [ -f {override} ]; then set -a; . {override}; fi"]
    if program:
        lines += [f"while [ ! -x {shlex.quote(program)} ]; do sleep 1; done"]
    lines += [f"exec {command}", ""]
    script.write_text("\n".join(lines))
    return script


def write(home: Home, paths: ServerPaths, values: Mapping[str, str], chosen: tuple[str, ...] = ()) -> Path:
    """Write all scripts, Kafka's properties and the supervisor's configuration; return the last's path."""
    (home.run / "server.properties").write_text(kafka.properties_from(read("kafka", values)))
    _script(
        home, TOOL, TOOL_RUNS_CODE_OF, _environment(TOOL, values, chosen),
        LAUNCHER + shlex.join([sys.executable, "-P", "-m", "civildiy"]) + ' "$@"',
    )  # fmt: skip
    processes: dict[str, object] = {}
    every = commands(home, paths, values) | optional.commands(home, chosen)
    for name, command in every.items():
        work = home.run / "work" / name
        work.mkdir(parents=True, exist_ok=True)
        redirect = f" >> {shlex.quote(str(home.logs / name))}.log 2>&1"
        launcher = LAUNCHER if name.removesuffix(topology.SECOND) in topology.OURS else ""
        run = f"{shlex.join(as_group(home, name))} {launcher}{shlex.join(command)}{redirect}".strip()
        settings = _environment(name, values, chosen)
        built = command[0] if name in topology.OPTIONAL else ""
        script = _script(home, name, name.removesuffix(topology.SECOND), settings, run, built)
        once = name == "provision"
        processes[name] = {
            "command": f"exec sh {shlex.quote(str(script))}",
            "working_dir": str(work),
            "depends_on": {need: {"condition": "process_started"} for need in NEEDS.get(name, ())},
            "availability": {"restart": "on_failure" if once else "always", "backoff_seconds": 1},
            "disabled": name in SECONDS,
            "shutdown": {
                "signal": 2 if name == "postgresql" else 15,
                "timeout_seconds": OWN_END_SECONDS
                if name.removesuffix(topology.SECOND) in OURS
                else SERVER_END_SECONDS,
            },
            **_probe(name, values),
        }
    config = home.run / "process-compose.yaml"
    document = {
        "version": "0.5", "is_strict": True, "disable_env_expansion": True, "ordered_shutdown": True,
        "processes": processes,
    }  # fmt: skip
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    return config
