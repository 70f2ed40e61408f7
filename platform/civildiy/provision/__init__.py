"""Set-up of the servers, run once at each start: replica set, roles, databases, topics. Idempotent."""
