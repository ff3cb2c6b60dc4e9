"""The grammar of the filter expression: what it is read as, and what is said about what it is not."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.traces.search.filter_expression import All, Either, Not, Term, is_deep, parse_filter, terms_of
from spectral.domains.traces.search.filter_fields import DOCUMENTED, FIELDS
from spectral.platform.shared.errors import ValidationFailedError


def term(text: str) -> tuple[str, str, object]:
    node = parse_filter(text)
    assert isinstance(node, Term)
    return node.field.name, node.operator, node.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('name = "a \\"b\\" \\u00e9"', ("name", "=", 'a "b" é')),
        ("name='x'", ("name", "=", "x")),
        ("status = error", ("status", "=", 2)),
        ('status in (ok, "unset")', ("status", "in", (1, 0))),
        ("duration_ms > 500", ("duration_ms", ">", 500_000_000)),
        ("duration_ms >= 1.5s", ("duration_ms", ">=", 1_500_000_000)),
        ("cost_usd < 0.000001", ("cost_usd", "<", 1_000)),
        ("input_tokens <= 7", ("input_tokens", "<=", 7)),
        ("tokens > 1e3", ("tokens", ">", 1000.0)),
        ("agent_version = 1.10", ("agent_version", "=", "1.10")),
        ('tags HAS "prod"', ("tags", "=", "prod")),
        ("session_id exists", ("session_id", "exists", None)),
        ("session_id != null", ("session_id", "exists", None)),
        ('trace_id = "5B8E"', ("trace_id", "=", b"\x5b\x8e")),
        ("span.tool ~ sea", ("span.tool", "~", "sea")),
        ("score.help-ful.x < -0.5", ("score.help-ful.x", "<", -0.5)),
        ('score["a rubric/tone"] > 0', ('score["a rubric/tone"]', ">", 0)),
        ('attr["gen_ai.x"] = true', ('attr["gen_ai.x"]', "=", True)),
        ('event = "exception"', ("event", "=", "exception")),
        ('content ~ "x y"', ("content", "~", "x y")),
        ('started_at < "1970-01-01T00:00:01Z"', ("started_at", "<", 10**9)),
    ],
    ids=str,
)
def test_a_term_has_the_value_that_the_store_has(text: str, expected: tuple[str, str, object]) -> None:
    assert term(text) == expected


def test_and_binds_closer_than_or_and_not_closest() -> None:
    node = parse_filter("mode = a or not mode = b and (mode = c or mode = d)")
    assert isinstance(node, Either)
    first, second = node.parts
    assert isinstance(first, Term)
    assert isinstance(second, All)
    assert isinstance(second.parts[0], Not)
    assert isinstance(second.parts[1], Either)
    assert [found.value for found in terms_of(node)] == ["a", "b", "c", "d"]
    for text, is_negated in (
        ("mode not in (x)", True),
        ("mode != x", True),
        ("mode = null", True),
        ("mode in (x)", False),
    ):
        assert isinstance(parse_filter(text), Not) is is_negated
    assert is_deep(parse_filter('mode = a or not attr["x"] exists'))
    assert not is_deep(parse_filter("span.name = a"))


def test_now_is_a_moment_and_an_hour_before_it_is_one_too() -> None:
    now, before = (parse_filter(f"started_at > {text}") for text in ("now", "now-1h"))
    assert isinstance(now, Term)
    assert isinstance(before, Term)
    assert 3_600 * 10**9 <= now.value - before.value <= 3_605 * 10**9
    assert parse_filter("started_at > now - 1h") is not None


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "position 1: expected a field"),
        ("   ", "position 4: expected a field"),
        ("name", "position 5: expected an operator (=, !=, ~, in, exists), found the end"),
        ("name =", "position 7: expected a value, found the end"),
        ('name = "x', "position 8: the text has no closing quote"),
        ('name = "\\x"', "position 9: expected one of"),
        ("name = x and", "position 13: expected a field"),
        ("nam = x", "position 1: there is no field 'nam'"),
        ("(name = a", "position 10: expected and, or, or ), found the end"),
        ("name = a)", "position 9: expected and, or, or the end, found ')'"),
        ("name = a b", "position 10: expected and, or, or the end, found 'b'"),
        ("name < a", "position 6: < does not go with name; expected one of"),
        ("name ~ null", "position 6: null is compared with = or !="),
        ("name in ()", "position 10: expected a value"),
        ("name in (a b)", "position 12: expected , or ), found 'b'"),
        ("name not = a", "position 10: expected in, found '='"),
        ("status = broken", "position 10: status takes unset, ok or error, found 'broken'"),
        ("duration_ms = fast", "position 15: duration_ms takes milliseconds"),
        ("cost_usd > -1", "position 12: cost_usd takes an amount of US dollars"),
        ("input_tokens = many", "position 16: input_tokens takes a number"),
        ("input_tokens = 99999999999999999999", "position 16: the number is too large"),
        ("duration_ms > 999999999d", "position 15: the duration is too long"),
        ("started_at > yesterday", "position 14: started_at takes an RFC 3339 time"),
        ("mode = now", "position 8: mode is no time"),
        ("trace_id = xyz", "position 12: trace_id takes hexadecimal digits"),
        ("attr[x] = 1", "position 6: expected a name in quotes"),
        ('attr["x" = 1', "position 10: expected ]"),
        ("§", "position 1: '§' means nothing here"),
        ('name = "\\u0000"', "position 8: text must not hold a null character"),
        ('name = "\\ud800"', "position 8: text must not hold"),
        ("name = a" + " " * 4_100, "position 4097: is longer than 4096 characters"),
        ("not " * 33 + "name = a", "position 129: is nested deeper than 32"),
        ("(" * 33 + "name = a", "is nested deeper than 32"),
        (" or ".join(["mode = a"] * 65), "has more than 64 comparisons"),
        (f"name in ({','.join(['a'] * 101)})", "has more than 100 values"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_mistake_is_told_with_its_position(text: str, detail: str) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        parse_filter(text)
    (error,) = caught.value.errors
    assert error.pointer == "filter"
    assert detail in error.detail, error.detail


@given(st.text(st.sampled_from("name=<>~()[]\"'\\ .,-0123456789enotrandinhs\x00\ud800é"), max_size=40))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    with suppress(ValidationFailedError):
        parse_filter(text)


def test_every_documented_field_can_be_asked_for() -> None:
    assert {field.name for field in DOCUMENTED} >= set(FIELDS)
    for field in FIELDS.values():
        if "exists" in field.operators:
            assert term(f"{field.name} exists")[0] == field.name
