"""Measurements against a real server, started for them: `make bench`."""
