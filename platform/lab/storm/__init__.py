"""A storm: faults by a seeded schedule, under a load of writes and reads, judged by invariants."""
