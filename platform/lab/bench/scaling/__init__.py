"""How the system scales with partitions and replicas: measured here, and calculated for larger ones."""
