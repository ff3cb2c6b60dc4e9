"""HTTP of signing in through other identity providers: `/api/v1/auth` and `/api/v1/account/single-sign-on`."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post, put
from litestar.datastructures import Cookie, State
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.auth.answers import device_of, tokens_response
from spectral.domains.auth.controller import PersonRequest, person
from spectral.domains.auth.federation import (
    ATTEMPT_LIFETIME_S,
    CameBack,
    FederationService,
    IdentityService,
    SingleSignOnService,
)
from spectral.domains.auth.federation_providers import IdentityProviders
from spectral.domains.auth.federation_schemas import (
    OWN_PATH,
    CallbackIn,
    IdentityOut,
    ProviderOut,
    SignInOut,
    SingleSignOnIn,
    SingleSignOnOut,
)
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import people_only, requires
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database, after_commit
from spectral.platform.shared.pagination import Collection, Page
from spectral.settings import Settings

COOKIE = "spectral_sign_in"


def sign_in_cookie(settings: Settings, value: str, lifetime_s: int) -> Cookie:
    """What binds a sign-in to the browser that began it. Lax: the browser comes back to us from another site.

    `__Host-` keeps other hosts of the same domain from setting it, and browsers demand `Secure` and `/` for it.
    """
    is_secure = settings.address.startswith("https://")
    return Cookie(
        key=cookie_name(settings),
        value=value,
        path="/",
        max_age=lifetime_s,
        httponly=True,
        secure=is_secure,
        samesite="lax",
    )


def cookie_name(settings: Settings) -> str:
    return f"__Host-{COOKIE}" if settings.address.startswith("https://") else COOKIE


class FederationController(Controller):
    """Signing in through other identity providers."""

    path = "/api/v1/auth"
    tags = ("Auth",)

    @get(
        "/providers",
        operation_id="listIdentityProviders",
        summary="Which identity providers people can sign in with",
        opt={"public": True},
        sync_to_thread=False,
    )
    def list_providers(self, identity_providers: IdentityProviders, page: Page) -> Collection[ProviderOut]:
        offered = identity_providers.offered
        results = [ProviderOut.model_validate(provider) for provider in offered]
        return Collection.of(results[page.offset :][: page.limit], len(offered), page)

    @get(
        "/oauth/{provider:str}",
        operation_id="beginSignIn",
        summary="Sign in with an identity provider",
        description="Sends the browser to the provider, which sends it back to the page; the page passes on what came "
        "with it through POST /api/v1/auth/callback. A cookie binds the two to one browser.",
        status_code=302,
        opt={"public": True, "problems": (502,)},
    )
    async def begin(
        self,
        federation: FederationService,
        settings: Settings,
        provider: str,
        return_to: Annotated[
            str | None,
            QueryParameter(
                name="return_to",
                min_length=1,
                max_length=500,
                pattern=OWN_PATH,
                description="a path of this site that the answer of the callback repeats",
            ),
        ] = None,
    ) -> Response[None]:
        begun = await federation.begin(provider, return_to=return_to)
        return Response(
            None,
            status_code=302,
            headers={"Location": begun.address, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"},
            cookies=[sign_in_cookie(settings, begun.browser_token, ATTEMPT_LIFETIME_S)],
        )

    @post(
        "/callback",
        operation_id="completeSignIn",
        summary="Come back from an identity provider",
        description="Exchanges what the provider sent the browser back with for tokens. Each sign-in is completed "
        "once, within ten minutes, by the browser that began it.",
        status_code=200,
        opt={"public": True, "secret_answer": True, "problems": (403, 404, 502)},
    )
    async def complete(
        self,
        federation: FederationService,
        authenticator: Authenticator,
        settings: Settings,
        request: Request[None, None, State],
        data: CallbackIn,
    ) -> Response[SignInOut]:
        back = CameBack(data.code, data.state, data.iss, request.cookies.get(cookie_name(settings)), device_of(request))
        signed_in, return_to = await federation.complete(data.provider, back, data.invite_token)
        # Linking may have ended sessions.
        authenticator.forget()
        tokens = tokens_response(request, signed_in, 200)
        return Response(
            SignInOut(**tokens.content.model_dump(), return_to=return_to),
            headers=tokens.headers,
            cookies=[*tokens.cookies, sign_in_cookie(settings, "", 0)],
        )

    @get("/identities", operation_id="listIdentities", summary="List my identities elsewhere", guards=[people_only])
    async def list_identities(
        self, identity_service: IdentityService, request: PersonRequest, page: Page
    ) -> Collection[IdentityOut]:
        links, total = await identity_service.list_identities(person(request), page)
        return Collection.of([IdentityOut.model_validate(link) for link in links], total, page)

    @delete(
        "/identities/{identity_id:uuid}",
        operation_id="removeIdentity",
        summary="Remove one of my identities elsewhere",
        description="The sessions that it opened end, but for your own. Your last way to sign in stays.",
        guards=[people_only],
    )
    async def remove_identity(
        self,
        identity_service: IdentityService,
        authenticator: Authenticator,
        request: PersonRequest,
        identity_id: UUID,
    ) -> None:
        await identity_service.remove_identity(request.user, person(request), identity_id)
        authenticator.forget()


def provide_single_sign_on(
    session: AsyncSession, identity: Database, identity_providers: IdentityProviders
) -> SingleSignOnService:
    return SingleSignOnService(session, identity, identity_providers)


class SingleSignOnController(Controller):
    """Accounts that are entered through one identity provider only."""

    path = "/api/v1/account/single-sign-on"
    tags = ("Accounts",)
    guards = (requires(Scope.ADMIN_ACCOUNT),)
    dependencies = {"service": Provide(provide_single_sign_on, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="readSingleSignOn", summary="Which identity provider alone opens the account")
    async def read_single_sign_on(
        self, service: SingleSignOnService, request: Request[Principal, None, State]
    ) -> SingleSignOnOut:
        return SingleSignOnOut(provider=await service.read_provider(request.user))

    @put(
        operation_id="updateSingleSignOn",
        summary="Let one identity provider alone open the account",
        description="Sessions that were opened in another way lose their rights in this account within a second; API "
        "keys keep theirs. You need to have signed in with that provider yourself. Null lets every way of signing in.",
    )
    async def update_single_sign_on(
        self,
        service: SingleSignOnService,
        session: AsyncSession,
        authenticator: Authenticator,
        request: Request[Principal, None, State],
        data: SingleSignOnIn,
    ) -> SingleSignOnOut:
        provider = await service.choose_provider(request.user, data.provider)

        async def forget() -> None:
            authenticator.forget()

        after_commit(session, forget)
        return SingleSignOnOut(provider=provider)
