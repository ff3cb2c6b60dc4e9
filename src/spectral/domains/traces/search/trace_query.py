"""The query parameters that say which traces are asked for: the same where they are listed, counted and exported."""

from typing import Annotated, Literal

from litestar.params import QueryParameter

from spectral.domains.traces.moments import parse_query_ns
from spectral.domains.traces.search.filter_expression import MAXIMUM_CHARACTERS, parse_filter
from spectral.domains.traces.search.filter_fields import DOCUMENTED
from spectral.domains.traces.search.trace_filter import TraceFilter
from spectral.domains.traces.search.words import MAXIMUM_CHARACTERS as MAXIMUM_Q
from spectral.domains.traces.search.words import parse_words
from spectral.domains.traces.vocabulary import SpanStatus

NANOSECONDS_A_MILLISECOND = 1_000_000

Text = Annotated[str | None, QueryParameter(max_length=512)]

FILTER_DESCRIPTION = (
    "All parameters narrow the list together. `filter` is one expression, such as "
    '`model = "gpt-4o" and (duration_ms > 500 or status = error) and span.tool = "search"`: terms with '
    "`= != < <= > >= ~ has in exists`, joined by `and`, `or`, `not` and parentheses; an error names its position. "
    "Times are in quotes (RFC 3339) or `now-24h`, durations in milliseconds or with a unit. Its fields: "
    + ", ".join(f"`{field.name}`" for field in DOCUMENTED)
    + '.\n\n`q` searches the words of name, input and output: all of them, `"a phrase"`, `-without`, `begin*`.\n\n'
    "`content`, and the fields that are called deep (`attr[…]`, `event`, `content`), search what was sent for every "
    "span, newest first, in the 24 hours before `to` (or now) unless `from` is given; a request does a bounded amount "
    "of that, so follow `next_cursor` until it is null."
)


def provide_trace_filter(
    start_from: Annotated[
        str | None, QueryParameter(name="from", max_length=64, description="RFC 3339; started then or later")
    ] = None,
    start_to: Annotated[
        str | None, QueryParameter(name="to", max_length=64, description="RFC 3339; started before")
    ] = None,
    status: Literal["unset", "ok", "error"] | None = None,
    has_error: Annotated[bool | None, QueryParameter(description="whether any span failed")] = None,
    agent_id: Text = None,
    agent_version: Text = None,
    session_id: Text = None,
    user_id: Text = None,
    mode: Text = None,
    service: Text = None,
    error_type: Text = None,
    model: Annotated[str | None, QueryParameter(max_length=512, description="a model that it called")] = None,
    tag: Annotated[str | None, QueryParameter(max_length=512, description="a tag that it has")] = None,
    name: Annotated[str | None, QueryParameter(max_length=512, description="part of the name, in any case")] = None,
    min_duration_ms: Annotated[float | None, QueryParameter(ge=0, le=1e12)] = None,
    expression: Annotated[
        str | None,
        QueryParameter(name="filter", description=f"an expression of at most {MAXIMUM_CHARACTERS} characters"),
    ] = None,
    words: Annotated[
        str | None, QueryParameter(name="q", max_length=MAXIMUM_Q, description="words of name, input and output")
    ] = None,
    content: Annotated[
        str | None, QueryParameter(min_length=1, max_length=512, description="part of any text that was sent; deep")
    ] = None,
) -> TraceFilter:
    """The traces that a query asks for. Raises ValidationFailedError (422)."""
    return TraceFilter(
        start_from=parse_query_ns("from", start_from),
        start_to=parse_query_ns("to", start_to),
        status=None if status is None else SpanStatus.NAMES.index(status),
        has_error=has_error,
        agent_id=agent_id,
        agent_version=agent_version,
        session_id=session_id,
        user_id=user_id,
        mode=mode,
        service=service,
        error_type=error_type,
        model=model,
        tag=tag,
        name_contains=name,
        minimum_duration_ns=None if min_duration_ms is None else round(min_duration_ms * NANOSECONDS_A_MILLISECOND),
        expression=parse_filter(expression),
        words=parse_words(words),
        content=content,
    )
