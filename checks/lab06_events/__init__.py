"""The checks of lab 06, which test_06_events.py lists in their order."""
