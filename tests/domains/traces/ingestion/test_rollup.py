"""Rollups depend on the set of spans alone."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.traces.ingestion.rollup import (
    COUNTER_COLUMNS,
    HOUR_NS,
    LATENCY_BOUNDS_US,
    TraceRollup,
    TraceRow,
    Usage,
    add_usage,
    count_usage,
)
from spectral.domains.traces.vocabulary import MappedSpan
from tests.domains.traces.otlp_samples import SECOND, START, TRACE_ID, make_span, map_span

ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "gen_ai.operation.name": st.sampled_from(["chat", "invoke_agent", "execute_tool", "embeddings"]),
        "gen_ai.request.model": st.sampled_from([f"model-{number:02d}" for number in range(30)]),
        "gen_ai.usage.input_tokens": st.integers(0, 5000),
        "gen_ai.usage.output_tokens": st.integers(0, 5000),
        "gen_ai.usage.cost": st.floats(0, 1),
        "gen_ai.input.messages": st.sampled_from(["question", "another question", ""]),
        "gen_ai.output.messages": st.sampled_from(["answer", "another answer"]),
        "gen_ai.agent.id": st.sampled_from(["a", "b"]),
        "spectral.agent.id": st.sampled_from(["x", "y"]),
        "spectral.mode": st.sampled_from(["live", "evaluation", "shadow"]),
        "session.id": st.sampled_from(["s", "t"]),
        "user.id": st.sampled_from(["u", "v"]),
        "spectral.tags": st.lists(st.sampled_from([f"tag-{number}" for number in range(60)]), max_size=30),
        "error.type": st.sampled_from(["timeout", "refused"]),
    },
)


@st.composite
def mapped_spans(draw: st.DrawFn, *, maximum: int = 8) -> list[MappedSpan]:
    """Spans of one trace, no two of them copies of one span."""
    ids = draw(st.lists(st.integers(1, 50), min_size=1, max_size=maximum, unique=True))
    spans = []
    for number in ids:
        start = START + draw(st.integers(0, 3)) * HOUR_NS + draw(st.integers(0, 2))
        span = make_span(
            span_id=number.to_bytes(8, "big"),
            parent=draw(st.sampled_from([b"", b"parent__"])),
            name=f"span {number}",
            start=start,
            end=start + draw(st.integers(0, 10 * SECOND)),
            status=draw(st.sampled_from([0, 1, 2])),
            attributes=draw(ATTRIBUTES),
        )
        service = draw(st.sampled_from([None, "shop", "store", "unknown_service"]))
        spans.append(map_span(span, {} if service is None else {"service.name": service}))
    return spans


def row_of(spans: list[MappedSpan]) -> TraceRow:
    return TraceRollup.of(TRACE_ID, spans).row()


@given(mapped_spans(), st.randoms(use_true_random=False), st.data())
def test_order_and_batches_do_not_matter(spans: list[MappedSpan], random: Any, data: st.DataObject) -> None:
    expected = row_of(spans)
    shuffled = random.sample(spans, len(spans))
    assert row_of(shuffled) == expected
    cut = data.draw(st.integers(0, len(shuffled)))
    merged = TraceRollup.of(TRACE_ID, shuffled[:cut])
    merged.merge(TraceRollup.of(TRACE_ID, shuffled[cut:]))
    assert merged.row() == expected


@given(mapped_spans(), st.data())
def test_a_stored_rollup_goes_on_where_it_stopped(spans: list[MappedSpan], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(1, len(spans)), max_size=3)))
    stored: TraceRow | None = None
    for first, last in zip([0, *cuts], [*cuts, len(spans)], strict=True):
        part = spans[first:last]
        if not part:
            continue
        if stored is None:
            stored = row_of(part)
        else:
            rollup = TraceRollup.stored(stored)
            rollup.merge(TraceRollup.of(TRACE_ID, part))
            stored = rollup.row()
    assert stored == row_of(spans)


@given(mapped_spans(), mapped_spans())
def test_taking_spans_out_again_leaves_the_counters_as_they_were(
    before: list[MappedSpan], added: list[MappedSpan]
) -> None:
    usage: Usage = {}
    for span in before:
        count_usage(usage, span.row)
    expected = {key: list(counters) for key, counters in usage.items()}
    for span in added:
        count_usage(usage, span.row)
    for span in added:
        count_usage(usage, span.row, -1)
    assert {key: counters for key, counters in usage.items() if any(counters)} == expected
    doubled: Usage = {}
    add_usage(doubled, expected)
    add_usage(doubled, expected)
    assert doubled == {key: [2 * count for count in counters] for key, counters in expected.items()}


def test_an_agent_s_tokens_are_not_added_to_those_of_its_model_calls() -> None:
    agent = map_span(
        make_span(
            span_id=b"agent___",
            gen_ai__operation__name="invoke_agent",
            gen_ai__usage__input_tokens=30,
            gen_ai__usage__output_tokens=5,
            gen_ai__usage__cost=0.3,
        )
    )
    calls = [
        map_span(
            make_span(
                span_id=f"call___{number}".encode(),
                parent=b"agent___",
                gen_ai__operation__name="chat",
                gen_ai__usage__input_tokens=10,
                gen_ai__usage__output_tokens=1,
                attributes={"gen_ai.usage.cost": 0.1} if number else {},
            )
        )
        for number in range(3)
    ]
    alone = row_of([agent])
    assert (alone.input_tokens, alone.output_tokens, alone.cost_nano_usd) == (30, 5, 300_000_000)
    whole = row_of([agent, *calls])
    assert (whole.input_tokens, whole.output_tokens) == (30, 3)
    assert (whole.cost_nano_usd, whole.unpriced_spans) == (200_000_000, 1)


def test_an_unknown_cost_stays_unknown() -> None:
    call = map_span(make_span(gen_ai__request__model="m", gen_ai__usage__input_tokens=1))
    assert row_of([call]).cost_nano_usd is None
    assert row_of([call]).unpriced_spans == 1


def test_the_root_gives_the_trace_its_name_also_when_it_comes_last() -> None:
    child = map_span(make_span(span_id=b"child___", parent=b"root____", name="child", status=2))
    root = map_span(make_span(span_id=b"root____", name="root", start=START + 1, status=1))
    assert (row_of([child]).name, row_of([child]).status) == ("child", 2)
    row = row_of([child, root])
    assert (row.name, row.root_span_id, row.status, row.error_count) == ("root", b"root____", 1, 1)
    assert (row.started_at, row.ended_at, row.duration_ns) == (START, START + SECOND, SECOND)


def test_latencies_fall_into_their_bucket() -> None:
    usage: Usage = {}
    bounds = (0, LATENCY_BOUNDS_US[0], LATENCY_BOUNDS_US[-1] - 1, LATENCY_BOUNDS_US[-1], 10**15)
    for number, microseconds in enumerate(bounds):
        span = make_span(span_id=(number + 1).to_bytes(8, "big"), end=START + microseconds * 1000)
        count_usage(usage, map_span(span).row)
    (counters,) = usage.values()
    found = dict(zip(COUNTER_COLUMNS, counters, strict=True))
    assert [found[f"latency_{index:02d}"] for index in (0, 1, 34, 35)] == [1, 1, 1, 2]
    assert found["span_count"] == sum(found[name] for name in COUNTER_COLUMNS if name.startswith("latency_")) == 5
