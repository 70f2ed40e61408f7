"""What every service shares: settings, errors, identity, discovery, routes, start-up."""
