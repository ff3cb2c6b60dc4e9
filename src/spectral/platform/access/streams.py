"""Whether the caller of an open stream may still read: rights that end while a stream is open end the stream."""

import time
from collections.abc import Awaitable, Callable, Hashable
from uuid import UUID

from litestar.datastructures import Headers

from spectral.platform.access.authentication import (
    Authenticator,
    Identity,
    Target,
    credential_of,
    digest_of,
    identifying_headers,
    target_of,
)
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.errors import ForbiddenError, NotAuthenticatedError, NotFoundError, SpectralError

REVIEW_S = 0.5

Look = Callable[[], Awaitable[Principal]]


class ReviewedRights:
    """What a stream asks before each part that it sends; the database is asked at most every `REVIEW_S` seconds.

    So a removed member, an ended session, a revoked service account or an ended grant of support is out within a
    second, whichever process was told, as long as the stream asks a few times a second. Streams of the same caller
    share what they ask the database.
    """

    def __init__(
        self, authenticator: Authenticator, who: Hashable, look: Look, workspace_id: UUID, scope: Scope
    ) -> None:
        self._authenticator = authenticator
        self._who = who
        self._look = look
        self._workspace_id = workspace_id
        self._scope = scope
        # The guard, or whoever took the ticket, has just let the caller in.
        self._reviewed_at = time.monotonic()
        self.refusal: SpectralError | None = None
        """Why the caller may not read any more; None while they may."""

    async def hold(self) -> bool:
        """Whether the caller may still read; once False it stays False."""
        now = time.monotonic()
        if self.refusal is None and now - self._reviewed_at >= REVIEW_S:
            self._reviewed_at = now
            self.refusal = await self._review()
        return self.refusal is None

    async def _review(self) -> SpectralError | None:
        try:
            principal = await self._authenticator.review(self._who, self._look, REVIEW_S)
            principal.access_to(self._workspace_id).require(self._scope)
        except (NotAuthenticatedError, NotFoundError, ForbiddenError) as error:
            return error
        return None


class StreamRights(ReviewedRights):
    """The rights of whoever sent a request with these headers."""

    def __init__(self, authenticator: Authenticator, headers: Headers, workspace_id: UUID, scope: Scope) -> None:
        named = identifying_headers(headers.to_header_list())
        credential = credential_of(named)
        target = target_of(named, workspace_id)

        async def look() -> Principal:
            return await authenticator.verify(credential or "", target)

        who = (digest_of(credential or ""), target)
        super().__init__(authenticator, who, look, workspace_id, scope)
        if credential is None:
            self.refusal = NotAuthenticatedError()


class IdentityRights(ReviewedRights):
    """The rights of somebody who proved before who they are."""

    def __init__(self, authenticator: Authenticator, identity: Identity, workspace_id: UUID, scope: Scope) -> None:
        target = Target(workspace_id, None)

        async def look() -> Principal:
            return await authenticator.present(identity, target)

        super().__init__(authenticator, (identity, target), look, workspace_id, scope)
