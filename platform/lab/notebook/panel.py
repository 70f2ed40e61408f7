"""Show a lab's steps with buttons to start, check, hint and stop; outside JupyterLab, as a table."""

import threading
from collections.abc import Callable
from typing import Any

from lab.course import running, steps
from lab.course.exercise import exercise
from lab.course.record import Record
from lab.course.steps import State, Step
from lab.home import Home
from lab.jupyter import widgets
from lab.notebook import command
from lab.notebook.picture import Table
from lab.notebook.verdict import Verdict
from lab.text import as_html

SIGNS = {"pass": "✓", "fail": "✗", "not gradable": "?", "checking": "…"}


class Panel:
    """The steps of one lab as they are now. In JupyterLab, buttons run the commands of the lab."""

    def __init__(self, number: str, home: Home | None = None) -> None:
        self.lab = exercise(number)
        self.home = home or Home.from_environment()
        self._outcomes: dict[int, str] = {}
        self._drawn: Any = None

    def steps(self) -> list[Step]:
        """Return the lab's steps, from the files that run."""
        return steps.steps_of(self.lab, running.running_files(self.home, self.lab))

    def outcome(self, step: Step) -> str:
        """Return the outcome of a step in this check, or in the last one; "open" for a step without code."""
        if step.state is State.OPEN:
            return "open"
        known = Record(self.home).of(self.lab.number).get("steps", {})
        before = str(known.get(str(step.number), "not attempted"))  # written after that check
        return self._outcomes.get(step.number) or before.replace("not attempted", "not checked")

    def table(self) -> Table:
        """Return a table with one row for each step."""
        active = running.is_active(self.home, self.lab)
        rows = [
            (f"step {step.number}", step.title, self.outcome(step).upper(),
             step.runs if active else "the platform's code")
            for step in self.steps()
        ]  # fmt: skip
        number = self.lab.number
        do = f"%lab start {number}, %lab check {number}, %lab hint {number}, %lab stop {number}"
        return Table(f"Lab {number}: {self.lab.title}. {do}", ("", "", "outcome", "runs"), rows)

    def check(self, told: Callable[[str], object] = lambda html: None) -> str:
        """Judge each written step, one after the other; returns the verdicts as HTML.

        `told` gets the verdicts so far, before and after each step.
        """
        if not running.is_active(self.home, self.lab):
            return "The platform's own code runs. Click Start first, so that the system runs your code."
        found = ""
        written = [step for step in self.steps() if step.state is not State.OPEN]
        self._outcomes = {}
        for step in written:
            self._outcomes[step.number] = "checking"
            told(found)
            found += self._judge(step)
            told(found)
        if not written:
            gaps = steps.open_of(self.lab, self.steps())
            return as_html(f"Nothing is written yet. Begin: {min(gaps.values(), default='')}")
        return found or as_html(self._praise(written))

    def _judge(self, step: Step) -> str:
        """Judge one step and keep its outcome; returns what did not pass as HTML, '' when all did."""
        lines: list[str] = []
        code = command.run(["check", self.lab.number, "--step", str(step.number)], lines.append)
        verdict = Verdict.last(self.home, self.lab.number, code)
        self._outcomes[step.number] = verdict.outcome.lower() if verdict else "not gradable"
        if verdict is None:
            return f"<pre>{as_html(''.join(lines))}</pre>"
        return verdict.table._html() if code else ""

    def _praise(self, written: list[Step]) -> str:
        """Return the sentence for a check in which each written step passes."""
        if len(written) == len(self.lab.steps):
            return f"Lab {self.lab.number} is passed: each of its {len(written)} steps passes."
        left = ", ".join(str(step.number) for step in self.steps() if step.state is State.OPEN)
        return f"Each step that you have written passes. Still open: step {left}."

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        shown: dict[str, Any] = self.table()._repr_mimebundle_()
        if widgets.drawn():
            self._drawn = self._drawn or Buttons(self)
            shown |= self._drawn.bundle()
        return shown


class Buttons:
    """Draws a panel in JupyterLab. A command runs in a thread, so that the kernel stays free."""

    def __init__(self, panel: Panel) -> None:
        import ipywidgets  # only JupyterLab's kernels need it

        self._panel = panel
        self._steps, self._news = ipywidgets.HTML(), ipywidgets.HTML()
        actions: dict[str, tuple[str, Callable[[], str]]] = {
            "Start": ("The system runs your code", lambda: self._command("start")),
            "Check": ("Judge each step that you have written", lambda: panel.check(self._told)),
            "Hint": ("What the system shows of your code, and one more hint", lambda: self._command("hint")),
            "Stop": ("The system runs the platform's own code again", lambda: self._command("stop")),
        }
        self._buttons = []
        for label, (tip, act) in actions.items():
            button = ipywidgets.Button(description=label, tooltip=tip)
            button.on_click(lambda _, act=act: self._begin(act))
            self._buttons.append(button)
        self.box = ipywidgets.VBox([ipywidgets.HBox(self._buttons), self._steps, self._news])
        self.refresh()

    def bundle(self) -> dict[str, Any]:
        """Return the entry of a cell's output that shows the widgets."""
        kind = "application/vnd.jupyter.widget-view+json"
        return {kind: self.box._repr_mimebundle_()[kind]}

    def refresh(self) -> None:
        """Show the steps as they are now."""
        rows = []
        for step in self._panel.steps():
            outcome = self._panel.outcome(step)
            name = f"{SIGNS.get(outcome, '○')} Step {step.number} {as_html(step.title)}"
            rows.append(f"<li>{name} <strong>{as_html(outcome)}</strong></li>")
        title = f"Lab {self._panel.lab.number}: {self._panel.lab.title}"
        style = "list-style:none;padding:0;line-height:1.6"
        body = f'<strong>{as_html(title)}</strong><ul style="{style}">{"".join(rows)}</ul>'
        self._steps.value = f'<div role="status">{body}</div>'

    def _told(self, html: str) -> None:
        self._news.value = html or "Working …"
        self.refresh()

    def _begin(self, act: Callable[[], str]) -> threading.Thread:
        for button in self._buttons:
            button.disabled = True
        self._news.value = "Working …"
        thread = threading.Thread(target=self._act, args=(act,), daemon=True)
        thread.start()
        return thread

    def _act(self, act: Callable[[], str]) -> None:
        try:
            self._news.value = act()
        except Exception as error:  # a traceback of a thread would not be shown
            message = f"The command failed: {type(error).__name__}: {error}."
            self._news.value = as_html(f"{message} See the state of the system: ./lab status")
        finally:
            self.refresh()
            for button in self._buttons:
                button.disabled = False

    def _command(self, word: str) -> str:
        lines: list[str] = []
        command.run([word, self._panel.lab.number], lines.append)
        return f'<pre style="white-space:pre-wrap">{as_html("".join(lines))}</pre>'


def panel(number: str) -> Panel:
    """Return the steps and the buttons of a lab: `panel("07")`. Raises LabError for an unknown lab."""
    return Panel(number)
