"""Traces of agents: OTLP ingestion, storage and reading."""
