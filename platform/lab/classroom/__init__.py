"""A class of learners: hand in, judge, and see together where everybody is."""
