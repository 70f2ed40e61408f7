"""Errors that a person at the keyboard can do something about."""


class LabError(Exception):
    """The text says what is wrong and what to do next; no traceback is shown."""


class NotFromHere(LabError):
    """JupyterLab's container cannot do this; the text says what to type outside."""
