"""The checks of lab 07, which test_07_feeds.py lists in their order."""
