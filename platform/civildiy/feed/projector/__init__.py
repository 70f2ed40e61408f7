"""The feed projector: the worker that turns events into the view in Redis."""
