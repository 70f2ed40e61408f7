"""The checks of lab 04, which test_04_auth.py lists in their order."""
