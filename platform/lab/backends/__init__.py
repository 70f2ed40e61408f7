"""Where the system runs: as native processes, under Docker Compose, or seen from JupyterLab's container."""
