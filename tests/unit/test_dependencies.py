"""Dependencies point one way: services to contracts, operations to services, ./lab to civildiy
and checks to ./lab.

docs/architecture.md draws the picture that these tests keep true.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from lab.home import REPO
from lab.topology import SERVICES

CHECKS = ("grading", *(folder.name for folder in sorted((REPO / "checks").glob("lab[0-9][0-9]_*"))))
ROOTS = {
    "civildiy": REPO / "platform",
    "lab": REPO / "platform",
    **dict.fromkeys(CHECKS, REPO / "checks"),
}

MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    "civildiy.chassis": (),
    "civildiy.contracts": ("civildiy.chassis",),
    **{f"civildiy.{service}": ("civildiy.chassis", "civildiy.contracts") for service in SERVICES},
    "civildiy.operations": (
        "civildiy.chassis",
        "civildiy.contracts",
        *(f"civildiy.{service}" for service in SERVICES),
    ),
    "civildiy.provision": ("civildiy.chassis", "civildiy.contracts"),
    # It runs before anything else is imported, and it finds modules by their names in exercise.toml.
    "civildiy.course_runtime": (),
    "lab": ("civildiy",),
}
"""What the modules of each package may import beside their own package. The rest is refused."""

CHECKS_MAY_IMPORT = (
    "civildiy",  # the modules that a learner writes, and what these are called with
    "lab.probes",
    # Which lab and which step is judged, whose code runs, and where the system is.
    "lab.course.exercise",
    "lab.course.outcome",
    "lab.course.partitions",
    "lab.course.running",
    "lab.course.steps",
    "lab.backends.choice",
    "lab.backends.protocol",
    "lab.deadlines",
    "lab.environment",
    "lab.errors",
    "lab.home",
    "lab.topology",
    # Lab 09: what the collectors have, the logs of a trace, and a fault that the check starts itself.
    "lab.course.options",
    "lab.traces",
    "lab.slo.metrics",
    "lab.faults",
)
"""What a check may import beside the checks: how to look at the system, never how ./lab works inside."""


@cache
def modules(package: str) -> Mapping[str, Path]:
    """Name and file of each module below `package`, such as 'civildiy.posts'."""
    root = ROOTS[package.split(".")[0]]
    return {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
        for file in sorted((root / package.replace(".", "/")).rglob("*.py"))
    }


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Modules of ours that a file imports, also inside functions, and the line."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import name`: the name may be a module.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name.split(".")[0] in ROOTS)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    allowed = (package, *MAY_IMPORT[package])
    refused = [
        f"{file.relative_to(REPO)}:{line} imports {name}"
        for file in modules(package).values()
        for name, line in imports(file)
        if not any(inside(name, one) or name == one.split(".")[0] for one in allowed)
    ]
    assert refused == []


def test_every_package_of_the_platform_has_a_rule() -> None:
    packages = {".".join(name.split(".")[:2]) for name in modules("civildiy")}
    assert packages - {"civildiy", "civildiy.__main__"} == {n for n in MAY_IMPORT if inside(n, "civildiy")}


def test_checks_look_at_the_system_through_probes() -> None:
    allowed = (*CHECKS, *CHECKS_MAY_IMPORT)
    refused = [
        f"{file.relative_to(REPO)}:{line} imports {name}"
        for package in CHECKS
        for file in modules(package).values()
        for name, line in imports(file)
        # `from lab.course import steps` names the package first, then the module.
        if not any(inside(name, each) or inside(each, name) for each in allowed)
    ]
    assert refused == []


def test_a_starter_imports_only_what_runs_in_production() -> None:
    starters = sorted((REPO / "labs").glob("[0-9][0-9]-*/*.py"))
    assert len(starters) >= 8
    refused = [
        f"{file.relative_to(REPO)}:{line} imports {name}"
        for file in starters
        for name, line in imports(file)
        if not inside(name, "civildiy")
    ]
    assert refused == []


def needs(packages: Iterable[str], *, depth: int | None = None) -> dict[str, set[str]]:
    """What each module imports, also inside functions; with `depth`, what each package of that depth imports.

    A package's __init__ is loaded before its modules, so no module waits for its own package. An entry point
    (`__main__`) is imported by nothing, so it closes no circle.
    """
    found: dict[str, set[str]] = {}
    known = {name: file for package in packages for name, file in modules(package).items()}
    for name, file in known.items():
        if name.endswith(".__main__"):
            continue
        for target in {target for target, _ in imports(file)} & known.keys():
            if not inside(name, target):
                ends = (name, target) if depth is None else (_folder(name, depth), _folder(target, depth))
                found.setdefault(ends[0], set()).update({ends[1]} - {ends[0]})
    return found


def _folder(name: str, depth: int) -> str:
    return ".".join(name.split(".")[:depth])


@pytest.mark.parametrize("packages", [("civildiy",), ("lab",), CHECKS], ids=["civildiy", "lab", "checks"])
def test_no_circles_between_modules(packages: tuple[str, ...]) -> None:
    assert circle(needs(packages)) == []


@pytest.mark.parametrize(("package", "depth"), [("civildiy", 2), ("civildiy.chassis", 3), ("lab", 2)])
def test_no_circles_between_packages(package: str, depth: int) -> None:
    assert circle(needs((package,), depth=depth)) == []


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return one circle, first module again at the end; [] when there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for found in sorted(graph.get(name, ())):
            if ring := visit(found, [*path, name]):
                return ring
        done.add(name)
        return []

    return next((ring for name in sorted(graph) if (ring := visit(name, []))), [])


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b"}, "b": set()}) == []


def test_the_chassis_names_no_service() -> None:
    """What all services share knows none of them: a path of one of them in its code is a dependency."""
    paths = tuple(f"/api/{path}" for path in ("auth", "profile", "posts", "activity-stream"))
    found = [
        f"{file.relative_to(REPO)}:{node.lineno} {node.value!r}"
        for file in modules("civildiy.chassis").values()
        for node in ast.walk(_without_docstrings(ast.parse(file.read_text(encoding="utf-8"))))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(paths)
    ]
    assert found == []


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                part
                for part in body
                if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
    return tree
