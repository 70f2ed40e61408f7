"""Put the learner's code in place at the start of a process, and keep the process useful."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from civildiy.course_runtime import guards
from civildiy.course_runtime.finder import LearnerFinder, learner_code, learner_files
from civildiy.course_runtime.incidents import Incidents, open_report

MISTAKES = (TypeError, AttributeError, NameError, ImportError)
"""The errors of the platform's code when the learner's module lacks what it calls. A server that is down
causes other errors; a process that ends because of them is started again."""

_watch: guards.Watch | None = None
_incidents: Incidents | None = None


def prepare(unit: str, *, blocked_ends: bool, stays: bool = True) -> None:
    """Install the finder, limits and watches if `unit` must run learner's files; else only report that none
    run.

    `blocked_ends`: code that blocks the main thread makes the process start again as soon as the file
    changes, because a service cannot answer meanwhile. Otherwise it is only reported, because a worker may
    wait. `stays` is false for a tool, which ends by itself and neither reloads nor waits.
    """
    global _watch, _incidents  # one process, one learner
    code = learner_code(unit)
    files = learner_files(code)
    report = open_report(os.environ.get("LAB_CODE_REPORTS", ""), unit) if stays else None
    _incidents = Incidents(files, report)
    told = (code, lambda: learner_code(unit))
    watch = guards.Watch(files, _incidents, told, blocked_ends=blocked_ends)
    if files:
        guards.limit_resources()  # first: this also makes room in a full log
    _incidents.started(watch.loaded)
    if files:
        guards.report_errors(_incidents)
        guards.tie_children()
        sys.meta_path.insert(0, LearnerFinder(files, _incidents.unusable))
    elif "LAB_CODE_SETTINGS" in os.environ:
        guards.lift_limits()
    else:
        return  # this process cannot be told to run other files
    if stays:
        _watch = watch
        watch.start()


@contextmanager
def reported() -> Iterator[None]:
    """Report the error that ends the program. When it came from the learner's code, wait for a change of it.

    The process waits and does not end, since a supervisor would start the same failing code again and again.
    """
    try:
        yield
    except BaseException as error:
        noted = _incidents is not None and _incidents.raised(error)
        if _incidents is not None and not noted and isinstance(error, MISTAKES):
            noted = _incidents.beside(error)
        if not noted or _watch is None:
            raise
        sys.excepthook(type(error), error, error.__traceback__)
        _watch.wait_for_change()
