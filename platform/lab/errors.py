"""Errors that the user of ./lab can fix."""


class LabError(Exception):
    """An error whose text says what is wrong and what to do next; ./lab prints no traceback for it."""


class NotFromHere(LabError):
    """Raised when JupyterLab's container cannot do this; the text says what to type outside the container."""


class NotWithThisEngine(NotFromHere):
    """Raised when the engine, or the way in which it was started, cannot do this; `next` says what to do."""

    def __init__(self, why: str, next: str) -> None:
        super().__init__(why)
        self.next = next
