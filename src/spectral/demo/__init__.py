"""The demonstration: synthetic data, and the whole job through the public API."""
