"""Agents, their immutable config versions, what is live where, and who executes them."""
