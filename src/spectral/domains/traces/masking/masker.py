"""Masking: what a workspace does not want to be stored is replaced before anything is stored, shown or logged.

Text is masked until masking it again would change nothing. JSON inside text stays JSON: each of its strings is masked
by itself, and everything between them stays byte by byte.
"""

import json
import re
from collections.abc import Iterator, MutableSequence
from typing import Any, NamedTuple

import re2
import structlog
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.masking.content import EVENTS, is_content
from spectral.domains.traces.masking.detectors import RECOGNISERS, Check
from spectral.domains.traces.masking.detectors import Span as Place
from spectral.domains.traces.masking.rules import MaskingRules, compiled_pattern

MASKED = b"[masked]"
"""What a whole text becomes that cannot be masked piece by piece within the bounds."""

ROUNDS = 8
DEPTH = 8
WINDOW = 32 * 1024
OVERLAP = 8 * 1024
MAXIMUM_MATCHES = 10_000
BUILT_IN_PLACEHOLDERS = frozenset({MASKED, *(recogniser.placeholder for recogniser in RECOGNISERS)})

_UNANCHORED = re2._Anchor.UNANCHORED  # noqa: SLF001 - `search` makes an object of every match
_JSON_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
# Characters that triggers look for may hide behind these in JSON.
_HIDING = r"\\u00|\\/"
_ANCHORS = re.compile(r"[\^$]|\\[Az]")

log = structlog.get_logger(__name__)


class _TooManyError(Exception):
    """More matches in one text than are replaced one by one."""


class _Replacement(NamedTuple):
    """One thing that is looked for, what stands in its place, and which parts of a match are meant."""

    pattern: Any
    placeholder: bytes
    check: Check | None


class Masker:
    """The rules of one workspace, compiled. Safe to share between threads; never raises.

    Deterministic, and masking what is masked changes nothing. Ids, times, numbers and booleans stay.
    """

    def __init__(self, rules: MaskingRules) -> None:
        recognisers = [item for item in RECOGNISERS if item.detector in rules.detectors]
        # A customer's own rules are the more exact ones.
        own = [_Replacement(compiled_pattern(rule.pattern), rule.placeholder.encode(), None) for rule in rules.rules]
        built_in = [_Replacement(item.pattern, item.placeholder, item.check) for item in recognisers]
        self._replacements = [*own, *built_in]
        known = BUILT_IN_PLACEHOLDERS | {rule.placeholder for rule in own}
        self._placeholders = re.compile(b"|".join(re.escape(text) for text in sorted(known)))
        triggers = "|".join(f"(?:{trigger})" for trigger in (*(item.trigger for item in recognisers), _HIDING))
        # Where rules of one's own exist every text is searched for each: what they look for is not known.
        self._trigger = compiled_pattern(triggers)._regexp if recognisers and not own else None  # noqa: SLF001
        # Over one text, not over the JSON around it: what is anchored in a rule is anchored there.
        self._any = _combined([*(rule.pattern for rule in rules.rules), *(item.trigger for item in recognisers)])
        # Without anchors and escapes, what matches a string of JSON also matches the JSON around it.
        self._is_unanchored = not any(_ANCHORS.search(rule.pattern) for rule in rules.rules)
        self._exact = frozenset(key for key in rules.drop_attributes if not key.endswith("*"))
        self._prefixes = tuple(key[:-1] for key in rules.drop_attributes if key.endswith("*"))
        self._drops_content = rules.content == "drop"
        self._drops = bool(rules.drop_attributes) or self._drops_content

    def apply(self, request: ExportTraceServiceRequest) -> None:
        """Mask every span of the request in place, with its resource and scope."""
        for resource_spans in request.resource_spans:
            self._mask_attributes(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self._mask_attributes(scope_spans.scope.attributes)
                for span in scope_spans.spans:
                    self._mask_span(span)

    def apply_logs(self, request: ExportLogsServiceRequest | LogsData) -> None:
        """Mask every log record of the request in place, with its resource and scope."""
        for resource_logs in request.resource_logs:
            self._mask_attributes(resource_logs.resource.attributes)
            for scope_logs in resource_logs.scope_logs:
                self._mask_attributes(scope_logs.scope.attributes)
                for record in scope_logs.log_records:
                    self._mask_attributes(record.attributes)
                    if self._drops_content and (record.event_name or _named(record.attributes)) in EVENTS:
                        record.ClearField("body")
                    elif record.HasField("body"):
                        self._mask_value(record.body, 0)

    def mask_attributes(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """The attributes as they would be stored; for a preview of the rules."""
        return {
            key: self._mask_json(value, 0) for key, value in attributes.items() if not (self._drops and self._gone(key))
        }

    def mask(self, text: str) -> str:
        """The text as it would be stored."""
        return self._mask_text(text, 0)

    # ------------------------------------------------------------------------------------------------------ messages

    def _mask_span(self, span: Span) -> None:
        if not self._drops and self._is_clean(span.SerializeToString()):
            return
        self._mask_field(span, "name")
        if span.HasField("status"):
            self._mask_field(span.status, "message")
        self._mask_attributes(span.attributes)
        if self._drops_content and any(event.name in EVENTS for event in span.events):
            kept = [event for event in span.events if event.name not in EVENTS]
            del span.events[:]
            span.events.extend(kept)
        for event in span.events:
            self._mask_field(event, "name")
            self._mask_attributes(event.attributes)
        for link in span.links:
            self._mask_attributes(link.attributes)

    def _mask_attributes(self, attributes: MutableSequence[KeyValue]) -> None:
        if self._drops and any(self._gone(attribute.key) for attribute in attributes):
            kept = [attribute for attribute in attributes if not self._gone(attribute.key)]
            del attributes[:]
            attributes.extend(kept)
        if self._replacements:
            for attribute in attributes:
                self._mask_value(attribute.value, 0)

    def _gone(self, key: str) -> bool:
        return (
            key in self._exact
            or (bool(self._prefixes) and key.startswith(self._prefixes))
            or (self._drops_content and is_content(key))
        )

    def _mask_value(self, value: AnyValue, depth: int) -> None:
        kind = value.WhichOneof("value")
        if kind == "string_value":
            before = value.string_value
            after = self._mask_text(before, depth)
            if after is not before:
                value.string_value = after
        elif kind == "array_value":
            for item in value.array_value.values:
                self._mask_value(item, depth)
        elif kind == "kvlist_value":
            for member in value.kvlist_value.values:
                self._mask_field(member, "key")
                self._mask_value(member.value, depth)
        elif kind == "bytes_value":
            value.bytes_value = self._mask_bytes(value.bytes_value)

    def _mask_field(self, message: Any, name: str) -> None:
        before = getattr(message, name)
        if before:
            after = self._mask_text(before, 0)
            if after is not before:
                setattr(message, name, after)

    def _mask_bytes(self, data: bytes) -> bytes:
        try:
            before = data.decode("utf-8")
        except UnicodeDecodeError:
            return data
        return self._mask_text(before, 0).encode("utf-8")

    def _mask_json(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._mask_text(value, 0)
        if isinstance(value, list) and depth < DEPTH:
            return [self._mask_json(item, depth + 1) for item in value]
        if isinstance(value, dict) and depth < DEPTH:
            return {self._mask_text(key, 0): self._mask_json(item, depth + 1) for key, item in value.items()}
        return MASKED.decode() if isinstance(value, list | dict) else value

    # ---------------------------------------------------------------------------------------------------------- text

    def _mask_text(self, text: str, depth: int) -> str:
        """The very same object where nothing changes."""
        if not text or not self._replacements:
            return text
        try:
            for _ in range(ROUNDS):
                masked = self._once(text, depth)
                if masked == text:
                    return text
                text = masked
        except Exception as error:  # noqa: BLE001 - what cannot be masked must not be stored as it is
            log.warning("text_not_masked", error=type(error).__name__)
        return MASKED.decode()

    def _once(self, text: str, depth: int) -> str:
        data = text.encode("utf-8", "surrogatepass")
        if self._is_clean(data) or (self._is_unanchored and b"\\" not in data and self._finds_nothing(data)):
            return text
        if depth < DEPTH and text.lstrip()[:1] in {"{", "[", '"'} and _is_json(text):
            return self._mask_literals(text, depth + 1)
        masked = self._mask_plain(data)
        return text if masked == data else masked.decode("utf-8", "surrogatepass")

    def _is_clean(self, data: bytes) -> bool:
        """Whether nothing that is looked for can be in it; cheap, and False in doubt."""
        if self._trigger is None:
            return not self._replacements
        return bool(self._trigger.Match(_UNANCHORED, data, 0, len(data))[0] == (-1, -1))

    def _finds_nothing(self, data: bytes) -> bool:
        return self._any is not None and bool(self._any.Match(_UNANCHORED, data, 0, len(data))[0] == (-1, -1))

    def _mask_literals(self, text: str, depth: int) -> str:
        """JSON with each of its strings masked, names of members included."""
        changed = 0

        def mask(found: re.Match[str]) -> str:
            nonlocal changed
            literal = found.group()
            masked = self._mask_literal(literal, depth)
            changed += masked is not literal
            if changed > MAXIMUM_MATCHES:
                raise _TooManyError
            return masked

        return _JSON_STRING.sub(mask, text)

    def _mask_literal(self, literal: str, depth: int) -> str:
        """A string literal of JSON, its content masked."""
        content = literal[1:-1]
        if "\\" in content:
            content = json.loads(literal, strict=False)
        masked = self._mask_text(content, depth)
        return literal if masked is content or masked == content else json.dumps(masked, ensure_ascii=False)

    def _mask_plain(self, data: bytes) -> bytes:
        if self._finds_nothing(data):
            return data
        # Open pieces, with the placeholders between them at the odd places.
        pieces = self._pieces(data)
        for replacement in self._replacements:
            replaced: list[bytes] = []
            for index, piece in enumerate(pieces):
                if index % 2 or not piece:
                    replaced.append(piece)
                    continue
                position = 0
                for start, end in _places(replacement, piece):
                    replaced += (piece[position:start], replacement.placeholder)
                    position = end
                replaced.append(piece[position:])
            pieces = replaced
        return b"".join(pieces)

    def _pieces(self, data: bytes) -> list[bytes]:
        if b"[" not in data:
            return [data]
        pieces: list[bytes] = []
        position = 0
        for found in self._placeholders.finditer(data):
            pieces += (data[position : found.start()], found.group())
            position = found.end()
        return [*pieces, data[position:]]


def _combined(patterns: list[str]) -> Any:
    """One search for all of them; None where they cannot be one pattern, because two use the name of a group."""
    try:
        return compiled_pattern("|".join(f"(?:{pattern})" for pattern in patterns))._regexp  # noqa: SLF001
    except re2.error:
        return None


def _places(replacement: _Replacement, data: bytes) -> Iterator[Place]:
    """What is meant by the matches in this piece, in order. Raises _TooManyError.

    Long texts are searched in windows: a pattern may look to the end of the text for every match.
    """
    regexp, check, size, position = replacement.pattern._regexp, replacement.check, len(data), 0  # noqa: SLF001
    for _ in range(MAXIMUM_MATCHES + 2 * (size // OVERLAP)):
        limit = min(size, position + WINDOW)
        spans = regexp.Match(_UNANCHORED, data, position, limit)
        start, end = spans[0]
        if start == -1:
            if limit == size:
                return
            position = limit - OVERLAP
            continue
        meant = spans[0]
        for group in spans[1:]:
            if group[0] != -1:
                meant = group
        if check is not None:
            yield from check(data, start, end)
        elif meant[0] < meant[1]:
            yield meant
        # An empty match, which anchors may make, must not be found again.
        position = max(end, position + 1) if end > start else end + 1
        if position >= size:
            return
    raise _TooManyError


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _named(attributes: MutableSequence[KeyValue]) -> str:
    """The name of a log event as the older conventions give it."""
    return next((item.value.string_value for item in attributes if item.key == "event.name"), "")
