"""Bodies are inflated up to a limit; one that would pass it is refused before it costs memory."""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol, cast

from isal import isal_zlib

from spectral.domains.traces.errors import MalformedOtlpError
from spectral.platform.shared.errors import PayloadTooLargeError, UnsupportedMediaTypeError

WINDOW_BYTES = 256 * 1024
TRUSTED_BYTES = 4 * 1024 * 1024
"""Up to this size a body is inflated at once; a larger one is measured first, without being kept."""

_ISAL_ERROR = cast("type[Exception]", isal_zlib.error)

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class _Decompressor(Protocol):
    eof: bool
    unused_data: bytes
    unconsumed_tail: bytes

    def decompress(self, data: bytes, max_length: int = 0) -> bytes: ...


def inflate(body: bytes, encoding: str | None, limit: int) -> bytes:
    """The body without its content encoding (`gzip`, `deflate`, `identity`).

    Raises PayloadTooLargeError (413) when it has more than `limit` bytes, MalformedOtlpError (400) when it is not what
    the encoding says, UnsupportedMediaTypeError (415) for another encoding. Never holds more than `limit` bytes, and
    of a body that is too large no more than 4 MiB.
    """
    name = (encoding or "identity").strip().lower()
    if name in {"", "identity"}:
        if len(body) > limit:
            raise _too_large(limit)
        return body
    pieces = _pieces_of(name, body)
    try:
        return _bounded(pieces, limit)
    except (zlib.error, _ISAL_ERROR) as error:
        raise MalformedOtlpError(f"The body is not valid {name}") from error


def _bounded(pieces: Callable[[], Iterator[bytes]], limit: int) -> bytes:
    kept: list[bytes] = []
    size = 0
    stream = pieces()
    for piece in stream:
        kept.append(piece)
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        if size > TRUSTED_BYTES:
            break
    else:
        return b"".join(kept)
    del kept
    size = 0
    for piece in pieces():
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
    return b"".join(pieces())


def _pieces_of(name: str, body: bytes) -> Callable[[], Iterator[bytes]]:
    if name in {"gzip", "x-gzip"}:
        return lambda: _pieces(body, _GZIP, members=True)
    if name == "deflate":
        # HTTP means the zlib format; some clients send the bare deflate stream.
        bits = _ZLIB if len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0 else _RAW
        return lambda: _pieces(body, bits, members=False)
    raise UnsupportedMediaTypeError("Content-Encoding must be gzip, deflate or identity")


def _pieces(body: bytes, bits: int, *, members: bool) -> Iterator[bytes]:
    rest = body
    while True:
        decompressor: _Decompressor = isal_zlib.decompressobj(wbits=bits)
        while not decompressor.eof:
            piece = decompressor.decompress(rest, WINDOW_BYTES)
            rest = decompressor.unconsumed_tail
            if piece:
                yield piece
            elif not decompressor.eof and not rest:
                raise zlib.error("the stream ends early")
        rest = decompressor.unused_data.lstrip(b"\x00")
        if not members or not rest:
            return


def _too_large(limit: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(f"The body has more than {limit} bytes after decompression", limit_bytes=limit)
