"""HTTP of signing up and in, and of the own profile and password: `/api/v1/auth`; and the public keys."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, patch, post
from litestar.datastructures import State

from spectral.domains.auth.answers import (
    NO_STORE,
    cleared_cookies,
    device_of,
    presented_refresh_token,
    tokens_response,
)
from spectral.domains.auth.resets import PasswordResets
from spectral.domains.auth.schemas import (
    ChangePasswordIn,
    LoginIn,
    MembershipOut,
    ProfileOut,
    ProfilePatch,
    RefreshIn,
    RegisterIn,
    ResetAskedOut,
    ResetConfirmIn,
    ResetIn,
    SignedOutOut,
    TokensOut,
    WorkspaceStandingOut,
)
from spectral.domains.auth.service import AuthService, Profile
from spectral.domains.auth.sessions import Sessions
from spectral.domains.auth.sign_in import SignIn
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import people_only
from spectral.platform.access.principal import Principal
from spectral.platform.access.signing import TokenSigner

AnyRequest = Request[Any, Any, Any]
PersonRequest = Request[Principal, None, State]

COOKIE_NOTE = (
    "With the header `X-Spectral-Client: web` the refresh token comes as an `HttpOnly` cookie that is sent to the "
    "refresh route only, and is null in the body."
)


def profile_out(profile: Profile) -> ProfileOut:
    return ProfileOut(
        user_id=profile.user.id,
        email=profile.user.email,
        name=profile.user.name,
        email_verified=profile.user.email_verified_at is not None,
        second_factor=profile.user.second_factor_at is not None,
        created_at=profile.user.created_at,
        accounts=[
            MembershipOut(account_id=found.account.id, name=found.account.name, role=found.role)
            for found in profile.memberships
        ],
        workspaces=[
            WorkspaceStandingOut(
                workspace_id=standing.workspace.id,
                account_id=standing.workspace.account_id,
                name=standing.workspace.name,
                role=role,
                scopes=sorted(standing.roles.scopes),
            )
            for standing in profile.standings
            if (role := standing.roles.effective) is not None
        ],
    )


def person(request: PersonRequest) -> UUID:
    """The signed-in person; `people_only` has made sure that there is one."""
    user_id = request.user.user_id
    assert user_id is not None  # noqa: S101 - a user principal has a user
    return user_id


class AuthController(Controller):
    """Signing up, in and out, the own profile and password."""

    path = "/api/v1/auth"
    tags = ("Auth",)

    @post(
        "/register",
        operation_id="register",
        summary="Open an account, or join one by an invite",
        description=f"Without an `invite_token` a new account with a first workspace is opened. {COOKIE_NOTE}",
        opt={"public": True, "secret_answer": True},
    )
    async def register(self, auth: AuthService, request: AnyRequest, data: RegisterIn) -> Response[TokensOut]:
        signed_in = await auth.register(
            data.email, data.password, data.tenant_name, device_of(request), data.invite_token
        )
        return tokens_response(request, signed_in, 201)

    @post(
        "/login",
        operation_id="login",
        summary="Sign in",
        description=(
            "The answer to a wrong password and to an unknown address is the same. Somebody with a second factor who "
            "sends no `code`, or a wrong one, gets the problem `second-factor-required`. After too many failures of "
            f"one account or from one network address the answer is 429 for a while. {COOKIE_NOTE}"
        ),
        status_code=200,
        opt={"public": True, "secret_answer": True},
    )
    async def log_in(self, sign_in: SignIn, request: AnyRequest, data: LoginIn) -> Response[TokensOut]:
        signed_in = await sign_in.log_in(data.email, data.password, data.code, device_of(request))
        return tokens_response(request, signed_in, 200)

    @post(
        "/refresh",
        operation_id="refresh",
        summary="Exchange a refresh token",
        description=(
            "The token is spent. A spent token that comes back ends the whole session. Without a token in the body "
            "that of the cookie is taken, if the `Origin` header names this installation."
        ),
        status_code=200,
        opt={"public": True, "secret_answer": True},
    )
    async def refresh(
        self, sessions: Sessions, request: AnyRequest, data: RefreshIn | None = None
    ) -> Response[TokensOut]:
        signed_in = await sessions.refresh(presented_refresh_token(request, data))
        return tokens_response(request, signed_in, 200)

    @post("/logout", operation_id="logout", summary="Sign out", status_code=200, guards=[people_only])
    async def log_out(
        self, sessions: Sessions, authenticator: Authenticator, request: PersonRequest
    ) -> Response[SignedOutOut]:
        ended = await sessions.log_out(person(request), request.user.credential_id)
        authenticator.forget()
        headers = NO_STORE | {"Clear-Site-Data": '"cache", "storage"'}
        return Response(SignedOutOut(ended_sessions=ended), headers=headers, cookies=cleared_cookies(request))

    @get("/me", operation_id="readProfile", summary="Who am I", guards=[people_only])
    async def read_profile(self, auth: AuthService, request: PersonRequest) -> ProfileOut:
        return profile_out(await auth.read_profile(person(request)))

    @patch("/me", operation_id="updateProfile", summary="Change my profile", guards=[people_only])
    async def update_profile(self, auth: AuthService, request: PersonRequest, data: ProfilePatch) -> ProfileOut:
        return profile_out(await auth.rename_user(person(request), data.name))

    @post(
        "/change-password",
        operation_id="changePassword",
        summary="Change my password",
        description="Every other session of the person ends, and a mail says that it was done.",
        status_code=200,
        guards=[people_only],
    )
    async def change_password(
        self, auth: AuthService, authenticator: Authenticator, request: PersonRequest, data: ChangePasswordIn
    ) -> SignedOutOut:
        ended = await auth.change_password(
            person(request), request.user.credential_id, data.current_password, data.new_password
        )
        authenticator.forget()
        return SignedOutOut(ended_sessions=ended)

    @post(
        "/reset-password",
        operation_id="askForNewPassword",
        summary="Ask for a link that sets a new password",
        description=(
            "The answer is the same whether somebody is registered with the address or not. The link goes by mail, "
            "works once and for 15 minutes."
        ),
        status_code=202,
        opt={"public": True, "idempotent": True},
    )
    async def ask_for_new_password(self, resets: PasswordResets, request: AnyRequest, data: ResetIn) -> ResetAskedOut:
        await resets.ask(data.email, device_of(request).address)
        return ResetAskedOut()

    @post(
        "/reset-password/confirm",
        operation_id="setNewPassword",
        summary="Set a new password with the mail's token",
        description="Every session of the person ends. A password that is refused does not spend the token.",
        status_code=200,
        opt={"public": True, "secret_answer": True},
    )
    async def set_new_password(
        self, resets: PasswordResets, authenticator: Authenticator, data: ResetConfirmIn
    ) -> SignedOutOut:
        ended = await resets.confirm(data.token, data.password)
        authenticator.forget()
        return SignedOutOut(ended_sessions=ended)


@get(
    "/.well-known/jwks.json",
    operation_id="readSigningKeys",
    summary="The keys that access tokens are signed with",
    tags=["Auth"],
    opt={"public": True},
)
async def read_signing_keys(signer: TokenSigner) -> Response[dict[str, list[dict[str, str]]]]:
    await signer.ready()
    return Response(signer.jwks(), headers={"Cache-Control": f"public, max-age={signer.reload_s}"})
