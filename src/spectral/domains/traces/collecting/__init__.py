"""Samples made of traces."""
