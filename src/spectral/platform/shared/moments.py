"""Moments in query parameters."""

from datetime import UTC, datetime

from spectral.platform.shared.errors import FieldError, ValidationFailedError


def query_moment(name: str, text: str | None) -> datetime | None:
    """The RFC 3339 time of a query parameter, in UTC. Raises ValidationFailedError (422) that names the parameter."""
    if text is None:
        return None
    # A `+` in a query that was not encoded arrives as a space.
    if text.count(" ") == 1 and "T" in text.upper():
        text = text.replace(" ", "+")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        wrong = [FieldError(name, "must be an RFC 3339 time with a time zone")]
        raise ValidationFailedError("The query failed validation", wrong) from error
