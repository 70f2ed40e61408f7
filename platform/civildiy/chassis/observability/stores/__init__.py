"""Spans around the drivers' calls, one module per driver; imported only while telemetry is on."""
