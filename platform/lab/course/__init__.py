"""The labs: exercises, their starters, which code runs, hints, checks and reports."""
