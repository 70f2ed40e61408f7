"""Measure the running system beside references from the same minutes.

All runs of one round follow each other, and the rounds are repeated. Noise on the machine then disturbs
one round instead of one side of a comparison. Ratios are computed inside a round; the medians of all rounds
are shown.
"""
