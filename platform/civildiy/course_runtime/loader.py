"""Load a module from the learner's file, merged with the platform's own where a lab asks for parts of it."""

import __future__

import ast
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from civildiy.course_runtime import registrations
from civildiy.course_runtime.merge import Merge, Owner, Placed
from civildiy.course_runtime.starter import Task, starter_text

Unusable = Callable[[str, BaseException], None]
"""Told of a file that cannot be used, and why; the platform's module takes its place."""

ANNOTATIONS = __future__.annotations.compiler_flag


class FreshLoader(SourceFileLoader):
    """Compiles the source as it is now: two saves within a second would share a cached file."""

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        """The code object of the file's present text; raises what `parsed` raises."""
        try:
            return compile(parsed(self.path), self.path, "exec", dont_inherit=True)
        except (RecursionError, MemoryError) as error:
            raise _unreadable(self.path, error) from None


class MergingLoader(FreshLoader):
    """Takes what the learner changed from the learner's file, and all the rest from the platform's.

    `unusable` is told when the learner's file cannot be compiled or raises while it is imported: then the
    platform's module runs, so that the other files of the lab can still be tried. Without it, it raises.
    """

    def __init__(self, name: str, mine: Path, platform: Path, task: Task, unusable: Unusable | None) -> None:
        super().__init__(name, str(mine))
        self._mine, self._platform, self._task = str(mine), str(platform), task
        self._unusable = unusable

    def exec_module(self, module: ModuleType) -> None:
        """Run the merged module. Raises SyntaxError and ImportError for a file that cannot be used."""
        before, metrics = dict(module.__dict__), registrations.registered()
        try:
            for code in self._merged():
                exec(code, module.__dict__)  # noqa: S102 - this is what a loader does
        except BaseException as error:  # also KeyboardInterrupt and the like: the file may raise anything
            if self._unusable is None:
                raise
            self._unusable(self._mine, error)
            registrations.remove_new(metrics, module)
            module.__dict__.clear()
            module.__dict__.update(before)
            platform = compile(Path(self._platform).read_bytes(), self._platform, "exec")
            exec(platform, module.__dict__)  # noqa: S102

    def _merged(self) -> Iterator[CodeType]:
        """One code object for each statement, because a code object belongs to one file."""
        text = Path(self._platform).read_text(encoding="utf-8")
        starter = ast.parse(starter_text(text, self._task))
        mine = parsed(self._mine)
        try:
            merge = Merge(ast.parse(text), starter, mine)
            yield from [self._compiled(merge, placed, _flags(mine)) for placed in merge.statements]
        except SyntaxError as error:
            error.filename = error.filename or self._mine
            raise
        except (RecursionError, MemoryError, ValueError) as error:
            raise _unreadable(self._mine, error) from None

    def _compiled(self, merge: Merge, placed: Placed, flags: int) -> CodeType:
        mine = placed.owner is Owner.LEARNER
        code = compile(
            ast.Module([placed.node], []), self._file(placed.owner), "exec", flags if mine else 0,
            dont_inherit=True,
        )  # fmt: skip
        files = {name: self._file(owner) for name, owner in merge.owners.items()}
        return _in_files(code, files, code.co_filename) if mine else code

    def _file(self, owner: Owner) -> str:
        return self._mine if owner is Owner.LEARNER else self._platform


def parsed(file: str) -> ast.Module:
    """The syntax tree of a learner's file.

    Raises SyntaxError that names the file for whatever cannot be compiled (Python itself names none for
    a NUL byte), and ImportError for what cannot be read.
    """
    try:
        return ast.parse(Path(file).read_bytes(), file)
    except SyntaxError as error:
        error.filename = error.filename or file
        raise
    except (ValueError, RecursionError, MemoryError) as error:
        raise _unreadable(file, error) from None
    except OSError as error:
        raise ImportError(f"{error.strerror}", path=file) from error


def _unreadable(file: str, error: Exception) -> SyntaxError:
    return SyntaxError(f"{type(error).__name__}: {error}", (file, 1, 1, None))


def _in_files(code: CodeType, files: dict[str, str], file: str) -> CodeType:
    """The same code, with each function of a class in the file that it comes from."""
    constants = tuple(
        _in_files(value, files, files.get(value.co_qualname, file)) if isinstance(value, CodeType) else value
        for value in code.co_consts
    )
    return code.replace(co_filename=file, co_consts=constants)


def _flags(tree: ast.Module) -> int:
    """What the file's `from __future__` imports ask of the compiler."""
    asked = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom)
             and node.module == "__future__" for alias in node.names}  # fmt: skip
    return ANNOTATIONS if "annotations" in asked else 0
