"""The local runtime answers by what its prompt says, always the same, and says when it cannot."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.platform.llm.calls import ModelFault, ModelMessage, ModelReply, ModelRequest
from spectral.platform.llm.local.features import count_tokens, first_tokens
from spectral.platform.llm.local.provider import CONTEXT_TOKENS, LABEL, NO_ANSWER, LocalProvider

MODELS = ("spectral-local/small", "spectral-local/large")
LABELS = """Sort the ticket.
- refund: money back to the bank account
- late: the parcel has not been delivered
- access: the password is not accepted"""


def ask(
    text: str,
    *,
    system: str = LABELS,
    examples: tuple[tuple[str, str], ...] = (),
    model: str = MODELS[0],
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> ModelRequest:
    messages = [ModelMessage("system", system)]
    for question, answer in examples:
        messages += [ModelMessage("user", question), ModelMessage("assistant", answer)]
    return ModelRequest(model, [*messages, ModelMessage("user", text)], parameters or {}, seed)


def answer(request: ModelRequest) -> str:
    (outcome,) = LocalProvider().answer([request])
    assert isinstance(outcome, ModelReply), outcome
    return outcome.text


def fault(request: ModelRequest) -> str:
    (outcome,) = LocalProvider().answer([request])
    assert isinstance(outcome, ModelFault), outcome
    assert (outcome.type, outcome.retryable) == ("invalid_request", False)
    return outcome.message


@pytest.mark.parametrize("model", MODELS)
def test_it_answers_with_the_label_whose_words_the_input_has(model: str) -> None:
    assert answer(ask("Nothing is on my bank account, where is the money?", model=model)) == "refund"
    assert answer(ask("My parcel was not delivered", model=model)) == "late"
    assert answer(ask("It refuses my password", model=model)) == "access"


@pytest.mark.parametrize("model", MODELS)
def test_a_better_description_makes_a_better_answer(model: str) -> None:
    question = "The courier left my stuff at the depot"

    assert answer(ask(question, model=model)) == "refund"  # nothing separates the answers: the first one
    assert answer(ask(question, system=LABELS + " or the login\n- late: courier depot", model=model)) == "late"


@pytest.mark.parametrize("model", MODELS)
def test_a_better_example_makes_a_better_answer(model: str) -> None:
    question = "The courier left my stuff at the depot"

    assert answer(ask(question, examples=(("It is still at the courier's depot", "late"),), model=model)) == "late"


@pytest.mark.parametrize("model", MODELS)
def test_examples_alone_are_enough_and_their_outputs_are_the_answers(model: str) -> None:
    examples = (("where is my parcel", '{"intent": "late"}'), ("my password is refused", '{"intent": "access"}'))

    assert answer(ask("password", system="Answer in JSON.", examples=examples, model=model)) == '{"intent": "access"}'


def test_counter_words_speak_against_a_label() -> None:
    system = "- a: parcel delivery, but not a damaged box\n- b: parcel"

    assert answer(ask("my parcel box is damaged", system=system)) == "b"


def test_the_large_model_understands_what_the_small_one_does_not() -> None:
    system = "- other: anything\n- late: delivery problems"
    question = "not delivered"

    assert answer(ask(question, system=system)) == "other"
    assert answer(ask(question, system=system, model=MODELS[1])) == "late"


@pytest.mark.parametrize("model", MODELS)
def test_a_prompt_without_labels_and_examples_is_told_so_in_words(model: str) -> None:
    assert answer(ask("anything", system="You are a helpful assistant.", model=model)) == NO_ANSWER


def test_the_same_request_has_the_same_answer_whatever_else_is_in_the_batch() -> None:
    requests = [
        ask(f"{text} {number}", model=model, parameters={"temperature": temperature}, seed=number)
        for number in range(20)
        for text in ("money or parcel", "password of the bank account", "nothing")
        for model in MODELS
        for temperature in (0, 0.7)
    ]
    together = LocalProvider().answer(requests)
    alone = [LocalProvider().answer([request])[0] for request in reversed(requests)][::-1]

    assert [texts(one) for one in together] == [texts(one) for one in alone]


def texts(outcome: ModelReply | ModelFault) -> tuple[str, int, int]:
    assert isinstance(outcome, ModelReply)
    return outcome.text, outcome.input_tokens, outcome.output_tokens


def test_temperature_is_noise_that_the_seed_decides() -> None:
    question = "money or parcel"

    cold = {answer(ask(question, seed=seed)) for seed in range(30)}
    warm = [answer(ask(question, parameters={"temperature": 1.5}, seed=seed)) for seed in range(30)]

    assert len(cold) == 1
    assert set(warm) == {"refund", "late", "access"}
    assert warm == [answer(ask(question, parameters={"temperature": 1.5}, seed=seed)) for seed in range(30)]


def test_a_warm_model_prefers_what_a_cold_one_answers() -> None:
    warm = [answer(ask("My parcel", parameters={"temperature": 1}, seed=seed)) for seed in range(200)]

    assert warm.count("late") > 150


def test_usage_is_counted_and_costs_nothing() -> None:
    (outcome,) = LocalProvider().answer([ask("Where is it?", system="- late: parcel")])

    assert isinstance(outcome, ModelReply)
    assert (outcome.input_tokens, outcome.output_tokens, outcome.cost_nano_usd) == (8, 1, 0)
    assert outcome.latency_ms >= 1
    assert outcome.latency_ms == int(outcome.latency_ms)


@pytest.mark.parametrize("temperature", [-0.1, 2.1, float("nan"), float("inf"), "0.5", True, [1]])
def test_a_wrong_temperature_is_refused(temperature: object) -> None:
    assert "temperature" in fault(ask("money", parameters={"temperature": temperature}))


@pytest.mark.parametrize("limit", [0, -1, 1.5, "3", True])
def test_a_wrong_limit_of_tokens_is_refused(limit: object) -> None:
    assert "max_tokens" in fault(ask("money", parameters={"max_tokens": limit}))


def test_other_parameters_are_ignored() -> None:
    assert answer(ask("money", parameters={"top_p": 0.1, "temperature": None, "max_tokens": None})) == "refund"


def test_the_answer_is_cut_at_the_limit_of_tokens() -> None:
    (outcome,) = LocalProvider().answer([ask("x", system="nothing", parameters={"max_tokens": 3})])

    assert isinstance(outcome, ModelReply)
    assert (outcome.text, outcome.output_tokens) == ("I cannot answer", 3)


def test_a_prompt_that_is_too_long_is_refused() -> None:
    assert str(CONTEXT_TOKENS) in fault(ask("word " * (CONTEXT_TOKENS + 1)))
    assert str(CONTEXT_TOKENS) in fault(ask("word", system="- a: " + "word " * CONTEXT_TOKENS))
    assert str(CONTEXT_TOKENS) in fault(ask("x" * (12 * CONTEXT_TOKENS + 1)))


def test_a_request_without_a_user_message_is_refused() -> None:
    assert "user message" in fault(ModelRequest(MODELS[0], [ModelMessage("system", LABELS)]))
    assert "user message" in fault(ModelRequest(MODELS[0], []))


def test_one_bad_request_does_not_cost_the_others_their_answers() -> None:
    outcomes = LocalProvider().answer([ask("money"), ask("x", parameters={"temperature": 9}), ask("parcel")])

    assert [type(one) for one in outcomes] == [ModelReply, ModelFault, ModelReply]


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=60), st.sampled_from(MODELS))
def test_any_text_has_an_outcome(system: str, question: str, example: str, model: str) -> None:
    request = ask(question, system=f"{LABELS}\n{system}", examples=((example, system),), model=model)

    (outcome,) = LocalProvider().answer([request])

    assert isinstance(outcome, ModelReply)


@given(st.text(max_size=300), st.integers(1, 20))
def test_a_text_is_cut_to_its_first_tokens(text: str, count: int) -> None:
    cut = first_tokens(text, count)

    assert text.startswith(cut)
    assert count_tokens(cut) == min(count, count_tokens(text))


def test_it_is_labelled_as_what_it_is() -> None:
    models = LocalProvider().models()

    assert [one.name for one in models] == list(MODELS)
    assert {one.label for one in models} == {LABEL}
    assert "not a language model" in LABEL
    assert all(one.priced and one.deterministic for one in models)


@pytest.mark.parametrize("model", MODELS)
async def test_fifteen_thousand_completions_take_seconds(model: str) -> None:
    examples = tuple((f"example number {number} about a parcel and a courier", "late") for number in range(30))
    requests = [
        ask(
            f"ticket {number}: my parcel and the money, {number % 97} days late, thanks", examples=examples, model=model
        )
        for number in range(15_000)
    ]
    started = time.process_time()

    outcomes = await LocalProvider().complete_many(requests)

    taken = time.process_time() - started
    print(f"{model}: {len(outcomes)} completions in {taken:.2f} s of processor time")
    assert all(isinstance(one, ModelReply) for one in outcomes)
    assert taken < 10
