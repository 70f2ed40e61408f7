"""Where the system runs: native processes, Docker Compose, or this very container."""
