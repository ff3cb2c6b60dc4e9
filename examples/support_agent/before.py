"""The agent in production: one JSON object `{"ticket": text}` a line comes in, `{"intent": …}` goes out."""

import json
import sys

from sorting import sort_ticket
from tracing import set_up_tracing

provider = set_up_tracing()
INSTRUCTIONS = "Sort each ticket by what the customer wants."
SETTINGS = {"top_k": 1, "threshold": 0.3, "stemming": False}


def answer(ticket, instructions=INSTRUCTIONS, settings=SETTINGS, solved=()):
    return sort_ticket(ticket, instructions, settings, solved)


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps({"intent": answer(json.loads(line)["ticket"])}), flush=True)
