"""Faults on demand: `catalog` declares each fault once, and a `guardian` process ends it in time."""
