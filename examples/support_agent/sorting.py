"""The agent: reads a ticket, looks things up, and decides which team it goes to.

There is no language model in it, so it runs anywhere; its decisions follow from its instructions and settings all the
same. A line `- intent: words` of the instructions tells the agent what the words mean.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from orders import look_up, order_in
from retrieval import search, words_of

RULE = re.compile(r"^- (\w+): (.+)$", re.MULTILINE)
PERSON = "a person"
RULE_WEIGHT = 0.15

tracer = trace.get_tracer("support-agent")


def sort_ticket(
    text: str, instructions: str, settings: Mapping[str, Any], solved: Sequence[tuple[str, str]] = ()
) -> str:
    """The intent of the ticket, or `a person` where the agent is not sure enough.

    settings: `top_k` passages are read, of which the best has to be as similar as `threshold`; `stemming`, whether
    "charged" is "charge".  solved: tickets of which it is known where they went.
    """
    with tracer.start_as_current_span("sort_ticket") as span:
        span.set_attributes({"spectral.kind": "agent", "spectral.agent.id": "Support", "spectral.input": text})
        order = order_in(text)
        if order is not None:
            with tracer.start_as_current_span("look_up_order") as call:
                call.set_attributes({"spectral.kind": "tool", "gen_ai.tool.name": "look_up_order"})
                call.set_attribute("order.state", look_up(order))
        with tracer.start_as_current_span("search") as finding:
            finding.set_attribute("spectral.kind", "retriever")
            passages = search(text, settings["top_k"], stemming=settings["stemming"], solved=solved)
        scores: dict[str, float] = defaultdict(float)
        for passage in passages:
            scores[passage.intent] += passage.similarity
        words = set(words_of(text, stemming=settings["stemming"]))
        for intent, meaning in RULE.findall(instructions):
            scores[intent] += RULE_WEIGHT * len(words & set(words_of(meaning, stemming=settings["stemming"])))
        best = max(scores, key=lambda intent: (scores[intent], intent))
        intent = best if scores[best] >= settings["threshold"] else PERSON
        span.set_attribute("spectral.output", intent)
        return intent
