"""The backend without a container engine: the same servers as processes of this machine."""
