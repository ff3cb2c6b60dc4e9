"""The lines of a body that is read as it comes: memory is bounded by one line, whatever the size of the body."""

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BodyLine:
    """A line that is not empty, by its number from 1. text: None where it is longer than a line may be."""

    number: int
    text: bytes | None


async def body_lines(stream: AsyncIterator[bytes], limit: int) -> AsyncIterator[BodyLine]:
    """The lines that are not empty. One that is longer than `limit` bytes is skipped without being kept."""
    number, parts, size = 1, [], 0
    async for piece in stream:
        position = 0
        while (end := piece.find(b"\n", position)) != -1:
            size += end - position
            parts.append(piece[position:end])
            if (line := _line(number, parts, size, limit)) is not None:
                yield line
            number, parts, size, position = number + 1, [], 0, end + 1
        size += len(piece) - position
        if size <= limit:
            parts.append(piece[position:])
        else:
            parts.clear()
    if (line := _line(number, parts, size, limit)) is not None:
        yield line


def _line(number: int, parts: list[bytes], size: int, limit: int) -> BodyLine | None:
    if size > limit:
        return BodyLine(number, None)
    text = b"".join(parts).strip()
    # A byte-order mark, which some tools put before the first line.
    text = text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text
    return BodyLine(number, text) if text else None
