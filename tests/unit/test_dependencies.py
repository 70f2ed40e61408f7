"""Dependencies point one way: services to contracts, operations to services, ./lab to civildiy
and checks to ./lab.

docs/architecture.md draws the picture that these tests keep true.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from lab.home import REPO
from lab.topology import SERVICES

ROOTS = {"civildiy": REPO / "platform", "lab": REPO / "platform", "grading": REPO / "checks"}

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
    "grading": ("civildiy", "lab"),
}
"""What the modules of each package may import beside their own package. The rest is refused."""


@cache
def modules(package: str) -> Mapping[str, Path]:
    """Name and file of each module below `package`, such as 'civildiy.posts'."""
    root = ROOTS[package.split(".")[0]]
    return {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
        for file in sorted((root / package.replace(".", "/")).rglob("*.py"))
    }


def imports(file: Path, *, everywhere: bool) -> Iterator[tuple[str, int]]:
    """Modules of ours that a file imports, and the line; `everywhere`: inside functions as well."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else _while_loading(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import name`: the name may be a module.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name.split(".")[0] in ROOTS)


def _while_loading(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _while_loading(child)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    allowed = (package, *MAY_IMPORT[package])
    refused = [
        f"{file.relative_to(REPO)}:{line} imports {name}"
        for file in modules(package).values()
        for name, line in imports(file, everywhere=True)
        if not any(inside(name, one) or name == one.split(".")[0] for one in allowed)
    ]
    assert refused == []


def test_every_package_of_the_platform_has_a_rule() -> None:
    packages = {".".join(name.split(".")[:2]) for name in modules("civildiy")}
    assert packages - {"civildiy", "civildiy.__main__"} == {n for n in MAY_IMPORT if inside(n, "civildiy")}


@pytest.mark.parametrize("package", ["civildiy", "lab", "grading"])
def test_no_circles(package: str) -> None:
    """No module needs itself, whatever lies between, while it is loaded."""
    known = modules(package)
    needs = {
        name: {found for found, _ in imports(file, everywhere=False) if found in known} - {name}
        for name, file in known.items()
    }
    # A package's __init__ is loaded before its modules, so a module does not wait for it again.
    for name, found in needs.items():
        found -= {package for package in found if inside(name, package)}
    assert circle(needs) == []


def circle(needs: Mapping[str, set[str]]) -> list[str]:
    """Return one circle, first module again at the end; [] when there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for found in sorted(needs.get(name, ())):
            if ring := visit(found, [*path, name]):
                return ring
        done.add(name)
        return []

    return next((ring for name in sorted(needs) if (ring := visit(name, []))), [])


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
