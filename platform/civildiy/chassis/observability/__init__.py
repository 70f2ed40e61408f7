"""The signals by which a process is observed: logs, metrics, traces, health."""
