"""The checks of lab 03, which test_03_gateway.py lists in their order."""
