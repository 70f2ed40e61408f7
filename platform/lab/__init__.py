"""The workshop's tools: they install, run, look at and test the system in `civildiy`."""
