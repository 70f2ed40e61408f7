"""The code that every service shares: settings, errors, identity, discovery, HTTP rules and start-up."""
