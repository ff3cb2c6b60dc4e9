"""Synthetic support tickets of an invented shop, and the demo agent that sorts them.

Nobody wrote these tickets: they are sentences of a hand-made grammar (`intents`) filled with invented words
(`vocabulary`), and every sample made of them carries `"synthetic": true`.
"""

import re
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from spectral.demo import vocabulary
from spectral.demo.intents import CLAIMS, INTENTS
from spectral.domains.samples.near_duplicates import NearDuplicateIndex, signature_of

DEFAULT_TICKETS: Final = 1_500
MAXIMUM_TICKETS: Final = 8_000

_CHOICE: Final = re.compile(r"\[([^\[\]]*)\]")
_SLOT: Final = re.compile(r"\{(\w+)\}")
_TYPO_SHARE: Final = 0.03
"""Of the words of five letters or more."""
_CLAIM_SHARE: Final = 0.4
_ASIDE_SHARE: Final = 0.3
_MIXED_SHARE: Final = 0.05
"""Of the tickets: they raise a second matter before the one they are about."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One synthetic ticket. `session_id` and `customer_id` tie together what one invented person wrote."""

    text: str
    intent: str
    aspect: str
    session_id: str
    customer_id: str
    channel: str

    def as_sample(self) -> dict[str, Any]:
        """The ticket as a row of an import into a sample set for `demo_config`."""
        return {
            "input": {"ticket": self.text},
            "expected": self.intent,
            "metadata": {
                "session_id": self.session_id,
                "customer_id": self.customer_id,
                "channel": self.channel,
                "aspect": self.aspect,
                "synthetic": True,
            },
        }


def generate_tickets(seed: int, n: int = DEFAULT_TICKETS) -> list[Ticket]:
    """`n` different tickets, no two of them near-duplicates; the same seed gives the same tickets everywhere.

    The seed also decides how often each intent and each of its aspects comes up, so that two seeds are two shops with
    the same kind of customer. Raises ValueError unless 1 ≤ n ≤ 8,000.
    """
    if not 1 <= n <= MAXIMUM_TICKETS:
        raise ValueError(f"n must be from 1 to {MAXIMUM_TICKETS}, not {n}")
    random = Random(seed)  # noqa: S311 - reproducible data, not a secret
    subjects = [(intent, aspect) for intent, aspects in INTENTS.items() for aspect in aspects]
    by_intent = {intent: random.uniform(0.7, 1.3) for intent in INTENTS}
    weights = [
        by_intent[intent]
        * (random.uniform(1.2, 2.2) if aspect == next(iter(INTENTS[intent])) else random.uniform(0.4, 1.2))
        for intent, aspect in subjects
    ]
    seen = NearDuplicateIndex()
    texts: set[str] = set()
    tickets: list[Ticket] = []
    while len(tickets) < n:
        customer = f"customer-{seed}-{len(tickets):04d}"
        session = f"session-{seed}-{len(tickets):04d}"
        channel = random.choice(vocabulary.CHANNELS)
        for _ in range(random.choice((1, 1, 1, 1, 2, 2, 3))):
            ((intent, aspect),) = random.choices(subjects, weights)
            text = _write(random, intent, aspect)
            signature = signature_of(text)
            if len(tickets) == n or text in texts or seen.find("", signature) is not None:
                continue
            texts.add(text)
            seen.add(text, "", signature)
            tickets.append(Ticket(text, intent, aspect, session, customer, channel))
    return tickets


def _write(random: Random, intent: str, aspect: str) -> str:
    """One ticket: perhaps an opening, context and an aside around the sentence that carries the intent."""
    slots = _fill_slots(random)
    parts = [random.choice(vocabulary.OPENINGS)]
    if random.random() < 0.6:
        parts.append(random.choice(vocabulary.CONTEXTS))
    if random.random() < _MIXED_SHARE:
        other = random.choice([each for each in INTENTS if each != intent])
        parts.append(f"First, thanks for sorting this out last time: {_first_aspect(random, other)} Now for today.")
    parts.append(random.choice(INTENTS[intent][aspect]))
    if random.random() < _CLAIM_SHARE:
        parts.append(random.choice(CLAIMS[intent]))
    if random.random() < _ASIDE_SHARE:
        parts.append(random.choice(vocabulary.ASIDES))
    parts.append(random.choice(vocabulary.CLOSINGS))
    text = " ".join(part for part in parts if part)
    while (found := _CHOICE.search(text)) is not None:
        text = text[: found.start()] + random.choice(found[1].split("|")) + text[found.end() :]
    text = _SLOT.sub(lambda match: slots[match[1]], text)
    return " ".join(_misspell(random, word) for word in text.split())


def _first_aspect(random: Random, intent: str) -> str:
    return random.choice(next(iter(INTENTS[intent].values())))


def _fill_slots(random: Random) -> dict[str, str]:
    product, other_product = random.sample(vocabulary.PRODUCTS, 2)
    colour, other_colour = random.sample(vocabulary.COLOURS, 2)
    size, other_size = random.sample(vocabulary.SIZES, 2)
    few = random.randint(2, 6)
    return {
        "product": product,
        "other_product": other_product,
        "colour": colour,
        "other_colour": other_colour,
        "size": size,
        "other_size": other_size,
        "part": random.choice(vocabulary.PARTS),
        "order": f"H-{random.randint(10_000, 99_999)}",
        "amount": f"{random.randint(4, 240)}.{random.choice(('00', '50', '90', '95'))} EUR",
        "day": random.choice(vocabulary.DAYS),
        "ago": random.choice(vocabulary.TIMES_AGO),
        "days": str(few),
        "more": str(few + random.randint(1, 3)),
        "months": str(random.randint(3, 22)),
        "carrier": random.choice(vocabulary.CARRIERS),
        "town": random.choice(vocabulary.TOWNS),
        "person": random.choice(vocabulary.PEOPLE),
        "relative": random.choice(vocabulary.RELATIVES),
        "wallet": random.choice(vocabulary.WALLETS),
        "code": random.choice(vocabulary.CODES),
        "year": str(random.randint(2009, 2024)),
    }


def _misspell(random: Random, word: str) -> str:
    """The word, now and then with two neighbouring letters swapped or one left out, as people type."""
    if len(word) < 5 or not word.isalpha() or random.random() >= _TYPO_SHARE:
        return word
    at = random.randint(1, len(word) - 3)
    if random.random() < 0.5:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :]


SYSTEM_PROMPT: Final = """\
You sort the support mail of Halden Outdoor, an online shop for outdoor gear.
Read the ticket and answer with the name of the one intent that fits best, and nothing else.

Intents:
- order_tracking: where is my order, when will it be delivered, tracking of the shipment
- missing_parcel: parcel marked as delivered but not received, lost or stolen
- damaged_item: product arrived broken or damaged
- wrong_item: received a different product, colour or size than ordered
- return_request: wants to send a product back, asks for a return label
- refund_pending: waiting for a refund, money has not come back to the bank account
- billing_error: charged twice or a wrong amount, discount or invoice is wrong
- payment_declined: payment at the checkout failed, card or gift card is declined
- cancel_order: wants to cancel an order before it ships
- change_order: wants to change the address, size or quantity of an order, or add something
- account_access: cannot log in, password or code does not work, profile is locked
- warranty_repair: product stopped working after months of use, repair or spare part under warranty"""


def demo_config() -> dict[str, Any]:
    """The first configuration of the demo agent: what a person would write, one line per intent, no examples.

    A new dict each time. Its search space lets a search change the system prompt, the examples, the model and the
    temperature.
    """
    return {
        "prompts": {
            "main": {
                "messages": [
                    {"role": "system", "content": SYSTEM_PROMPT},
                    {"role": "user", "content": "{{ticket}}"},
                ],
                "variables": ["ticket"],
            }
        },
        "model": "spectral-local/small",
        "parameters": {"temperature": 0},
        "few_shot": [],
        "tools": [],
        "custom": {},
        "search_space": [
            {
                "pointer": "/prompts/main/messages/0/content",
                "kind": "text",
                "bounds": {"min_length": 1, "max_length": 8000},
            },
            {"pointer": "/few_shot", "kind": "examples", "bounds": {"min_items": 0, "max_items": 48}},
            {
                "pointer": "/model",
                "kind": "enum",
                "bounds": {"values": ["spectral-local/small", "spectral-local/large"]},
            },
            {"pointer": "/parameters/temperature", "kind": "number", "bounds": {"min": 0, "max": 1}},
        ],
    }
