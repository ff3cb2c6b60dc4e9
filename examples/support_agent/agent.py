"""The agent in production: one JSON object `{"ticket": text}` a line comes in, `{"intent": …}` goes out."""

import json
import sys

from sorting import sort_ticket
from tracing import set_up_tracing

from spectral.client import SpectralClient, TaskMarks

provider = set_up_tracing()
provider.add_span_processor(TaskMarks())
support = SpectralClient().agent("Support")
INSTRUCTIONS = "Sort each ticket by what the customer wants."
SETTINGS = {"top_k": 1, "threshold": 0.3, "stemming": False}


def answer(ticket, instructions=INSTRUCTIONS, settings=SETTINGS, solved=()):
    return sort_ticket(ticket, instructions, settings, solved)


@support.run
def under_config(config, input):
    instructions = config["prompts"]["main"]["messages"][0]["content"]
    solved = [(example["input"]["ticket"], example["output"]) for example in config["few_shot"]]
    return answer(input["ticket"], instructions, config["custom"], solved)


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps({"intent": under_config(support.config(30).document, json.loads(line))}), flush=True)
