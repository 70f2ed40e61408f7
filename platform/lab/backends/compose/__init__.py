"""The backend for machines with a container engine: Docker Compose runs the servers' official images."""
