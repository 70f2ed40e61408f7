"""Checks whether the running system does what it was told: one module for each subject.

`./lab status`, `./lab doctor` and `./lab hint` print the findings. `./lab up` sets up again what is gone.
"""
