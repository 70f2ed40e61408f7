"""The backend for Linux without a container engine: the same servers run as processes of this machine."""
