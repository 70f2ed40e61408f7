"""Tools that read across services on purpose: verify, rebuild, redrive, costs."""
