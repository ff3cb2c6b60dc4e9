"""Errors of this domain's own."""

from spectral.platform.shared.errors import MalformedRequestError


class MalformedOtlpError(MalformedRequestError):
    """The body is not an OTLP export request in the content type that it names."""

    slug = "malformed-otlp"
    title = "Malformed OTLP Request"
