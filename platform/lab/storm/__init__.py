"""A storm: faults at seeded times under a load of writes and reads, and a verdict about invariants."""
