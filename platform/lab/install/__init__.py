"""Install the native backend's servers on this machine, once."""
