"""How to look at the running system from outside, shared by ./lab, the checks and the tests."""
