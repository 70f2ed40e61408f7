"""JupyterLab for the course: its kernel, its server extension and its settings."""
