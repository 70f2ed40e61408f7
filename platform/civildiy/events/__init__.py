"""The event envelope, its schemas and its versions."""
