"""The checks of lab 02, which test_02_discovery.py lists in their order."""
