"""Brings the servers of the native backend onto this machine, once."""
