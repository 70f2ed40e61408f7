"""`./lab up --with`: without it nothing is added, and both backends add the same."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import options, topology
from lab.backends.compose import overlays
from lab.backends.native import network, optional, processes
from lab.home import RECIPES, Home
from lab.install import optional as installed
from lab.install.pins import pins
from lab.install.servers import ServerPaths

OVERLAY: dict[str, Any] = yaml.safe_load((overlays.OVERLAYS / "observability.yaml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = OVERLAY["services"]
IMAGES: dict[str, str] = tomllib.loads((RECIPES / "versions.toml").read_text())["optional_image"]
ADDED = ("OTEL_", "TRACE_RATIO", "METRICS_ADDRESS", "TRAEFIK_TRACING", "TRAEFIK_METRICS")


def written(home: Home, chosen: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """Return the supervisor's processes and the text of all scripts, as `up` writes them."""
    nowhere = Path("/nowhere")
    paths = ServerPaths(*(nowhere,) * 5, None, *(nowhere,) * 3)
    secrets = dict.fromkeys(
        ("GATEWAY_SECRET", "AUTH_DB_PASSWORD", "PROFILE_DB_PASSWORD", "SIGNING_KEY_PASSPHRASE",
         "POSTGRES_SUPERUSER_PASSWORD"), "x" * 48,
    )  # fmt: skip
    values = network.variables() | secrets | {"KAFKA_LOG_DIRS": "/nowhere"}
    home.run.mkdir(parents=True)
    config = yaml.safe_load(processes.write(home, paths, values, chosen).read_text())
    found: dict[str, Any] = config["processes"]
    return found, "\n".join(script.read_text() for script in home.run.glob("*.sh"))


def test_without_an_option_nothing_is_added(tmp_path: Path) -> None:
    found, scripts = written(Home(tmp_path), ())
    assert not set(found) & set(topology.OPTIONAL)
    assert not [name for name in (*ADDED, "LOG_FORMAT") if name in scripts]


def test_observability_adds_servers_and_settings(tmp_path: Path) -> None:
    home = Home(tmp_path)
    found, scripts = written(home, ("observability",))
    assert set(topology.OPTIONAL) <= set(found)
    assert all(name in scripts for name in ADDED)
    relay = (home.run / "posts-relay.sh").read_text()
    assert f"METRICS_ADDRESS={network.host('posts-relay')}:9464" in relay
    assert "METRICS_ADDRESS" not in (home.run / "posts-relay-2.sh").read_text()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in (home.run / "feed-tool.sh").read_text()


def test_a_server_waits_for_its_program(tmp_path: Path) -> None:
    home = Home(tmp_path)
    written(home, ("observability",))
    script = (home.run / "traces.sh").read_text()
    assert f"while [ ! -x {installed.programs(home)['traces']} ]" in script


def test_json_logs_change_the_format_of_our_units_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    written(home, ("json-logs",))
    with_format = {script.stem for script in home.run.glob("*.sh") if "LOG_FORMAT" in script.read_text()}
    assert with_format == {*topology.OURS, *topology.SECONDS, "feed-tool"}


def test_an_option_is_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(options.VARIABLE, "observability,unknown")
    options.choose(["observability", "json-logs"])
    assert options.chosen() == ("observability", "json-logs")
    assert options.servers(["json-logs"]) == ()


def test_what_is_missing_is_a_list_of_modules(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert installed.missing(home, ()) == ()
    assert installed.missing(home, ("observability",)) == ("victoria-metrics", "jaeger")
    for program in installed.programs(home).values():
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()
    assert installed.missing(home, ("observability",)) == ()


def test_each_option_has_an_overlay() -> None:
    assert all((overlays.OVERLAYS / f"{option}.yaml").exists() for option in options.OPTIONS)
    added = overlays.files(None, False, ["observability"])
    assert overlays.files(None, False) == added[:-1]


def test_the_overlay_runs_the_pinned_images_at_the_same_addresses() -> None:
    servers = {name: CONTAINERS[name] for name in topology.OPTIONAL}
    assert {name: server["image"] for name, server in servers.items()} == IMAGES
    for name, server in servers.items():
        address = server["networks"]["default"]["ipv4_address"]
        assert address.rpartition(".")[2] == str(topology.OPTIONAL[name].address)
        assert server["mem_limit"]
        port = topology.OPTIONAL[name].port
        assert server["ports"] == [f"127.0.0.1:${{LAB_PORT_{name.upper()}:-{port}}}:{port}"]
    module = pins().go["victoria-metrics"].version
    assert {image.rpartition(":")[2] for name, image in IMAGES.items() if name != "traces"} == {module}


def test_both_backends_give_the_servers_the_same_options(tmp_path: Path) -> None:
    native = optional.commands(Home(tmp_path), ("observability",))

    def names(words: list[str]) -> set[str]:
        return {word.partition("=")[0] for word in words if word.startswith("-")}

    assert {name: names(command[1:]) for name, command in native.items()} == {
        name: names(CONTAINERS[name]["command"]) for name in topology.OPTIONAL
    }


def test_the_overlay_switches_every_unit_of_ours_on() -> None:
    for unit in (*topology.OURS, *topology.SECONDS, "feed-tool"):
        assert CONTAINERS[unit]["env_file"] == ["platform/deployment/settings/observability.env"]
    for worker, (_, port) in topology.SCRAPED.items():
        assert CONTAINERS[worker]["environment"] == {"METRICS_ADDRESS": f"0.0.0.0:{port}"}
    assert set(topology.SCRAPED) == set(topology.WORKERS)


def test_no_address_is_used_twice() -> None:
    used = [
        *topology.addresses().values(),
        *(server.address for server in topology.OPTIONAL.values()),
        *(address for address, _ in topology.SCRAPED.values()),
    ]
    assert len(used) == len(set(used))
