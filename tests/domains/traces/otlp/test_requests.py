import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.errors import MalformedOtlpError
from spectral.domains.traces.mapping import any_value, attributes_of
from spectral.domains.traces.otlp import json_values as otlp_json_values
from spectral.domains.traces.otlp import requests as otlp
from spectral.domains.traces.otlp.json_requests import decode_json
from spectral.domains.traces.otlp.requests import (
    JSON,
    PROTOBUF,
    Rejections,
    content_type_of,
    decode_protobuf,
    framed,
    invalid_because,
    valid_spans,
)
from spectral.platform.shared.errors import PayloadTooLargeError, UnsupportedMediaTypeError
from tests.domains.traces import otlp_samples
from tests.domains.traces.otlp_samples import START, TRACE_ID, json_request, json_span, make_request, make_span


def spans_of(request: ExportTraceServiceRequest) -> list[Span]:
    return [span for rs in request.resource_spans for ss in rs.scope_spans for span in ss.spans]


def read_json_span(**members: Any) -> Span:
    rejections = Rejections()
    (span,) = spans_of(decode_json(json_request(json_span(**members)), rejections))
    assert not rejections.count
    return span


def rejected_json_span(**members: Any) -> str:
    """What the sender of one bad span beside a good one is told; the good one is read."""
    rejections = Rejections()
    request = decode_json(json_request(json_span(**members), json_span(name="neighbour")), rejections)
    assert [span.name for span in spans_of(request)] == ["neighbour"]
    assert rejections.count == 1
    return rejections.message


# ------------------------------------------------------------------------------------------------------ content types


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/x-protobuf", PROTOBUF),
        ("application/protobuf", PROTOBUF),
        ("Application/JSON; charset=utf-8", JSON),
    ],
)
def test_the_two_content_types_are_known(header: str, expected: str) -> None:
    assert content_type_of(header) == expected


@pytest.mark.parametrize("header", [None, "", "text/plain", "application/x-protobuf2", "application/grpc"])
def test_no_other_content_type_is(header: str | None) -> None:
    with pytest.raises(UnsupportedMediaTypeError):
        content_type_of(header)


# ----------------------------------------------------------------------------------------------------------- validity


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (make_span(), None),
        (make_span(parent=b"12345678"), None),
        (make_span(parent=bytes(8)), None),
        (make_span(end=START), None),
        (make_span(trace_id=b""), "invalid_trace_id"),
        (make_span(trace_id=bytes(16)), "invalid_trace_id"),
        (make_span(trace_id=TRACE_ID[:8]), "invalid_trace_id"),
        (make_span(span_id=b""), "invalid_span_id"),
        (make_span(span_id=bytes(8)), "invalid_span_id"),
        (make_span(span_id=b"123456789"), "invalid_span_id"),
        (make_span(parent=b"1234"), "invalid_parent_span_id"),
        (make_span(start=0), "missing_time"),
        (make_span(end=0), "missing_time"),
        (make_span(end=2**63), "missing_time"),
        (make_span(end=START - 1), "negative_duration"),
    ],
)
def test_a_span_is_valid_or_says_why_not(span: Span, reason: str | None) -> None:
    assert invalid_because(span) == reason


def test_a_bad_span_does_not_cost_its_neighbours() -> None:
    rejections = Rejections()
    request = make_request(make_span(span_id=b""), make_span(), make_span(start=0), make_span(span_id=b"x", name="odd"))
    kept = list(valid_spans(request.resource_spans[0].scope_spans[0], rejections))
    assert len(kept) == 1
    assert rejections.reasons == {"invalid_span_id": 2, "missing_time": 1}
    assert "2 × span_id must be 8 bytes" in rejections.message
    assert "chat small" in rejections.message


# ----------------------------------------------------------------------------------------------------------- protobuf


def test_an_empty_body_is_an_empty_request() -> None:
    assert spans_of(decode_protobuf(b"", Rejections())) == []


@pytest.mark.parametrize("body", [b"\x0a", b"\x0a\xff", b"not protobuf", b"\xff" * 40, b"\x0a\x02\x12\x05"])
def test_what_is_not_protobuf_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedOtlpError):
        decode_protobuf(body, Rejections())


def test_text_that_is_not_utf8_costs_only_its_span() -> None:
    body = make_request(make_span(name="good"), make_span(name="bad!"), make_span(name="fine")).SerializeToString()
    rejections = Rejections()
    request = decode_protobuf(body.replace(b"bad!", b"\xff\xfe\xfd\xfc"), rejections)
    assert [span.name for span in spans_of(request)] == ["good", "fine"]
    assert rejections.reasons == {"malformed_span": 1}
    assert request.resource_spans[0].resource.attributes[0].value.string_value == "shop"
    assert request.resource_spans[0].scope_spans[0].scope.name == "tests"


@given(st.binary(max_size=200))
def test_no_body_does_more_than_be_refused(body: bytes) -> None:
    for decode in (decode_protobuf, decode_json):
        try:
            request = decode(body, Rejections())
        except MalformedOtlpError:
            continue
        assert isinstance(request, ExportTraceServiceRequest)


# --------------------------------------------------------------------------------------------------------------- JSON


def test_json_and_protobuf_give_the_same_message() -> None:
    span = otlp_samples.make_span(
        parent=b"12345678",
        status=2,
        attributes={"a": "text", "b": 7, "c": 1.5, "d": True, "e": ["x", 2], "f": {"g": None}, "h": b"\x00\xff"},
    )
    span.kind = Span.SPAN_KIND_CLIENT
    span.trace_state = "vendor=1"
    span.flags = 257
    span.status.message = "broken"
    span.events.add(time_unix_nano=START + 5, name="exception", attributes=span.attributes[:1])
    span.links.add(trace_id=bytes(range(16)), span_id=bytes(range(8)))
    span.dropped_attributes_count = 3
    document = json_span(
        parentSpanId=b"12345678".hex(),
        traceState="vendor=1",
        flags=257,
        status={"code": 2, "message": "broken"},
        attributes=[
            {"key": "a", "value": {"stringValue": "text"}},
            {"key": "b", "value": {"intValue": "7"}},
            {"key": "c", "value": {"doubleValue": 1.5}},
            {"key": "d", "value": {"boolValue": True}},
            {"key": "e", "value": {"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": 2}]}}},
            {"key": "f", "value": {"kvlistValue": {"values": [{"key": "g", "value": {}}]}}},
            {"key": "h", "value": {"bytesValue": base64.b64encode(b"\x00\xff").decode()}},
        ],
        events=[
            {
                "timeUnixNano": str(START + 5),
                "name": "exception",
                "attributes": [{"key": "a", "value": {"stringValue": "text"}}],
            }
        ],
        links=[{"traceId": bytes(range(16)).hex(), "spanId": bytes(range(8)).hex().upper()}],
        droppedAttributesCount=3,
    )
    request = decode_json(json_request(document), Rejections())
    assert request == make_request(span)
    assert request.SerializeToString() == make_request(span).SerializeToString()


@pytest.mark.parametrize("body", [b"{}", b" {} ", b'{"resourceSpans": []}', b'{"resourceSpans": null, "other": 1}'])
def test_an_empty_request_in_json_is_empty(body: bytes) -> None:
    assert spans_of(decode_json(body, Rejections())) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"scopeSpans": 1}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}',
        b'\xff{"resourceSpans": []}',
        b"[" * 100_000,
    ],
)
def test_a_wrong_outer_structure_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedOtlpError):
        decode_json(body, Rejections())


@pytest.mark.parametrize(
    "number", [START, str(START), float(START), f"{START}.0", "17637264e11", f"{START / 10**18}E+18"]
)
def test_integers_come_as_numbers_or_strings(number: object) -> None:
    assert read_json_span(startTimeUnixNano=number).start_time_unix_nano == START


@pytest.mark.parametrize(("value", "kind"), [(3, 3), ("3", 3), ("SPAN_KIND_CLIENT", 3), (0, 0), (99, 99), (None, 0)])
def test_enums_are_integers_and_names_are_understood(value: object, kind: int) -> None:
    assert read_json_span(kind=value).kind == kind


def test_unknown_fields_are_ignored() -> None:
    span = read_json_span(entityRefs=[1], attributes=[{"key": "a", "value": {"newValue": 1}, "x": 2}])
    assert attributes_of(span.attributes) == {"a": None}


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    name = rb"\ud800 \ud83d\ude00 \\ud800 \udc00\ud800"
    body = json_request(json_span()).replace(b"chat small", name)
    rejections = Rejections()
    (span,) = spans_of(decode_json(body, rejections))
    assert (span.name, rejections.count) == ("\ufffd \U0001f600 \\ud800 \ufffd\ufffd", 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": ""}, ""),
        ({"boolValue": False}, False),
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": 9223372036854775807}, 2**63 - 1),
        ({"doubleValue": 3}, 3.0),
        ({"doubleValue": "Infinity"}, math.inf),
        ({"bytesValue": "AP8="}, "AP8="),
        ({"bytesValue": "AP8"}, "AP8="),
        ({"arrayValue": {}}, []),
        ({"arrayValue": {"values": []}}, []),
        ({"kvlistValue": {"values": []}}, {}),
        ({}, None),
    ],
)
def test_every_form_of_a_value_is_read(value: dict[str, Any], expected: object) -> None:
    span = read_json_span(attributes=[{"key": "a", "value": value}])
    assert any_value(span.attributes[0].value) == expected


@pytest.mark.parametrize(
    "members",
    [
        {"traceId": 7},
        {"traceId": "xyz"},
        {"name": 7},
        {"startTimeUnixNano": -1},
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": True},
        {"startTimeUnixNano": 2**64},
        {"startTimeUnixNano": "1e1000000000"},
        {"startTimeUnixNano": "1.5"},
        {"startTimeUnixNano": "nan"},
        {"startTimeUnixNano": "1_000"},
        {"traceId": "5b 8e"},
        {"attributes": {}},
        {"attributes": [7]},
        {"attributes": [{"key": 7}]},
        {"attributes": [{"key": "a", "value": "text"}]},
        {"attributes": [{"key": "a", "value": {"intValue": 1.5}}]},
        {"attributes": [{"key": "a", "value": {"intValue": str(2**63)}}]},
        {"attributes": [{"key": "a", "value": {"boolValue": "true"}}]},
        {"attributes": [{"key": "a", "value": {"doubleValue": "much"}}]},
        {"attributes": [{"key": "a", "value": {"doubleValue": 10**400}}]},
        {"attributes": [{"key": "a", "value": {"doubleValue": "1_0"}}]},
        {"attributes": [{"key": "a", "value": {"doubleValue": " 1"}}]},
        {"attributes": [{"key": "a", "value": {"bytesValue": "?"}}]},
        {"events": [7]},
        {"links": [{"traceId": []}]},
        {"status": 2},
        {"status": {"code": "BROKEN"}},
        {"kind": []},
    ],
)
def test_a_span_of_the_wrong_form_is_rejected_alone(members: dict[str, Any]) -> None:
    assert "cannot be read" in rejected_json_span(**members)


def nested(depth: int, *, in_lists: bool) -> dict[str, Any]:
    """A text in that many arrays or key-value lists, in JSON."""
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(depth):
        value = (
            {"arrayValue": {"values": [value]}}
            if in_lists
            else {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
        )
    return value


@pytest.mark.parametrize(("in_lists", "deepest"), [(True, 47), (False, 31)])
@pytest.mark.parametrize("where", ["span", "event"])
def test_values_are_nested_as_deep_in_json_as_in_protobuf_and_can_be_read_again(
    where: str, *, in_lists: bool, deepest: int
) -> None:
    def member(depth: int) -> dict[str, Any]:
        attributes = [{"key": "a", "value": nested(depth, in_lists=in_lists)}]
        return {"attributes": attributes} if where == "span" else {"events": [{"attributes": attributes}]}

    request = decode_json(json_request(json_span(**member(deepest))), Rejections())
    assert decode_protobuf(request.SerializeToString(), Rejections()) == request
    assert "nested too deeply" in rejected_json_span(**member(deepest + 1))
    # As an encoder writes it that knows no limit: each message around the one before.
    encoded = AnyValue(string_value="x").SerializeToString()
    for _ in range(deepest + 1):
        kept = b"" if in_lists else framed(1, b"k")
        inner = framed(1, encoded) if in_lists else framed(1, kept + framed(2, encoded))
        encoded = framed(5 if in_lists else 6, inner)
    attribute = framed(1, b"a") + framed(2, encoded)
    part = framed(9, attribute) if where == "span" else framed(11, framed(3, attribute))
    deep, neighbour = make_span().SerializeToString() + part, make_span(name="neighbour").SerializeToString()
    spans = framed(2, deep) + framed(2, neighbour)
    rejections = Rejections()
    kept_request = decode_protobuf(framed(1, framed(2, spans)), rejections)
    assert [span.name for span in spans_of(kept_request)] == ["neighbour"]
    assert rejections.reasons == {"malformed_span": 1}


def test_a_json_body_is_only_as_deep_as_its_reader() -> None:
    for where in ('{"resourceSpans": [], "new": %s}', '{"resourceSpans": [{"scopeSpans": [{"spans": %s}]}]}'):
        with pytest.raises(MalformedOtlpError):
            decode_json((where % ("[" * 100_000 + "]" * 100_000)).encode(), Rejections())


# ------------------------------------------------------------------------------------------- neighbours of what is bad


@pytest.mark.parametrize("place", ["resource", "scope"])
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_resource_or_scope_that_cannot_be_read_costs_only_its_own_spans(kind: str, place: str) -> None:
    if kind == JSON:
        bad = {"attributes": [{"key": 7}]} if place == "resource" else {"name": 7}
        lost: dict[str, Any] = {"scopeSpans": [{"spans": [json_span(), json_span()]}]}
        (lost if place == "resource" else lost["scopeSpans"][0])[place] = bad
        other = json.loads(json_request(json_span(name="neighbour")))["resourceSpans"]
        body, decode = json.dumps({"resourceSpans": [lost, *other]}).encode(), decode_json
    else:
        marked = make_request(make_span(), make_span(), resource={"k": "mark!"})
        marked.resource_spans[0].scope_spans[0].scope.name = "scope!"
        marked.MergeFrom(make_request(make_span(name="neighbour")))
        body, decode = marked.SerializeToString(), decode_protobuf
        body = body.replace(b"mark!" if place == "resource" else b"scope!", b"\xff" * (5 if place == "resource" else 6))
    rejections = Rejections()
    assert [span.name for span in spans_of(decode(body, rejections))] == ["neighbour"]
    assert rejections.reasons == {"malformed_resource": 2}


@pytest.mark.parametrize(
    "bad",
    [b'{"name":"\xff\xfe"}', b'{"startTimeUnixNano":' + b"9" * 5000 + b"}", b'{"flags":1e999}', b'"text"', b"7"],
    ids=["not utf-8", "endless digits", "beyond a double", "text", "number"],
)
def test_a_json_span_that_no_reader_takes_costs_only_itself(bad: bytes) -> None:
    body = json_request(json_span(name="before"), json_span(name="marked"), json_span(name="after"))
    start = body.index(b"{", body.index(b"before"))
    end = body.index(b"}", body.index(b"marked")) + 1
    rejections = Rejections()
    request = decode_json(body[:start] + bad + body[end:], rejections)
    assert [span.name for span in spans_of(request)] == ["before", "after"]
    assert rejections.reasons == {"malformed_span": 1}


def test_of_repeated_members_the_last_counts() -> None:
    body = json_request(json_span()).replace(b'"name": "chat small"', b'"name": "first", "name": "last"')
    (span,) = spans_of(decode_json(body, Rejections()))
    assert span.name == "last"


# ------------------------------------------------------------------------------------------------------------- limits


def test_more_spans_than_a_request_may_have_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "MAXIMUM_SPANS", 3)
    request = make_request(make_span(name="a"), make_span(name="b"))
    request.MergeFrom(make_request(make_span(name="c"), make_span(name="d"), make_span(name="e")))
    for decode, body in (
        (decode_protobuf, request.SerializeToString()),
        (decode_json, json_request(*(json_span(name=name) for name in "abcde"))),
    ):
        rejections = Rejections()
        assert [span.name for span in spans_of(decode(body, rejections))] == ["a", "b", "c"]
        assert rejections.reasons == {"too_many_spans": 2}


def test_a_span_or_a_resource_that_is_too_large_is_rejected_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "MAXIMUM_SPAN_BYTES", 1000)
    monkeypatch.setattr(otlp, "MAXIMUM_RESOURCE_BYTES", 500)
    request = make_request(make_span(name="x" * 1000), make_span(name="fits"), make_span(name="y" * 999))
    request.MergeFrom(make_request(make_span(name="of a large resource"), resource={"k": "x" * 500}))
    rejections = Rejections()
    assert [span.name for span in spans_of(decode_protobuf(request.SerializeToString(), rejections))] == ["fits"]
    assert rejections.reasons == {"span_too_large": 2, "resource_too_large": 1}
    large = json_request(json_span(name="x" * 1000), json_span(name="fits"))
    rejections = Rejections()
    assert [span.name for span in spans_of(decode_json(large, rejections))] == ["fits"]
    assert rejections.reasons == {"span_too_large": 1}


def test_a_resource_cannot_be_multiplied_by_the_traces_that_it_is_sent_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "MAXIMUM_REPEATED_BYTES", 5000)
    resource = {"k": "x" * 900}
    many = make_request(*(make_span(trace_id=bytes([n + 1] * 16)) for n in range(10)), resource=resource)
    one = make_request(*(make_span(span_id=bytes([n + 1] * 8)) for n in range(10)), resource=resource)
    rejections = Rejections()
    assert len(spans_of(decode_protobuf(one.SerializeToString(), rejections))) == 10
    assert not rejections.count
    assert not spans_of(decode_protobuf(many.SerializeToString(), rejections))
    assert rejections.reasons == {"resource_too_large": 10}


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a\x00" * 300,
        framed(1, b"\x12\x00" * 300),
        framed(1, framed(2, b"\x12\x00" * 300)),
        framed(1, framed(2, framed(2, b"\x4a\x00" * 300))),
        framed(1, framed(2, framed(2, framed(9, framed(2, framed(5, b"\x0a\x00" * 300)))))),
        b'{"new":[' + b"{}," * 1000 + b"{}]}",
    ],
    ids=["resources", "scopes", "spans", "attributes", "values", "objects"],
)
def test_a_body_of_nothing_but_empty_messages_is_refused_before_it_is_read(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = decode_json if body.startswith(b"{") else decode_protobuf
    decode(body, Rejections())
    monkeypatch.setattr(otlp, "LARGE_BYTES", 100)
    monkeypatch.setattr(otlp_json_values, "LARGE_BYTES", 100)
    decode(body, Rejections())
    monkeypatch.setattr(otlp, "MAXIMUM_PARTS", 100)
    monkeypatch.setattr(otlp_json_values, "MAXIMUM_PARTS", 100)
    with pytest.raises(PayloadTooLargeError):
        decode(body, Rejections())
    # What is large because it says much is not meant.
    large = make_request(*(make_span(name="x" * 1000) for _ in range(20))).SerializeToString()
    assert len(spans_of(decode_protobuf(large, Rejections()))) == 20
