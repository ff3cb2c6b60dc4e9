"""What every node that asks a model keeps to: its params, the run's budget, and that all that was spent is counted."""

from typing import Any

import pytest

from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.execution.journal import RunJournal
from spectral.domains.workflows.execution.spans import Spoken
from spectral.domains.workflows.nodes.calls import NodeError, Usage
from spectral.domains.workflows.nodes.model_calls import ModelCalls, Spent, SpentError, read_question
from tests.domains.workflows.nodes.asking import BROKEN, REFUSED, Scripted, left, make_call, said_in

ASK = {"model": "scripted/one", "prompt": "hello"}


def call(**changes: Any) -> Any:
    return make_call(NodeKind.PROMPT, {**ASK, **changes.pop("params", {})}, **changes)


async def ask(scripted: Scripted, made: Any) -> tuple[str, ModelCalls]:
    calls = ModelCalls(scripted.door, made)
    return await calls.ask(read_question(made)), calls


@pytest.mark.parametrize(
    ("params", "because"),
    [
        ({"model": None}, "model must be the name"),
        ({"model": 3}, "model must be the name"),
        ({"prompt": None}, "messages or prompt"),
        ({"parameters": [1]}, "parameters must be an object"),
        ({"messages": "hello"}, "messages must be a list"),
        ({"messages": []}, "messages must be a list"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]}, "messages/1"),
        ({"messages": [{"role": "user"}]}, "messages/0"),
        ({"prompt": "x" * 1_000_001}, "more than 1000000 characters"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:30],
)
def test_params_that_make_no_sense_are_named(params: dict[str, Any], because: str) -> None:
    with pytest.raises(NodeError, match=because) as caught:
        read_question(call(params=params))
    assert (caught.value.type, caught.value.retryable) == ("invalid-params", False)


def test_values_that_are_no_text_are_told_as_json_and_secrets_stay_names() -> None:
    given = call(params={"system": {"a": [1, "ä"]}, "prompt": "key ${secrets.KEY}"})
    assert [tuple(message) for message in read_question(given).messages] == [
        ("system", '{"a":[1,"ä"]}'),
        ("user", "key ${secrets.KEY}"),
    ]
    listed = call(params={"messages": [{"role": "user", "content": None}, {"role": "assistant", "content": 3}]})
    assert [message.content for message in read_question(listed).messages] == ["", "3"]


def test_every_attempt_at_a_node_has_the_same_seed_and_every_other_node_another() -> None:
    assert read_question(call(attempt=1)).seed == read_question(call(attempt=2)).seed
    assert read_question(call()).seed != read_question(call(idempotency_key="7:1:ask:2")).seed


@pytest.mark.parametrize(
    ("answer", "type", "retryable", "cost"),
    [(REFUSED, "model-request", False, 0), (BROKEN, "model-unavailable", True, None)],
    ids=["refused", "broken"],
)
async def test_faults_of_a_model_say_whether_to_try_again_and_what_was_spent(
    answer: Any,
    type: str,
    retryable: bool,  # noqa: FBT001
    cost: int | None,
) -> None:
    made = call()
    with pytest.raises(SpentError) as caught:
        await ask(Scripted(answer), made)
    assert (caught.value.type, caught.value.retryable, caught.value.usage) == (type, retryable, Usage(0, cost))
    assert answer.message in caught.value.message
    (line,) = said_in(made).logs
    assert (line["level"], line["category"], line["data"]["cost_usd"]) == (
        "warn",
        "model",
        None if cost is None else "0",
    )


async def test_a_model_that_nobody_has_is_refused_before_anything_is_asked() -> None:
    scripted, made = Scripted(), call(params={"model": "gpt"})
    with pytest.raises(NodeError, match="not in the catalogue") as caught:
        await ask(scripted, made)
    assert (caught.value.type, caught.value.retryable) == ("unknown-model", False)
    assert (scripted.requests, said_in(made).logs) == ([], [])


@pytest.mark.parametrize(
    "budget", [left(0), left(-2), left(cost_nano_usd=0), left(5, -1)], ids=["tokens", "overspent", "cost", "debt"]
)
async def test_a_budget_that_is_used_up_stops_the_call(budget: Usage) -> None:
    scripted = Scripted("never")
    with pytest.raises(NodeError, match="used up") as caught:
        await ask(scripted, call(left=budget))
    assert (caught.value.type, caught.value.retryable) == ("budget-exhausted", False)
    assert scripted.requests == []


async def test_a_second_call_of_the_same_node_keeps_to_what_the_first_left() -> None:
    scripted = Scripted("one", "two", "three")
    made = call(left=left(4, 10_000))
    calls = ModelCalls(scripted.door, made)
    await calls.ask(read_question(made))
    assert await calls.ask(read_question(made)) == "two"
    with pytest.raises(SpentError, match="tokens") as caught:
        await calls.ask(read_question(made))
    assert (caught.value.type, caught.value.usage) == ("budget-exhausted", Usage(6, 3000))
    assert len(scripted.requests) == 2


async def test_a_budget_in_dollars_cannot_be_kept_with_a_model_of_unknown_price() -> None:
    with pytest.raises(NodeError, match="price of scripted/one") as caught:
        await ask(Scripted("never", priced=False), call(left=left(cost_nano_usd=10**9)))
    assert (caught.value.type, caught.value.retryable) == ("unpriced-model", False)
    text, calls = await ask(Scripted("fine", priced=False), call(left=left(100)))
    assert (text, calls.spent) == ("fine", Spent(1, 2, None))


async def test_what_a_call_took_is_said_in_words_that_the_journal_does_not_mask() -> None:
    made = call()
    _text, calls = await ask(Scripted("fine"), made)
    assert calls.spent.usage == Usage(3, 1500)
    written: list[Any] = []

    async def write() -> None:
        """Nothing is written here."""

    journal = RunJournal(write)
    (line,) = said_in(made).logs
    journal.of("ask").log(line["message"], level=line["level"], category=line["category"], data=line["data"])
    written = journal.take()
    await journal.close()
    spoken = Spoken.read(written[0].data["data"])
    assert (spoken.key, spoken.model, spoken.provider, spoken.attempt) == ("ask", "scripted/one", "scripted", 1)
    assert (spoken.input_tokens, spoken.output_tokens, spoken.cost_nano_usd, spoken.error) == (1, 2, 1500, None)
    assert (spoken.ended_at - spoken.started_at).total_seconds() == pytest.approx(0.003)


async def test_what_no_database_can_hold_is_replaced_in_the_answer() -> None:
    text, _calls = await ask(Scripted("a\x00b\ud800"), call())
    assert text == "a\ufffdb?"
