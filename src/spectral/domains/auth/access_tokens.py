"""Recognises access tokens, for the platform's `CredentialVerifier`."""

from datetime import timedelta
from uuid import UUID

from spectral.domains.auth.rights import read_rights
from spectral.domains.auth.sessions import AUDIENCE, TOKEN_KIND
from spectral.platform.access.authentication import Identity, Target
from spectral.platform.access.principal import Principal, PrincipalKind
from spectral.platform.access.signing import TokenSigner
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotAuthenticatedError
from spectral.platform.shared.tokens import InvalidTokenError


class AccessTokenVerifier:
    """Asked last: takes whatever no other knows."""

    kind = PrincipalKind.USER

    def __init__(
        self, identity: Database, signer: TokenSigner, step_up_lifetime_s: int, *, second_factor_required: bool = False
    ) -> None:
        self._identity = identity
        self._signer = signer
        self._step_up_lifetime = timedelta(seconds=step_up_lifetime_s)
        self._second_factor_required = second_factor_required

    def recognises(self, credential: str) -> bool:
        return credential.count(".") == 2

    async def principal(self, credential: str, target: Target) -> Principal:
        """The person, with the rights that the database gives them now. Raises NotAuthenticatedError."""
        await self._signer.ready(credential)
        try:
            claims = self._signer.verify(credential, audience=AUDIENCE, kind=TOKEN_KIND)
            user_id, session_id = UUID(claims["sub"]), UUID(claims["sid"])
        except (InvalidTokenError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotAuthenticatedError("The access token is not valid or has expired") from error
        return await self._rights(user_id, session_id, target)

    async def present(self, identity: Identity, target: Target) -> Principal:
        """As `principal`, for as long as the session lives. Raises NotAuthenticatedError."""
        if identity.user_id is None:
            raise NotAuthenticatedError
        return await self._rights(identity.user_id, identity.credential_id, target)

    async def _rights(self, user_id: UUID, session_id: UUID, target: Target) -> Principal:
        return await read_rights(
            self._identity,
            user_id,
            session_id,
            target,
            now=utc_now(),
            step_up_lifetime=self._step_up_lifetime,
            second_factor_required=self._second_factor_required,
        )
