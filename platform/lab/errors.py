"""Errors that a person at the keyboard can do something about."""


class LabError(Exception):
    """The text says what is wrong and what to do next; no traceback is shown."""


class NotFromHere(LabError):
    """JupyterLab's container cannot do this; the text says what to type outside."""


class NotWithThisEngine(NotFromHere):
    """The engine keeps its containers where this machine cannot meet them; `next` says what to do."""

    def __init__(self, why: str, next: str) -> None:
        super().__init__(why)
        self.next = next
