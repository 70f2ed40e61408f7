"""How a service finds and is found: Consul registration and the gateway's rules."""
