"""A small classification task: five labels whose words overlap, and a champion that knows only the labels' names."""

import random
from uuid import UUID, uuid5

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.scans.strategies.base import ReflectItem

SPACE = UUID("0f5c3f3e-5a3e-4c1b-8f4e-0c2f4b6f8a11")

VOCABULARY = {
    "billing": ["invoice", "charged", "vat", "receipt", "amount", "statement", "overcharged", "twice"],
    "refund": ["money", "returned", "reimbursed", "credited", "waiting", "transfer", "parcel", "voucher"],
    "login": ["password", "locked", "code", "reset", "sign", "authenticator", "email", "expired"],
    "delivery": ["parcel", "courier", "tracking", "depot", "late", "van", "doorstep", "arrived"],
    "warranty": ["broken", "zip", "seam", "repair", "months", "torn", "replacement", "arrived"],
}
NOISE = ["monday", "order", "blue", "bought", "shop", "number", "week", "friend", "again", "today", "really"]


def tickets(count: int, seed: int = 1) -> list[ReflectItem]:
    """Tickets of three telling words and three that tell nothing; every group is one ticket."""
    rng = random.Random(seed)  # noqa: S311 - a planted data set
    labels = sorted(VOCABULARY)
    items = []
    for number in range(count):
        label = labels[number % len(labels)]
        words = [*rng.sample(VOCABULARY[label], 3), *rng.sample(NOISE, 3)]
        rng.shuffle(words)
        item_id = uuid5(SPACE, f"{seed}-{number}")
        items.append(ReflectItem(item_id, {"ticket": " ".join(words)}, label, str(number)))
    return items


def champion(*, examples: int = 10, descriptions: dict[str, str] | None = None) -> ConfigDocument:
    """The agent to be improved; its label lines say nothing unless `descriptions` does."""
    given = descriptions or {}
    lines = "\n".join(f"- {label}: {given.get(label, '')}".rstrip() for label in sorted(VOCABULARY))
    return ConfigDocument.model_validate(
        {
            "model": "spectral-local/small",
            "prompts": {
                "main": {
                    "messages": [
                        {"role": "system", "content": f"Answer with one label.\n{lines}\nNothing else."},
                        {"role": "user", "content": "{{ticket}}"},
                    ]
                }
            },
            "search_space": [
                {"pointer": "/prompts/main/messages/0/content", "kind": "text", "bounds": {"max_length": 4000}},
                {"pointer": "/few_shot", "kind": "examples", "bounds": {"max_items": examples}},
            ],
        }
    )


TEXT = "/prompts/main/messages/0/content"
EXAMPLES = "/few_shot"

TELLING = {
    "billing": "invoice charged vat receipt amount",
    "refund": "money returned reimbursed credited",
    "login": "password locked code reset",
    "delivery": "courier tracking depot late van",
    "warranty": "broken zip seam repair torn",
}
"""What a person would write beside the labels; much better than nothing."""
