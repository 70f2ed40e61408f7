"""Read traces from the collector, draw them, and compare them with the topology."""
