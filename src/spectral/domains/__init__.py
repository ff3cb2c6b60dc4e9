"""The domains, in the order of `ADR/0002`: each may call the services of those before it."""
