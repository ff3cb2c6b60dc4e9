"""The agent's tool: the shop's order system, as far as an agent may look into it."""

import re
import zlib

NUMBER = re.compile(r"\bH-\d{5}\b")
STATES = ("being packed", "on its way", "delivered", "returned")


def order_in(text: str) -> str | None:
    """The number of the first order that a text names."""
    found = NUMBER.search(text)
    return None if found is None else found[0]


def look_up(order: str) -> str:
    """Where an order stands. This shop is invented, and so is what it answers: always the same for the same number."""
    return STATES[zlib.crc32(order.encode()) % len(STATES)]
