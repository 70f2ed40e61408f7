"""One module per driver, each with the settings that this system needs."""
