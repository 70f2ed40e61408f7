"""The user who sends a request, as the gateway reports it."""
