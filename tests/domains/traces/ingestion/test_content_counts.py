from spectral.domains.traces.ingestion.content_counts import (
    MAXIMUM_SCOPE_NAME,
    MAXIMUM_SCOPES,
    ContentCounts,
    add_content,
    count_content,
    count_events,
)
from tests.domains.traces.otlp_samples import make_request, make_span, map_span, prepare_request

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "small"}


def test_model_calls_are_counted_by_scope_and_whether_they_have_content() -> None:
    counts: ContentCounts = {}
    for attributes in (CALL, CALL, CALL | {"gen_ai.input.messages": "[]"}, CALL | {"gen_ai.completion": "yes"}):
        count_content(counts, "openai", map_span(make_span(attributes=attributes)))
    count_content(counts, "other", map_span(make_span(attributes=CALL)))
    assert counts == {"openai": [4, 2], "other": [1, 1]}


def test_only_model_calls_are_counted() -> None:
    request = make_request(
        make_span(),
        make_span(span_id=b"call____", attributes=CALL),
        make_span(span_id=b"embeds__", attributes={"gen_ai.operation.name": "embeddings"}),
        make_span(span_id=b"tool____", attributes={"gen_ai.operation.name": "execute_tool"}),
    )
    assert prepare_request(request).content == {"tests": [1, 1]}


def test_content_that_comes_as_log_events_is_no_content_that_is_missing() -> None:
    counts: ContentCounts = {}
    add_content(counts, {"by events": [3, 3], "by nothing": [2, 2]})
    events: ContentCounts = {}
    count_events(events, {"by events": 3, "of spans in another minute": 1})
    add_content(counts, events)
    assert counts == {"by events": [3, 0], "by nothing": [2, 2], "of spans in another minute": [0, -1]}


def test_names_of_scopes_and_their_number_are_bounded() -> None:
    counts: ContentCounts = {}
    span = map_span(make_span(attributes=CALL))
    for number in range(MAXIMUM_SCOPES + 5):
        count_content(counts, f"{number:03d}\x00" + "x" * 1000, span)
        count_content(counts, f"{number:03d}\x00" + "x" * 1000, span)
    assert len(counts) == MAXIMUM_SCOPES
    assert {len(name) for name in counts} == {MAXIMUM_SCOPE_NAME}
    assert set(map(tuple, counts.values())) == {(2, 2)}
    assert "\x00" not in "".join(counts)
