"""Print whose code the running system uses, step by step."""

from lab.course import running, steps
from lab.home import Home
from lab.terminal import Console, print_rows


def print_code(home: Home, console: Console) -> None:
    """Print a row for each step of each lab that is started; nothing when none is."""
    rows = [
        (lab.number, f"{step.number} {step.title}", said(step))
        for lab in running.active(home)
        for step in steps.steps_of(lab, running.running_files(home, lab))
    ]
    if rows:
        console.print()
        print_rows(console, ("lab", "step", "runs"), rows, whole=("lab",))


def said(step: steps.Step) -> str:
    """Return whose code runs for a step, and why it is not the learner's."""
    if step.state is steps.State.BROKEN:
        return f"{step.runs}, because yours cannot run: {step.why}"
    return step.runs
