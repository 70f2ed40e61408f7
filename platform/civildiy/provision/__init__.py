"""One-shot set-up of the servers: replica set, roles and databases, topics. Idempotent."""
