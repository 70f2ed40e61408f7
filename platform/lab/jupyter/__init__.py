"""JupyterLab as the course brings it: its command, its kernel, its server extension, its settings."""
