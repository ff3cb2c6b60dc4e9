"""Durable workflows: definitions, runs, and the engine that carries both."""
