"""Runs as people and programs see them: starting, acting on, reading and watching them."""
