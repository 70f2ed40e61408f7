"""Check whether the running system matches its configuration: one module for each subject.

`./lab status`, `./lab doctor` and `./lab hint` print the findings. `./lab up` creates again what is missing.
"""
