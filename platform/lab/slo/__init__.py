"""Objectives of the running system: their rules for vmalert, and what is left of each budget."""
