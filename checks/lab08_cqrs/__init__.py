"""The checks of lab 08, which test_08_cqrs.py lists in their order."""
