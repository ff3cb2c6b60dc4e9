"""Masking: what is recognised and what is not, JSON that stays JSON, and masked text that stays as it is."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from pydantic import ValidationError

from spectral.domains.traces.conventions.registry import load_conventions
from spectral.domains.traces.masking.content import is_content
from spectral.domains.traces.masking.masker import MASKED, Masker
from spectral.domains.traces.masking.rules import Detector, MaskingRule, MaskingRules
from tests.domains.traces.otlp_samples import any_value, make_request, make_span, map_span, pairs

ALL = list(Detector)
EVERYTHING = Masker(MaskingRules(detectors=ALL))
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"


def masker(*rules: tuple[str, str], **more: Any) -> Masker:
    named = [MaskingRule(name=name, pattern=pattern) for name, pattern in rules]
    return Masker(MaskingRules(rules=named, **more))


@pytest.mark.parametrize(
    ("detector", "text", "masked"),
    [
        ("email", "write to bob.smith+x@mail.example.co.uk.", "write to [email]."),
        ("email", "José <josé@bücher.example>", "José <[email]>"),
        ("email", "user@localhost, a@b, @handle", None),
        ("phone", "call +49 151 2345-6789 or (555) 123-4567", "call [phone] or [phone]"),
        ("phone", "555-123-4567 and 0151 23456789", "[phone] and [phone]"),
        ("phone", "550e8400-e29b-41d4-a716-446655440000 at 2024-01-02T10:00:00, 1763789012345678901", None),
        ("credit_card", "4111 1111 1111 1111 12/25, 378282246310005", "[credit_card] 12/25, [credit_card]"),
        ("credit_card", "4111 1111 1111 1112, 1763789012345678901, 5b8efff798038103d269b633813fc60c", None),
        ("iban", "DE89 3704 0044 0532 0130 00 COBADEFF", "[iban] COBADEFF"),
        ("iban", "gb82west12345698765432", "[iban]"),
        ("iban", "DE89370400440532013001 XX82WEST12345698765432", None),
        ("ip_address", "from 10.0.0.1:80, 2001:db8::1.", "from [ip_address]:80, [ip_address]."),
        ("ip_address", "1.2.3.4.5 999.1.1.1 12:34:56 std::vector 00:1a:2b:3c:4d:5e", None),
        ("secrets", "key sk_live_4eC39HqLyjWDarjtT1zdp7dc", "key [secret]"),
        ("secrets", "sk-proj-abcDEF0123456789 ghp_abcdefghijklmnopqrst0123", "[secret] [secret]"),
        ("secrets", "AKIAIOSFODNN7EXAMPLE eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "[secret] [secret]"),
        ("secrets", "Authorization: Bearer abcdefghijklmnop0123", "Authorization: Bearer [secret]"),
        ("secrets", "postgres://app:hunter2@db.example/x", "postgres://[credentials]@db.example/x"),
        ("secrets", f"a {PEM} b", "a [secret] b"),
        ("secrets", f"cut {PEM[:60]}", "cut [secret]"),
        ("secrets", "a task-management tool, sk_ and eyJ", None),
    ],
)
def test_what_a_detector_recognises(detector: str, text: str, masked: str | None) -> None:
    only = Masker(MaskingRules(detectors=[Detector(detector)]))
    assert only.mask(text) == (text if masked is None else masked)
    others = [other for other in ALL if other != detector]
    if masked is None:
        return
    untouched = Masker(MaskingRules(detectors=others)).mask(text)
    assert untouched != masked  # it is this detector, and it can be switched off
    assert EVERYTHING.mask(masked) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (
            '{"to": "a@b.example", "n": 4111111111111111, "f": 1.10}',
            '{"to": "[email]", "n": 4111111111111111, "f": 1.10}',
        ),
        (r'["\nfoo@b.example", "\u0061\u0040b.example"]', r'["\n[email]", "[email]"]'),
        (r'{"u": "https:\/\/u:p@h.example"}', '{"u": "https://[credentials]@h.example"}'),
        (r'{"a": "{\"b\": \"x@y.example\"}"}', r'{"a": "{\"b\": \"[email]\"}"}'),
        ('{"a@b.example": 1}', '{"[email]": 1}'),
        ('{"cut": "a@b.example', '{"cut": "[email]'),
    ],
)
def test_json_in_text_stays_json(text: str, masked: str) -> None:
    assert EVERYTHING.mask(text) == masked
    if text.endswith(("}", "]")):
        json.loads(masked)


def test_every_part_of_a_span_is_masked_and_ids_and_numbers_are_not() -> None:
    span = make_span(
        name="mail a@b.example",
        attributes={
            "input.value": "a@b.example",
            "nested": {"list": ["a@b.example", {"a@b.example": b"a@b.example"}]},
            "number": 4111111111111111,
            "secret.key": "x",
            "drop.this": 1,
            "bytes": b"\xff a@b.example",
        },
        status=2,
    )
    span.status.message = "no a@b.example"
    event = span.events.add(name="exception")
    event.attributes.extend(pairs({"exception.message": "a@b.example", "drop.that": "x"}))
    span.links.add(trace_id=bytes(16), span_id=bytes(8)).attributes.extend(pairs({"to": "a@b.example"}))
    request = make_request(span, resource={"service.name": "shop", "owner": "a@b.example", "secret.key": "x"})
    rules = MaskingRules(detectors=ALL, drop_attributes=["secret.key", "drop.*"])
    Masker(rules).apply(request)
    masked = request.resource_spans[0].scope_spans[0].spans[0]
    assert (masked.trace_id, masked.span_id, masked.start_time_unix_nano) == (
        span.trace_id,
        span.span_id,
        span.start_time_unix_nano,
    )
    assert masked.name == "mail [email]"
    assert masked.status.message == "no [email]"
    assert {item.key: item.value for item in masked.attributes} == {
        "input.value": any_value("[email]"),
        "nested": any_value({"list": ["[email]", {"[email]": b"[email]"}]}),
        "number": any_value(4111111111111111),
        "bytes": any_value(b"\xff a@b.example"),
    }
    assert [(item.key, item.value.string_value) for item in masked.events[0].attributes] == [
        ("exception.message", "[email]")
    ]
    assert masked.links[0].attributes[0].value.string_value == "[email]"
    assert [(item.key, item.value.string_value) for item in request.resource_spans[0].resource.attributes] == [
        ("service.name", "shop"),
        ("owner", "[email]"),
    ]


def test_content_can_be_dropped_whatever_the_convention() -> None:
    known = load_conventions()
    keys = {field.key for convention in known for field in convention.fields}
    keys |= {key for convention in known for key in convention.keys}
    keys |= {f"{prefix}0.content" for convention in known for prefix in convention.prefixes}
    span = make_span(attributes=dict.fromkeys(sorted(keys), "hello"))
    assert map_span(span).input is not None
    span.events.add(name="gen_ai.user.message").attributes.extend(pairs({"content": "hi"}))
    span.events.add(name="exception")
    request = make_request(span)
    Masker(MaskingRules(content="drop")).apply(request)
    left = request.resource_spans[0].scope_spans[0].spans[0]
    assert not [item.key for item in left.attributes if is_content(item.key)]
    assert (map_span(left).input, map_span(left).output) == (None, None)
    assert "gen_ai.request.model" in {item.key for item in left.attributes}
    assert [event.name for event in left.events] == ["exception"]


def test_log_records_are_masked_too() -> None:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.log_records.add(event_name="gen_ai.user.message", body=any_value({"content": "a@b.example"}))
    other = scope.log_records.add(body=AnyValue(string_value="a@b.example"))
    other.attributes.extend(pairs({"to": "a@b.example"}))
    again = ExportLogsServiceRequest.FromString(request.SerializeToString())
    EVERYTHING.apply_logs(request)
    first, second = request.resource_logs[0].scope_logs[0].log_records
    assert first.body == any_value({"content": "[email]"})
    assert (second.body.string_value, second.attributes[0].value.string_value) == ("[email]", "[email]")
    Masker(MaskingRules(content="drop")).apply_logs(again)
    first, second = again.resource_logs[0].scope_logs[0].log_records
    assert not first.HasField("body")
    assert second.body.string_value == "a@b.example"


def test_rules_of_ones_own() -> None:
    own = Masker(
        MaskingRules(
            detectors=[Detector.EMAIL],
            rules=[
                MaskingRule(name="customer", pattern=r"\bC-(\d{6})\b"),
                MaskingRule(name="all", pattern="^secret$", replacement="gone: all"),
            ],
        )
    )
    assert own.mask("customer C-123456, a@b.example") == "customer C-[customer], [email]"
    assert own.mask('{"a": "secret", "b": "no secret"}') == '{"a": "[gone: all]", "b": "no secret"}'


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pattern", "(a"),
        ("pattern", r"(?=a)b"),
        ("pattern", r"(a)\1"),
        ("pattern", "a*"),
        ("pattern", "a" * 501),
        ("pattern", "((a{1,999}){1,999}){1,999}"),
        ("name", "A b"),
        ("name", "null"),
        ("replacement", "[x]"),
        ("replacement", "12"),
    ],
    ids=["open", "lookahead", "reference", "empty", "long", "big", "name", "word", "brackets", "number"],
)
def test_a_rule_that_cannot_hold_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=field):
        MaskingRule.model_validate({"name": "rule", "pattern": "x", field: value})


def test_a_text_with_too_much_to_mask_is_masked_as_a_whole() -> None:
    assert masker(("a", "a")).mask("ab" * 50_000) == MASKED.decode()
    assert EVERYTHING.mask(json.dumps(["a@b.example"] * 10_001)) == MASKED.decode()
    # Patterns that look to the end of the text for every match, and long texts, end in bounded time.
    assert masker(("a", "a(?:.*b)?")).mask("ac" * 4_000).count("[a]") == 4_000
    long = "x" * 100_000 + " a@b.example " + "y" * 100_000
    assert EVERYTHING.mask(long) == long.replace("a@b.example", "[email]")


PIECES = st.sampled_from(
    [
        *("a@b.example", "+49 151 2345678", "4111 1111 1111 1111", "10.0.0.1", "2001:db8::1", "DE89370400440532013000"),
        *("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "https://u:p@h.example", "-----BEGIN PRIVATE KEY-----", "[email]", "[x]"),
        *("[", "]", '"', "\\", "\\u0040", "{", "}", ":", ",", " ", "\n", "1", "-", ".", "@", "a", "é", "\ud800", "x"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join)
JSONS = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RULES = st.lists(
    st.sampled_from(["a", "x$", "^a", "[0-9]+", r"\bx", r"a.*b", "(?i)E", r"[\[\]]", "ab", r"\pL{3}"]), max_size=3
)


@settings(max_examples=300)
@given(text=TEXTS | JSONS.map(json.dumps) | JSONS.map(lambda value: json.dumps(json.dumps(value))), patterns=RULES)
def test_masked_text_stays_as_it_is(text: str, patterns: list[str]) -> None:
    own = masker(*((f"r{index}", pattern) for index, pattern in enumerate(patterns)), detectors=ALL)
    masked = own.mask(text)
    assert own.mask(masked) == masked
    assert own.mask(text) == masked
    try:
        value = json.loads(text)
    except ValueError:
        return
    if isinstance(value, dict | list) and masked != MASKED.decode():
        json.loads(masked)


@settings(max_examples=100)
@given(value=JSONS)
def test_numbers_and_shape_stay(value: Any) -> None:
    masked = EVERYTHING.mask(json.dumps(value))
    if isinstance(value, list):
        assert len(json.loads(masked)) == len(value)
    if isinstance(value, int | None):
        assert json.loads(masked) == value
