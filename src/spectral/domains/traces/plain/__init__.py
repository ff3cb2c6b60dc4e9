"""Traces that do not come over OTLP: plain JSON, and files that were exported."""
