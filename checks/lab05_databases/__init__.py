"""The checks of lab 05, which test_05_databases.py lists in their order."""
