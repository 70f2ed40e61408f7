"""Whose code the running system uses, step by step."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.course import running, steps
from lab.home import Home


def print_code(home: Home, console: Console) -> None:
    """A row for each step of each lab that is started; nothing when none is."""
    table = Table(box=None, pad_edge=False)
    for column in ("lab", "step", "runs"):
        table.add_column(column)
    for lab in running.active(home):
        for step in steps.steps_of(lab, running.running_files(home, lab)):
            table.add_row(lab.number, f"{step.number} {step.title}", Text(said(step)))
    if table.row_count:
        console.print()
        console.print(table)


def said(step: steps.Step) -> str:
    """Whose code runs for a step, and why when it is not the learner's."""
    if step.state is steps.State.BROKEN:
        return f"{step.runs}, yours cannot run: {step.why}"
    return step.runs
