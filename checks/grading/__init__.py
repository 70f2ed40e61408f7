"""Shared by all checks: outcomes, users, waiting, and the state of the system around a check."""
