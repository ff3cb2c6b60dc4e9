"""Who, here, a person is that an identity provider has vouched for."""

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import User
from spectral.domains.accounts.schemas import Email
from spectral.domains.accounts.service import AccountService, normalised_email
from spectral.domains.auth.federation_errors import AddressLinkedError, EmailNotVerifiedError
from spectral.domains.auth.federation_models import ExternalIdentity
from spectral.domains.auth.federation_providers import ExternalPerson, IdentityProvider
from spectral.domains.auth.federation_repository import IdentityRepository
from spectral.domains.auth.repository import ResetRepository, SecondFactorRepository, SessionRepository
from spectral.domains.auth.trail import record_for_person
from spectral.domains.workspaces.joining import JoinService
from spectral.domains.workspaces.service import WorkspaceService
from spectral.platform import audit
from spectral.platform.db.session import bind_account
from spectral.platform.mail.outbox import post_mail
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.secret_box import SecretBox

ADDRESS: TypeAdapter[str] = TypeAdapter(Email)


class Linking:
    """Finds or makes the person behind an identity of one provider, in a transaction of the authentication role.

    A known identity is whoever it was linked to, whatever addresses say since. An unknown one is linked by its
    address, and only if the provider vouches for that:

    - Nobody here has the address: a new person, in a new account with a first workspace, or in the invite's account.
    - Somebody has it and has shown so (`email_verified_at`): the identity becomes one more way to sign in.
    - Somebody has it and never showed that it is theirs: they may have registered it to wait for its owner
      (pre-hijacking). The owner has come now, so the person is theirs: the identity is linked, the address is
      verified, and what a squatter could come back with is removed: the password, the second factor, all sessions
      and all other links. Keys and members of their accounts stay, because most such people are the owner, who never
      confirmed; the mail that tells the owner of the link says to look at them.
    - Somebody has it and is linked to another identity of the same provider: refused, because providers give
      addresses of people who left to others.
    """

    def __init__(self, session: AsyncSession, provider: IdentityProvider, mail_box: SecretBox) -> None:
        self._session = session
        self._provider = provider
        self._mail_box = mail_box
        self._repository = IdentityRepository(session)

    async def person(self, found: ExternalPerson, invite_token: str | None) -> UUID:
        """The person's id. Raises EmailNotVerifiedError, AddressLinkedError, EmailTakenError, and an invite's refusals.

        AddressLinkedError and EmailTakenError may be the trace of somebody who was faster: try once more.
        """
        now = utc_now()
        link = await self._repository.by_subject(self._provider.name, found.issuer, found.subject)
        if link is not None:
            link.last_used_at = now
            await self._session.flush()
            user = await AccountService(self._session).read_user(link.user_id)
        else:
            email = vouched_address(found)
            if email is None:
                raise EmailNotVerifiedError(self._provider.title)
            known = await AccountService(self._session).find_user_by_email(email)
            if known is None:
                return await self._register(found, email, invite_token, now)
            user = await self._link(known.id, found, email, now)
        if invite_token is not None:
            await JoinService(self._session).accept(invite_token, user.id, user.email)
        return user.id

    async def _register(self, found: ExternalPerson, email: str, invite_token: str | None, now: datetime) -> UUID:
        accounts = AccountService(self._session)
        if invite_token is not None:
            user = await accounts.add_user(email, None)
            await JoinService(self._session).accept(invite_token, user.id, email)
        else:
            name = found.name or email.partition("@")[0]
            account, user = await accounts.open_account(name, email, None)
            await bind_account(self._session, account.id)
            await WorkspaceService(self._session).create_first_workspace(account.id, f"user:{user.id}")
            await audit.record(
                self._session,
                account_id=account.id,
                actor=f"user:{user.id}",
                action="account.created",
                subject=f"account:{account.id}",
                detail={"name": name},
            )
        user.name = found.name
        user.email_verified_at = now
        await self._add_link(user, found, email, {})
        return user.id

    async def _link(self, user_id: UUID, found: ExternalPerson, email: str, now: datetime) -> User:
        user = await self._repository.lock_person(user_id)
        if user is None:  # deleted since it was found: the next attempt registers
            raise AddressLinkedError(self._provider.title, user_id)
        links = await self._repository.links(user.id)
        if any((link.provider, link.issuer) == (self._provider.name, found.issuer) for link in links):
            raise AddressLinkedError(self._provider.title, user.id)
        removed: dict[str, object] = {}
        if user.email_verified_at is None:
            removed = await self._disown(user, now)
            user.email_verified_at = now
        await self._add_link(user, found, email, removed)
        await post_mail(
            self._session,
            self._mail_box,
            to=user.email,
            subject=f"{self._provider.title} opens your Spectral account now",
            text=_notice(self._provider.title, disowned=bool(removed)),
        )
        return user

    async def _disown(self, user: User, now: datetime) -> dict[str, object]:
        """Nothing that was there before opens this person's accounts any more; answers what there was."""
        had = {
            "password": await self._repository.has_password(user.id),
            "second factor": user.second_factor_at is not None,
        }
        ended = await SessionRepository(self._session).revoke_all(user.id, now)
        await self._repository.remove_password(user.id)
        await SecondFactorRepository(self._session).remove(user.id)
        await ResetRepository(self._session).void(user.id, now)
        await self._repository.remove_links(user.id)
        user.second_factor_at = None
        return {"ways_in": [name for name, there in had.items() if there], "sessions": ended}

    async def _add_link(self, user: User, found: ExternalPerson, email: str, removed: dict[str, object]) -> None:
        link = ExternalIdentity(
            user_id=user.id, provider=self._provider.name, issuer=found.issuer, subject=found.subject, email=email
        )
        await self._repository.add(link, AddressLinkedError(self._provider.title, user.id))
        detail = {"provider": self._provider.name, "email": email} | ({"removed": removed} if removed else {})
        await record_for_person(self._session, user.id, "identity.linked", subject=f"identity:{link.id}", detail=detail)


def vouched_address(found: ExternalPerson) -> str | None:
    """The address by which a person may be found here; None when the provider vouches for none that can be compared.

    Only ASCII: the lower-case form of some other letters is an ASCII letter (the Kelvin sign's is k), so that somebody
    else's address would be found.
    """
    if found.email is None or not found.email.isascii():
        return None
    try:
        return normalised_email(ADDRESS.validate_python(found.email.strip()))
    except ValidationError:
        return None


def _notice(title: str, *, disowned: bool) -> str:
    if not disowned:
        return (
            f"Somebody with your address has signed in with {title}, and it is now one more way into your account.\n\n"
            "If that was not you, change your password and remove the link among the ways you sign in.\n"
        )
    return (
        f"You have signed in with {title}, which has shown that this address is yours.\n\n"
        "An account with it existed already, and nobody had confirmed the address. Its password, second factor and "
        "sessions have been removed, so that only you can enter. If you did not open that account yourself, look "
        "through its members and API keys and remove those you do not know.\n"
    )
