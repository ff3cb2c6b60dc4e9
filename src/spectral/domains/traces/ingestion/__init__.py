"""Spans from a decoded request into the store: batches, chunks, rollups, writers."""
