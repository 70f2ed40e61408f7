"""The script ./lab as a module."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType

from lab.home import REPO


def load() -> ModuleType:
    """Return the script as a module of its own."""
    loader = SourceFileLoader("lab_script", str(REPO / "lab"))
    spec = spec_from_loader("lab_script", loader)
    assert spec
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        module = module_from_spec(spec)
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module
