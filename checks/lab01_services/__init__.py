"""The checks of lab 01, which test_01_services.py lists in their order."""
