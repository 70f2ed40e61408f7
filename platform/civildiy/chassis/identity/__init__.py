"""Who sends a request, as the gateway reports it."""
