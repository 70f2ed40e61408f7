"""List the checks in a lab's file."""

import ast
from pathlib import Path


def listed(file: Path) -> list[str]:
    """Return the names of the checks that pytest finds in this file, in their order."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = (name.name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names)
    return [name for name in imported if name.startswith("test_")]
