"""Signing in through other identity providers, and what people may do about their links to them."""

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.errors import EmailTakenError
from spectral.domains.accounts.models import Account
from spectral.domains.accounts.service import AccountService
from spectral.domains.auth.federation_errors import (
    AddressLinkedError,
    IdentityProviderFailedError,
    LastWayInError,
    OtherSessionNeededError,
    SignInRefusedError,
    SignInStateError,
)
from spectral.domains.auth.federation_http import ProviderAnswerError
from spectral.domains.auth.federation_linking import Linking
from spectral.domains.auth.federation_models import ExternalIdentity, SignInAttempt
from spectral.domains.auth.federation_providers import (
    CodeRefusedError,
    Departure,
    ExternalPerson,
    IdentityProvider,
    IdentityProviders,
    Return,
)
from spectral.domains.auth.federation_repository import AttemptRepository, IdentityRepository
from spectral.domains.auth.service import AuthService
from spectral.domains.auth.sessions import Device, SignedIn
from spectral.domains.auth.trail import record_for_person
from spectral.domains.workspaces.errors import InviteForSomebodyElseError, InviteNotValidError
from spectral.domains.workspaces.joining import note_refusal
from spectral.platform import audit
from spectral.platform.access.principal import Principal
from spectral.platform.access.refusals import StepUpRequiredError
from spectral.platform.db.session import Database
from spectral.platform.mail.outbox import post_mail
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, NotFoundError, ValidationFailedError
from spectral.platform.shared.pagination import Page
from spectral.platform.shared.secret_box import SealBrokenError, SecretBox
from spectral.platform.shared.tokens import opaque_token, token_hash
from spectral.settings import Settings

ATTEMPT_LIFETIME_S = 600
METHOD = "sso:"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what only this browser gets to keep."""

    address: str
    browser_token: str


@dataclass(frozen=True, slots=True)
class CameBack:
    """What a browser brings back. browser_token: what it kept since it left, None when it kept nothing."""

    code: str
    state: str
    issuer: str | None
    browser_token: str | None
    device: Device


class FederationService:
    """Sign-ins at other providers: OAuth 2 and OpenID Connect, code flow with PKCE, state and nonce.

    identity: the database as the authentication role. No transaction is open while a provider is asked.
    box: seals what a sign-in under way must remember.
    """

    def __init__(
        self,
        identity: Database,
        auth: AuthService,
        providers: IdentityProviders,
        mail_box: SecretBox,
        settings: Settings,
    ) -> None:
        self._identity = identity
        self._auth = auth
        self._providers = providers
        self._mail_box = mail_box
        self._box = SecretBox(settings.secrets, "oauth")
        self._settings = settings

    async def begin(self, name: str, *, return_to: str | None) -> Begun:
        """A sign-in is under way for ten minutes. Raises NotFoundError, IdentityProviderFailedError."""
        provider = self._providers.get(name)
        state, browser_token, nonce, verifier = (opaque_token() for _ in range(4))
        departure = Departure(self._settings.redirect_uri(name), state, nonce, verifier)
        try:
            address = await provider.address(departure)
        except ProviderAnswerError as error:
            raise _failed(provider, error) from error
        kept = {"nonce": nonce, "verifier": verifier, "return_to": return_to}
        now = utc_now()
        async with self._identity.transaction() as session:
            attempts = AttemptRepository(session)
            await attempts.forget_expired(now)
            await attempts.add(
                SignInAttempt(
                    provider=name,
                    state_hash=token_hash(state),
                    browser_hash=token_hash(browser_token),
                    sealed=self._box.seal(json.dumps(kept)),
                    expires_at=now + timedelta(seconds=ATTEMPT_LIFETIME_S),
                )
            )
        return Begun(address, browser_token)

    async def complete(self, name: str, back: CameBack, invite_token: str | None = None) -> tuple[SignedIn, str | None]:
        """Tokens of whoever came back from the provider, and where they wanted to go. The sign-in is over either way.

        Raises NotFoundError, SignInStateError, SignInRefusedError, IdentityProviderFailedError, and what `Linking`
        refuses.
        """
        provider = self._providers.get(name)
        kept = await self._take(name, back)
        returned = Return(back.code, self._settings.redirect_uri(name), kept["nonce"], kept["verifier"], back.issuer)
        try:
            found = await provider.identify(returned)
        except ProviderAnswerError as error:
            raise _failed(provider, error) from error
        except CodeRefusedError as error:
            raise SignInRefusedError(provider.title) from error
        user_id = await self._admit(provider, found, invite_token)
        signed_in = await self._auth.open_session_for(
            user_id, method=f"{METHOD}{name}", user_agent=back.device.user_agent, address=back.device.address
        )
        return signed_in, kept["return_to"]

    async def _take(self, name: str, back: CameBack) -> dict[str, Any]:
        """What the sign-in with this state remembers; it is gone before anything else is looked at."""
        async with self._identity.transaction() as session:
            attempt = await AttemptRepository(session).take(token_hash(back.state))
        if attempt is None:
            raise SignInStateError("This sign-in is not known, or was used already")
        if attempt.expires_at <= utc_now():
            raise SignInStateError("This sign-in has taken longer than ten minutes")
        if attempt.provider != name:
            raise SignInStateError("This sign-in was begun with another provider")
        if not hmac.compare_digest(attempt.browser_hash, token_hash(back.browser_token or "")):
            raise SignInStateError("This sign-in was begun in another browser, or its cookie is missing")
        try:
            kept: dict[str, Any] = json.loads(self._box.open(attempt.sealed))
        except SealBrokenError as error:
            raise SignInStateError("This sign-in was begun before the secret keys were changed") from error
        return kept

    async def _admit(
        self, provider: IdentityProvider, found: ExternalPerson, invite_token: str | None, *, again: bool = True
    ) -> UUID:
        """The person's id; what is refused is in the audit log of whom it concerns."""
        try:
            return await self._person(provider, found, invite_token)
        except (EmailTakenError, AddressLinkedError) as refused:
            if again:
                # Another sign-in of the same person may have been faster; then they are known by now.
                return await self._admit(provider, found, invite_token, again=False)
            if isinstance(refused, AddressLinkedError):
                detail = {"provider": provider.name, "subject": found.subject}
                async with self._identity.transaction() as session:
                    await record_for_person(session, refused.user_id, "identity.refused", detail=detail)
            raise
        except (InviteNotValidError, InviteForSomebodyElseError) as refused:
            await note_refusal(self._identity, refused, f"{METHOD}{provider.name}")
            raise

    async def _person(self, provider: IdentityProvider, found: ExternalPerson, invite_token: str | None) -> UUID:
        async with self._identity.transaction() as session:
            return await Linking(session, provider, self._mail_box).person(found, invite_token)


class IdentityService:
    """A person's own links. identity: the database as the authentication role."""

    def __init__(self, identity: Database, providers: IdentityProviders, mail_box: SecretBox) -> None:
        self._identity = identity
        self._providers = providers
        self._mail_box = mail_box

    async def list_identities(self, user_id: UUID, page: Page) -> tuple[Sequence[ExternalIdentity], int]:
        """One page of the person's links, newest first."""
        async with self._identity.transaction(read_only=True) as session:
            return await IdentityRepository(session).page(user_id, page)

    async def remove_identity(self, principal: Principal, user_id: UUID, identity_id: UUID) -> None:
        """The link opens nothing any more, and the sessions it has opened end, but for the caller's own.

        Raises NotFoundError, LastWayInError, StepUpRequiredError.
        """
        if principal.needs_step_up:
            raise StepUpRequiredError
        async with self._identity.transaction() as session:
            repository = IdentityRepository(session)
            user = await repository.lock_person(user_id)
            links = await repository.links(user_id)
            link = next((link for link in links if link.id == identity_id), None)
            if user is None or link is None:
                raise NotFoundError("Identity", identity_id)
            others = [other for other in links if other is not link]
            usable = any(self._providers.offers(other.provider, other.issuer) for other in others)
            if not usable and not await repository.has_password(user_id):
                raise LastWayInError
            await repository.remove(link)
            ended = await repository.end_sessions(
                user_id, f"{METHOD}{link.provider}", utc_now(), kept=principal.credential_id
            )
            detail = {"provider": link.provider, "email": link.email, "ended_sessions": ended}
            await record_for_person(session, user_id, "identity.unlinked", subject=f"identity:{link.id}", detail=detail)
            await post_mail(
                session,
                self._mail_box,
                to=user.email,
                subject="A way into your Spectral account was removed",
                text=f"{link.provider} ({link.email}) does not open your account any more.\n\n"
                "If you did not remove it, change your password.\n",
            )


class SingleSignOnService:
    """Accounts that are entered through one identity provider only, in the caller's transaction."""

    def __init__(self, session: AsyncSession, identity: Database, providers: IdentityProviders) -> None:
        self._session = session
        self._identity = identity
        self._providers = providers

    async def read_provider(self, principal: Principal) -> str | None:
        """The only provider that opens the caller's account; None when any way of signing in does."""
        return (await AccountService(self._session).read_chosen_account(principal)).sso_provider

    async def choose_provider(self, principal: Principal, provider: str | None) -> str | None:
        """From now on only sessions that this provider opened have rights in the account; with None, all have.

        Others lose theirs within a second. API keys are not sessions and stay as they are.
        Raises ValidationFailedError for a provider that is not offered, OtherSessionNeededError when the caller's own
        session was opened in another way, AccountNotChosenError.
        """
        if provider is not None:
            if not self._providers.offers(provider):
                offered = ", ".join(known.name for known in self._providers.offered) or "none"
                message = f"is not offered here; there is: {offered}"
                raise ValidationFailedError("The provider cannot be used", errors=[FieldError("/provider", message)])
            async with self._identity.transaction(read_only=True) as session:
                method = await IdentityRepository(session).session_method(principal.credential_id)
            if method != f"{METHOD}{provider}":
                raise OtherSessionNeededError(self._providers.get(provider).title)
        account = await AccountService(self._session).read_chosen_account(principal)
        if account.sso_provider != provider:
            await self._change(account, provider, principal)
        return account.sso_provider

    async def _change(self, account: Account, provider: str | None, principal: Principal) -> None:
        before, account.sso_provider = account.sso_provider, provider
        await self._session.flush()
        await audit.record(
            self._session,
            account_id=account.id,
            actor=principal.actor,
            action="account.single_sign_on_changed",
            subject=f"account:{account.id}",
            detail={"before": before, "after": provider},
        )


def _failed(provider: IdentityProvider, error: ProviderAnswerError) -> IdentityProviderFailedError:
    log.warning("identity_provider_failed", provider=provider.name, reason=str(error))
    return IdentityProviderFailedError(provider.title)
