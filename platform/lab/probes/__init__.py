"""Observe the running system from outside; ./lab, the checks and the tests share these functions."""
