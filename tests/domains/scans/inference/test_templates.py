"""Templates recovered from observed texts: to the letter, whatever a few of them do, and in bounded time."""

from collections.abc import Sequence

import pytest
from pydantic import JsonValue

from benchmarks.templates import is_exact, make_case
from spectral.domains.agents.config import ConfigDocument, PromptTemplate, render
from spectral.domains.scans.inference import templates
from spectral.domains.scans.inference.alignment import Piece, Tokens, align
from spectral.domains.scans.inference.prompts import infer_template
from spectral.domains.scans.inference.templates import match, recover

pytestmark = pytest.mark.databases("sqlite")

CASES = 40


def test_most_generated_templates_are_recovered_to_the_letter() -> None:
    exact = sum(is_exact(make_case(number)) for number in range(CASES))
    # 97.8 % of 400 cases (docs/searching.md); this bound is five standard errors below it.
    assert exact >= 0.86 * CASES, f"{exact} of {CASES}"


def test_the_same_texts_give_the_same_template() -> None:
    case = make_case(11)
    assert recover(case.prompts) == recover(case.prompts)


CITIES = ["Aachen", "Bern", "Cork", "Dover", "Essen", "Faro", "Ghent", "Graz", "Lyon", "Nice", "Oslo", "Porto"]


def prompts_of(system: str, user: str) -> list[list[tuple[str, str]]]:
    return [
        [
            ("system", system.format(city=city)),
            ("user", user.format(city=city, number=17 * place, question=f"{place} {'far ' * place}away?")),
        ]
        for place, city in enumerate(CITIES)
    ]


def test_variables_are_named_from_their_context_and_shared_between_messages() -> None:
    user = "City: {city}\nBudget = {number} EUR\n<question>\n{question}\n</question>\nOnce more: {question}"
    found = infer_template(prompts_of("You work in {city} today.", user))
    assert found.messages[0] == ("system", "You work in {{city}} today.")
    assert found.messages[1][1] == (
        "City: {{city}}\nBudget = {{budget}} EUR\n<question>\n{{question}} away?\n</question>\n"
        "Once more: {{question}} away?"
    )
    assert found.variables == ("city", "budget", "question")
    assert found.coverage == 1.0
    assert found.prompts == found.reproduced == len(CITIES)


def test_names_that_the_instrumentation_knows_are_taken() -> None:
    prompts = prompts_of("You work in {city} today.", "{question}")
    found = infer_template(prompts, [{"place": city, "n": "1"} for city in CITIES])
    assert found.variables[0] == "place"
    assert found.messages[0][1] == "You work in {{place}} today."


def test_odd_prompts_lower_the_coverage_and_nothing_else() -> None:
    prompts = prompts_of("Answer briefly.", "City: {city}")
    odd = [
        [("user", "hello")],
        [("system", "Answer briefly."), ("user", "Town: Rome")],
        [("system", "x"), ("tool", "y")],
    ]
    found = infer_template([*prompts, *odd])
    assert found.messages == (("system", "Answer briefly."), ("user", "City: {{city}}"))
    assert (found.reproduced, found.other_shape, found.prompts) == (12, 2, 15)
    assert found.coverage == pytest.approx(12 / 15)


@pytest.mark.parametrize(
    "text",
    [
        "Fill {{{{name}}}} in for {city}.",
        'Answer as {{"city": "{city}"}}',
        "A backslash \\{city}",
        "Braces {{{city}}}",
        "Literal \\{{{{x}}}} and {city}",
        "{city}",
        "nothing varies",
        "",
    ],
)
def test_what_the_template_renders_is_what_was_seen(text: str) -> None:
    seen = [text.format(city=city) for city in CITIES]
    found = infer_template([[("user", each)] for each in seen])
    assert found.coverage == 1.0
    template = PromptTemplate.model_validate({"messages": [{"role": "user", "content": found.messages[0][1]}]})
    document = ConfigDocument.model_validate({"model": "m/x", "prompts": {"main": template.model_dump()}})
    recovered = recover(seen)
    for each in seen:
        values = match(recovered.pieces, each)
        assert values is not None
        given: dict[str, JsonValue] = dict(zip(found.variables, values, strict=True))
        if given:
            assert render(document, given)[-1].content == each


def test_long_prompts_are_put_side_by_side_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def counting(texts: Sequence[Tokens]) -> list[Piece]:
        counted.extend(map(len, texts))
        return align(texts)

    monkeypatch.setattr(templates, "align", counting)
    words = " ".join(f"word{number}" for number in range(1_500))
    texts = [f"Context: {words[place:]} {place}\nQuestion: {words[: 40 + place]}" for place in range(150)]
    found = recover(texts)
    assert sum(counted) <= templates.WORK_TOKENS
    assert found.coverage > 0.9
    assert str(found.pieces[0]).startswith("Context:")
