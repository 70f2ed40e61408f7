"""Show a prediction as radio buttons in JupyterLab. No network is needed."""

from collections.abc import Mapping
from typing import Any, Protocol

import ipywidgets

from lab.text import as_html


class Asked(Protocol):
    """What the buttons need to know of a prediction, and what a click calls."""

    question: str
    mine: str
    locked: bool

    @property
    def choices(self) -> Mapping[str, str]:
        """The texts of the choices, by letter."""

    def choose(self, letter: str) -> None:
        """Answer with this letter."""


class Radio:
    """The radio buttons of one prediction. A click on a choice answers it."""

    def __init__(self, prediction: Asked) -> None:
        self._prediction = prediction
        self._question = ipywidgets.HTML(f"<strong>{as_html(prediction.question)}</strong>")
        self._choices = ipywidgets.RadioButtons(
            options=[(f"{letter}: {text}", letter) for letter, text in prediction.choices.items()],
            value=prediction.mine or None,
            layout=ipywidgets.Layout(width="auto"),
        )
        self._state = ipywidgets.HTML()
        self.box = ipywidgets.VBox([self._question, self._choices, self._state])
        self._choices.observe(self._clicked, names="value")
        self.refresh()

    def bundle(self) -> dict[str, Any]:
        """Return the entry of a cell's output that shows the widgets."""
        kind = "application/vnd.jupyter.widget-view+json"
        return {kind: self.box._repr_mimebundle_()[kind]}

    def refresh(self) -> None:
        """Show the prediction as it is now."""
        now = self._prediction
        self._choices.value = now.mine or None
        self._choices.disabled = now.locked
        if now.locked:
            state = f"Your answer is {now.mine}. You have seen the outcome, so it cannot change any more."
        elif now.mine:
            state = f"Your answer is {now.mine}. You can change it until you compare it with what happened."
        else:
            state = "Choose an answer, then run the next cell."
        self._state.value = f'<span role="status">{state}</span>'

    def _clicked(self, change: dict[str, Any]) -> None:
        if change["new"] and change["new"] != self._prediction.mine:
            self._prediction.choose(change["new"])
