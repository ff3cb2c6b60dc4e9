"""Where the present request came from, known to whatever happens inside it."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID


@dataclass(slots=True)
class Origin:
    """One request: its id, its caller's address, and the credential it showed once that has been verified."""

    request_id: str
    address: str
    credential_id: UUID | None = None


ORIGIN: ContextVar[Origin | None] = ContextVar("spectral_origin", default=None)
"""None outside requests."""
