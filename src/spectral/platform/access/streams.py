"""Whether the caller of an open stream may still read: rights that end while a stream is open end the stream."""

import time
from uuid import UUID

from litestar.datastructures import Headers

from spectral.platform.access.authentication import Authenticator, credential_of, identifying_headers, target_of
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.errors import NotAuthenticatedError, NotFoundError

REVIEW_S = 0.5


class StreamRights:
    """What a stream asks before each part that it sends; the database is asked at most every `REVIEW_S` seconds.

    So a removed member, an ended session, a revoked service account or an ended grant of support is out within a
    second, whichever process was told, as long as the stream asks a few times a second.
    """

    def __init__(self, authenticator: Authenticator, headers: Headers, workspace_id: UUID, scope: Scope) -> None:
        self._authenticator = authenticator
        named = identifying_headers(headers.to_header_list())
        self._credential = credential_of(named)
        self._target = target_of(named, workspace_id)
        self._workspace_id = workspace_id
        self._scope = scope
        # The guard has just let the request in.
        self._reviewed_at = time.monotonic()
        self._held = self._credential is not None

    async def hold(self) -> bool:
        """Whether the caller may still read; once False it stays False."""
        now = time.monotonic()
        if self._held and now - self._reviewed_at >= REVIEW_S:
            self._reviewed_at = now
            self._held = await self._review()
        return self._held

    async def _review(self) -> bool:
        if self._credential is None:
            return False
        try:
            principal = await self._authenticator.verify(self._credential, self._target)
            return self._scope in principal.access_to(self._workspace_id).scopes
        except (NotAuthenticatedError, NotFoundError):
            return False
