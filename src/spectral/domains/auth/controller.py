"""HTTP of signing up and in: `/api/v1/auth` and the public keys."""

from uuid import UUID

from litestar import Controller, Request, Response, get, patch, post
from litestar.datastructures import State

from spectral.domains.auth.schemas import (
    ChangePasswordIn,
    LoginIn,
    MembershipOut,
    ProfileOut,
    ProfilePatch,
    RefreshIn,
    RegisterIn,
    SignedOutOut,
    TokensOut,
    WorkspaceStandingOut,
)
from spectral.domains.auth.service import AuthService, Profile, SignedIn
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import people_only
from spectral.platform.access.principal import Principal
from spectral.platform.shared.tokens import TokenSigner

NO_STORE = {"Cache-Control": "no-store"}
PersonRequest = Request[Principal, None, State]


def tokens_out(signed_in: SignedIn, status: int) -> Response[TokensOut]:
    return Response(TokensOut.model_validate(signed_in), status_code=status, headers=NO_STORE)


def profile_out(profile: Profile) -> ProfileOut:
    return ProfileOut(
        user_id=profile.user.id,
        email=profile.user.email,
        name=profile.user.name,
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
    """Signing up, in and out, and the own profile."""

    path = "/api/v1/auth"
    tags = ("Auth",)

    @post("/register", operation_id="register", summary="Open an account", opt={"public": True, "secret_answer": True})
    async def register(
        self, auth: AuthService, request: Request[None, None, State], data: RegisterIn
    ) -> Response[TokensOut]:
        signed_in = await auth.register(data.email, data.password, data.tenant_name, request.headers.get("user-agent"))
        return tokens_out(signed_in, 201)

    @post(
        "/login", operation_id="login", summary="Sign in", status_code=200, opt={"public": True, "secret_answer": True}
    )
    async def log_in(
        self, auth: AuthService, request: Request[None, None, State], data: LoginIn
    ) -> Response[TokensOut]:
        return tokens_out(await auth.log_in(data.email, data.password, request.headers.get("user-agent")), 200)

    @post(
        "/refresh",
        operation_id="refresh",
        summary="Exchange a refresh token",
        description="The token is spent. A spent token that comes back ends the whole session.",
        status_code=200,
        opt={"public": True, "secret_answer": True},
    )
    async def refresh(self, auth: AuthService, data: RefreshIn) -> Response[TokensOut]:
        return tokens_out(await auth.refresh(data.refresh_token), 200)

    @post("/logout", operation_id="logout", summary="Sign out", status_code=200, guards=[people_only])
    async def log_out(self, auth: AuthService, authenticator: Authenticator, request: PersonRequest) -> SignedOutOut:
        ended = await auth.log_out(request.user.credential_id)
        authenticator.forget()
        return SignedOutOut(ended_sessions=ended)

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
        description="Every other session of the person ends.",
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


@get(
    "/.well-known/jwks.json",
    operation_id="readSigningKeys",
    summary="The keys that access tokens are signed with",
    tags=["Auth"],
    opt={"public": True},
)
async def read_signing_keys(signer: TokenSigner) -> dict[str, list[dict[str, str]]]:
    return signer.jwks()
