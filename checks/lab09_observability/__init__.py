"""Lab 09: metrics, spans, contexts, sampling, objectives, and a fault to find."""
