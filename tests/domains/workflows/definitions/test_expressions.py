"""Expressions give what the page says, and nothing but an ExpressionError otherwise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.workflows.definitions.expression_values import MAXIMUM_RESULT_CHARACTERS
from spectral.domains.workflows.definitions.expressions import (
    ExpressionError,
    evaluate,
    evaluate_condition,
    references,
    secrets_in,
)

ROOTS: dict[str, Any] = {
    "inputs": {"n": 3, "text": "x", "list": [1, 2, {"k": "v"}], "big": "y" * 600_000},
    "steps": {"my-step": {"outputs": {"k": [5]}, "status": "succeeded"}},
}


class Roots:
    def lookup(self, name: str) -> Any:
        return ROOTS.get(name)


SCOPE = Roots()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${inputs.n}", 3),
        ("n=${inputs.n} list=${inputs.list} none=${inputs.nope}.", 'n=3 list=[1,2,{"k":"v"}] none=.'),
        ("${steps.my-step.outputs.k[0] - 1}", 4),
        ("${steps['my-step'].outputs.k[-1]}", 5),
        ("${steps.nope.outputs.x.y[0]}", None),
        ("${inputs.list.2.k}", "v"),
        ("${1 + 2 * 3 - 4 / 2}", 5),
        ("${7 / 2} ${8 / 2} ${-7 // 2} ${7 % 4}", "3.5 4 -4 3"),
        ("${inputs.nope + 1}", None),
        ("${inputs.nope < 1 or inputs.nope > 1}", False),
        ("${'a' if inputs.n > 5 else \"b\"}", "b"),
        ("${not inputs.nope and 3 in inputs.list}", False),
        ("${2 in inputs.list && !false || false}", True),
        ("${'k' in inputs.list[2]} ${'z' not in 'xyz'}", "true false"),
        ("${{'a': inputs.n, b: [1, 'c']}}", {"a": 3, "b": [1, "c"]}),
        ("${1 == 1.0} ${true == 1} ${[1, {'a': null}] == [1.0, {'a': null}]}", "true false true"),
        ("${coalesce(inputs.nope, null, 'z')}", "z"),
        ("${len(null)} ${len('abc')} ${len(inputs.list)}", "0 3 3"),
        ("${upper(trim('  a '))}${lower('B')}", "Ab"),
        ("${join(split('a b c', ' '), '-')}", "a-b-c"),
        ("${starts_with('abc', 'ab')} ${ends_with('abc', 'bc')} ${contains('abc', 'x')}", "true true false"),
        ("${round(2.5)} ${round(-2.5)} ${round(1.005, 2)}", "3 -3 1.01"),
        ("${min(3, 1, null)} ${max([1, 5])} ${sum([1, 2.5, null])} ${abs(-2)}", "1 5 3.5 2"),
        ("${int('12')} ${int(3.9)} ${float('1e2')} ${str(1.5)} ${int(null)}", "12 3 100.0 1.5 "),
        ("${keys({'a': 1})} ${values({'a': 1})}", '["a"] [1]'),
        ("${parse_json('{\"a\": [1]}').a[0]} ${json({'a': 1})}", '1 {"a":1}'),
        ("${matches('abc', '^a.c$')}", True),
        ("Bearer ${secrets.MY-KEY}", "Bearer ${secrets.MY-KEY}"),
        ("$${inputs.n} costs $5 ${'}'}", "${inputs.n} costs $5 }"),
        ({"a": ["${inputs.n}", True, None], "b ${inputs.n}": 1}, {"a": [3, True, None], "b ${inputs.n}": 1}),
    ],
)
def test_values(text: Any, value: Any) -> None:
    assert evaluate(text, SCOPE) == value


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("${}", "a value is missing before `}`", 2),
        ("${1 if true}", "`else` is missing before `}`", 11),
        ("${uper('x')}", "there is no function `uper`; did you mean `upper`?", 2),
        ("${coalesce()}", "`coalesce` takes 1 or more arguments, not 0", 2),
        ("${split('a')}", "`split` takes 2 arguments, not 1", 2),
        ("${a.}", "a name is missing after `.`", 4),
        ("say ${a", "`}` is missing", 7),
        ("${inputs.a ** 2}", "a value is missing before `*`", 12),
        ("${1 < 2 < 3}", "comparisons are not chained: write `a < b and b < c`", 8),
        ("${a b}", "`}` is missing before `b`", 4),
        ("${'a}", "the text is not closed", 2),
        ("${a # b}", "`#` has no meaning here", 4),
        ("${secrets}", "a secret is named as `secrets.NAME`", 2),
        ("${secrets[inputs.n]}", "a secret is named as `secrets.NAME`", 2),
        ("${'\\u0000'}", "`\\u0000` has no meaning in a text", 3),
        ("${99999999999999999999}", "the number is too large", 2),
        ("${" + "(" * 40 + "1" + ")" * 40 + "}", "the expression is nested deeper than 32 levels", 34),
        ("${" + "1 + " * 800 + "1}", "the expression is longer than 2000 characters", 2),
    ],
    ids=lambda value: value[:16] if isinstance(value, str) else None,
)
def test_what_cannot_be_read_says_where(text: str, message: str, position: int) -> None:
    with pytest.raises(ExpressionError) as wrong:
        references(text)
    assert (wrong.value.message, wrong.value.position) == (message, position)


@pytest.mark.parametrize(
    "text",
    [
        "${'a' + 1}",
        "${1 / 0}",
        "${9223372036854775807 + 1}",
        "${1e308 * 10}",
        "${'a' < 1}",
        "${int('abc')}",
        "${parse_json('{')}",
        "${parse_json('\"\\\\u0000\"')}",
        "${parse_json('[NaN]')}",
        "${matches('a', '(')}",
        "${matches('a', '(?=a)')}",
        "${round(1, 99)}",
        "${len(5)}",
        "${inputs.big + inputs.big}",
        "${inputs.big}${inputs.big}",
        "${join([inputs.big, inputs.big])}",
        "${[inputs.big, inputs.big]}",
        "${str(parse_json('" + "[" * 40 + "]" * 40 + "'))}",
        ["${inputs.big}", "${inputs.big}"],
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_has_no_value(text: Any) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, SCOPE)


@pytest.mark.parametrize("name", ["__class__", "__init__", "__globals__", "mro", "format", "items"])
def test_nothing_leads_to_python(name: str) -> None:
    for text in (f"${{inputs.{name}}}", f"${{inputs.text.{name}}}", f"${{inputs.list['{name}']}}", f"${{{name}}}"):
        assert evaluate(text, SCOPE) is None
    with pytest.raises(ExpressionError, match="there is no function"):
        evaluate(f"${{{name}('os')}}", SCOPE)


def test_conditions_with_and_without_braces() -> None:
    for text in ("inputs.n > 2", " ${inputs.n > 2}\n", "${ inputs.n > 2 and\n true }", True):
        assert evaluate_condition(text, SCOPE)
    assert not evaluate_condition("steps.nope.outputs.ok", SCOPE)
    for wrong in ("${inputs.n} > 2", "inputs.n >", "", "${a}${b}"):
        with pytest.raises(ExpressionError):
            evaluate_condition(wrong, SCOPE)


def test_references_and_secrets() -> None:
    found = references("${steps.a-b.outputs['x'][0][inputs.q].z} ${len(item)} $${no.thing}")
    assert [reference.path for reference in found] == [
        ("steps", "a-b", "outputs", "x", 0),
        ("inputs", "q"),
        ("item",),
    ]
    assert found[0].position == 2
    assert secrets_in({"a": ["Bearer ${secrets.KEY}"], "b": "${secrets.OTHER}", "c": "$${secrets.NOT}"}) == {
        "KEY",
        "OTHER",
    }


def test_work_is_bounded() -> None:
    # Each look at the text is counted: no expression reads hundreds of megabytes.
    many = "${[" + ",".join(["len(lower(inputs.big))"] * 60) + "]}"
    with pytest.raises(ExpressionError, match="too long"):
        evaluate(many, SCOPE)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
SIGNS = ". [ ] ( ) { } , : + - * / // % == != < <= > >= && || ! ${ $ in not and or if else"
PLAIN = "inputs a b true null 1 2.5 'a' \"b\" steps.x-y"
CALLS = "len( upper( split( join( sum( max( int( json( parse_json( matches( coalesce( round("
PIECES = st.sampled_from([*SIGNS.split(), *PLAIN.split(), *CALLS.split()])


@given(st.lists(PIECES | st.text(max_size=3), max_size=25).map(" ".join), VALUES)
def test_any_text_gives_a_bounded_value_or_an_expression_error(text: str, value: Any) -> None:
    class Given:
        def lookup(self, name: str) -> Any:
            return value if name in {"inputs", "a"} else None

    for whole in (f"${{{text}}}", text, f"x {text}"):
        try:
            found = evaluate(whole, Given())
            evaluate_condition(text, Given())
        except ExpressionError:
            continue
        assert len(str(found)) <= 2 * MAXIMUM_RESULT_CHARACTERS


@given(st.text(max_size=2_100))
def test_no_text_breaks_the_reader(text: str) -> None:
    for whole, condition in (("${" + text, False), (text, True)):
        position: int | None = None
        try:
            references(whole, condition=condition)
        except ExpressionError as error:
            position = error.position
        assert position is None or 0 <= position <= len(whole)
