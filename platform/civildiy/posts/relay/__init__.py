"""The relay: the worker that publishes the events waiting in the outbox."""
