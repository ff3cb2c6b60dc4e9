import gzip
import tracemalloc
import zlib

import pytest

from spectral.domains.traces.errors import MalformedOtlpError
from spectral.domains.traces.otlp.inflation import TRUSTED_BYTES, inflate
from spectral.platform.shared.errors import PayloadTooLargeError, UnsupportedMediaTypeError

LIMIT = 64 * 1024 * 1024
BODY = b"spans " * 50_000


def bare_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        (None, BODY),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY)),
        ("GZIP", gzip.compress(BODY)),
        ("gzip", gzip.compress(BODY[:1000]) + gzip.compress(BODY[1000:])),
        ("gzip", gzip.compress(BODY) + b"\x00" * 16),
        ("deflate", zlib.compress(BODY)),
        ("deflate", bare_deflate(BODY)),
    ],
    ids=["none", "identity", "gzip", "any case", "two members", "zero padding", "zlib", "bare deflate"],
)
def test_a_body_comes_out_as_it_went_in(encoding: str | None, sent: bytes) -> None:
    assert inflate(sent, encoding, LIMIT) == BODY


def test_an_empty_gzip_body_is_empty() -> None:
    assert inflate(gzip.compress(b""), "gzip", LIMIT) == b""


@pytest.mark.parametrize("size", [TRUSTED_BYTES - 1, TRUSTED_BYTES + 1, 3 * TRUSTED_BYTES])
def test_a_body_of_any_size_under_the_limit_is_kept(size: int) -> None:
    body = bytes(size)
    assert inflate(gzip.compress(body), "gzip", size) == body


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", b"no gzip"),
        ("gzip", b""),
        ("gzip", gzip.compress(BODY)[:-20]),
        ("gzip", gzip.compress(BODY)[:-8] + b"12345678"),
        ("gzip", gzip.compress(BODY) + b"trailing"),
        ("deflate", b"\xff\xff\xff"),
        ("deflate", zlib.compress(BODY)[:-20]),
    ],
    ids=["not gzip", "empty", "cut", "wrong checksum", "trailing bytes", "not deflate", "cut deflate"],
)
def test_a_body_that_is_not_what_it_says_is_malformed(encoding: str, sent: bytes) -> None:
    with pytest.raises(MalformedOtlpError):
        inflate(sent, encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_other_encodings_are_not_supported(encoding: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError):
        inflate(b"", encoding, LIMIT)


def test_a_body_over_the_limit_is_refused() -> None:
    with pytest.raises(PayloadTooLargeError):
        inflate(b"12345", None, 4)
    with pytest.raises(PayloadTooLargeError):
        inflate(gzip.compress(b"12345"), "gzip", 4)


def test_a_bomb_is_refused_and_costs_no_memory() -> None:
    compressor = zlib.compressobj(1, wbits=31)
    megabyte = bytes(1024 * 1024)
    bomb = b"".join(compressor.compress(megabyte) for _ in range(128)) + compressor.flush()
    assert len(bomb) < 2 * 1024 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLargeError):
            inflate(bomb, "gzip", LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024
