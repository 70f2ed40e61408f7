"""The workflows, the update settings and the development container do what the documents promise."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPO = Path(__file__).parents[2]
WORKFLOWS = sorted((REPO / ".github" / "workflows").glob("*.yaml"))
COMPOSE = REPO / ".github" / "workflows" / "compose.yaml"
OVERLAYS = REPO / "platform" / "deployment" / "compose"
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def workflow(file: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(file.read_text())
    return found


def steps(file: Path, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow(file)["jobs"][job]["steps"]
    return found


def commands(file: Path, job: str) -> str:
    return "\n".join(step.get("run", "") for step in steps(file, job))


def test_there_are_two() -> None:
    assert [file.stem for file in WORKFLOWS] == ["compose", "lint"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_pinned_and_may_only_read(file: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in file.read_text().splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.search(line)] == []
    found = workflow(file)
    assert found["permissions"] == {"contents": "read"}
    assert {"push", "pull_request"} <= set(found[True])  # YAML 1.1 reads `on` as true
    assert all(job["timeout-minutes"] <= 90 for job in found["jobs"].values())


def test_the_system_runs_on_both_processors_and_weekly() -> None:
    found = workflow(COMPOSE)
    assert found["jobs"]["system"]["strategy"]["matrix"]["machine"] == ["ubuntu-latest", "ubuntu-24.04-arm"]
    (schedule,) = found[True]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule["cron"])


def test_the_system_is_started_as_a_learner_starts_it() -> None:
    said = commands(COMPOSE, "system")
    order = ["newest_patches.py", "docker compose pull --ignore-buildable", "docker compose build",
             "docker compose up --detach --wait", "--no-restarts", "pytest tests/live", "pytest checks",
             "./lab up --with observability", "pytest tests/observability",
             "deaths.py civildiy oom.log"]  # fmt: skip
    places = [said.index(part) for part in order[:-1]] + [said.rindex(order[-1])]
    assert places == sorted(places)
    newest = next(step for step in steps(COMPOSE, "system") if "newest_patches" in step.get("run", ""))
    assert "schedule" in newest["if"]
    last = [step for step in steps(COMPOSE, "system") if "deaths.py" in step.get("run", "")][-1]
    assert last["if"] == "always()"


def test_only_tests_for_the_native_backend_are_left_out() -> None:
    module = ast.parse((REPO / "tests" / "compose" / "test_on_compose.py").read_text())
    (native,) = (
        ast.literal_eval(node.value) for node in module.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NATIVE_ONLY"
    )  # fmt: skip
    ignored = re.findall(r"--ignore tests/live/test_(\w+)\.py", commands(COMPOSE, "system"))
    assert set(ignored) == native


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_what_the_commands_name_exists(file: Path) -> None:
    for job in workflow(file)["jobs"]:
        for path in re.findall(r"(?:\./lab|(?:\.github|tests|platform)/[\w./-]+)", commands(file, job)):
            assert (REPO / path).exists(), path


def test_lint_runs_every_tool() -> None:
    said = commands(REPO / ".github" / "workflows" / "lint.yaml", "lint")
    for tool in ("ruff check .", "ruff format --check .", "-m mypy", "actionlint"):
        assert tool in said


def test_updates_cover_images_packages_and_actions() -> None:
    found = json.loads((REPO / ".github" / "renovate.json").read_text())
    assert set(found["enabledManagers"]) == {
        "docker-compose", "dockerfile", "pip_requirements", "github-actions", "devcontainer"
    }  # fmt: skip
    # The manager itself knows files whose name begins with `compose` or `docker-compose` only.
    (pattern,) = found["docker-compose"]["managerFilePatterns"]
    for file in OVERLAYS.glob("*.yaml"):
        assert re.search(pattern.strip("/"), str(file.relative_to(REPO)))
    (pattern,) = found["pip_requirements"]["managerFilePatterns"]
    for lock in (REPO / "requirements").glob("*.lock"):
        assert re.search(pattern.strip("/"), f"requirements/{lock.name}")


def test_the_development_container_has_an_engine_ports_and_memory() -> None:
    text = (REPO / ".devcontainer" / "devcontainer.json").read_text()
    found = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    assert any("docker-in-docker" in feature for feature in found["features"])
    published = {int(port) for port in re.findall(r"LAB_PORT_\w+:-(\d+)\}:\d+\"",
                                                  (REPO / "docker-compose.yml").read_text())}  # fmt: skip
    assert set(found["forwardPorts"]) == published
    assert set(map(int, found["portsAttributes"])) == published
    assert found["hostRequirements"]["memory"] == "8gb"
    python = re.search(r"FROM python:(\d+\.\d+)", (REPO / "platform/deployment/Dockerfile").read_text())
    assert python is not None
    assert found["image"].startswith(f"python:{python[1]}-")
    for step in ("onCreateCommand", "postCreateCommand"):
        assert found[step].startswith("./lab ")
