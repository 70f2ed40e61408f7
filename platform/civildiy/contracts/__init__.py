"""What crosses a service's border. Services depend on contracts, never on each other."""
