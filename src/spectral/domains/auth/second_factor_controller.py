"""HTTP of the second factor: `/api/v1/auth/second-factor` and `/api/v1/auth/step-up`."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.params import HeaderParameter

from spectral.domains.auth.schemas import (
    CodeIn,
    EnrolmentOut,
    RecoveryCodesOut,
    SecondFactorIn,
    SecondFactorOut,
    SteppedUpOut,
)
from spectral.domains.auth.second_factor import SecondFactors
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import people_only
from spectral.platform.access.principal import Principal
from spectral.settings import Settings

PATH = "/api/v1/auth/second-factor"
NO_STORE = {"Cache-Control": "no-store"}
PersonRequest = Request[Principal, None, State]

CodeHeader = Annotated[
    str,
    HeaderParameter(
        name="X-Second-Factor-Code",
        min_length=6,
        max_length=40,
        description="A code of the authenticator app, or a recovery code.",
    ),
]


class SecondFactorController(Controller):
    """The person's authenticator app and recovery codes."""

    path = "/api/v1/auth"
    tags = ("Auth",)
    guards = (people_only,)

    @get("/second-factor", operation_id="readSecondFactor", summary="Do I have a second factor")
    async def read_second_factor(self, second_factors: SecondFactors, request: PersonRequest) -> SecondFactorOut:
        state = await second_factors.read_state(_person(request))
        return SecondFactorOut(
            enabled=state.enabled_at is not None,
            enabled_at=state.enabled_at,
            recovery_codes_left=state.recovery_codes_left,
        )

    @post(
        "/second-factor",
        operation_id="startSecondFactor",
        summary="Begin to add a second factor",
        description=(
            "Answers a secret for an authenticator app (TOTP: SHA-1, 6 digits, 30 seconds), this once. It counts as "
            "soon as one of its codes has been sent to `second-factor/confirm`; until then a new beginning replaces it."
        ),
        opt={"secret_answer": True},
    )
    async def start_second_factor(
        self, second_factors: SecondFactors, request: PersonRequest, data: SecondFactorIn
    ) -> Response[EnrolmentOut]:
        enrolment = await second_factors.start(_person(request), data.current_password)
        return Response(EnrolmentOut.model_validate(enrolment), status_code=201, headers={"Location": PATH} | NO_STORE)

    @post(
        "/second-factor/confirm",
        operation_id="confirmSecondFactor",
        summary="Add the second factor",
        description="From now on signing in takes a code. Answers ten recovery codes, this once.",
        status_code=200,
        opt={"secret_answer": True},
    )
    async def confirm_second_factor(
        self, second_factors: SecondFactors, authenticator: Authenticator, request: PersonRequest, data: CodeIn
    ) -> Response[RecoveryCodesOut]:
        codes = await second_factors.confirm(_person(request), request.user.credential_id, data.code)
        authenticator.forget()
        return Response(RecoveryCodesOut(recovery_codes=codes), headers=NO_STORE)

    @delete(
        "/second-factor",
        operation_id="removeSecondFactor",
        summary="Remove the second factor",
        description="Signing in takes a password only. Recovery codes are gone too.",
    )
    async def remove_second_factor(
        self, second_factors: SecondFactors, authenticator: Authenticator, request: PersonRequest, code: CodeHeader
    ) -> None:
        await second_factors.remove(_person(request), code)
        authenticator.forget()

    @post(
        "/second-factor/recovery-codes",
        operation_id="renewRecoveryCodes",
        summary="Get new recovery codes",
        description="Answers ten recovery codes, this once; the former ones do not work any more.",
        status_code=200,
        opt={"secret_answer": True},
    )
    async def renew_recovery_codes(
        self, second_factors: SecondFactors, request: PersonRequest, data: CodeIn
    ) -> Response[RecoveryCodesOut]:
        codes = await second_factors.renew_recovery_codes(_person(request), data.code)
        return Response(RecoveryCodesOut(recovery_codes=codes), headers=NO_STORE)

    @post(
        "/step-up",
        operation_id="stepUp",
        summary="Show the second factor once more",
        description=(
            "Changes of administrators and approvals answer 403 `step-up-required` when this session has not shown "
            "the second factor lately; this shows it."
        ),
        status_code=200,
        opt={"secret_answer": True},
    )
    async def step_up(
        self,
        second_factors: SecondFactors,
        authenticator: Authenticator,
        settings: Settings,
        request: PersonRequest,
        data: CodeIn,
    ) -> SteppedUpOut:
        moment = await second_factors.step_up(_person(request), request.user.credential_id, data.code)
        authenticator.forget()
        return SteppedUpOut(stepped_up_until=moment + timedelta(seconds=settings.step_up_lifetime_s))


def _person(request: PersonRequest) -> UUID:
    """`people_only` has made sure that there is one; nobody has the other id."""
    return request.user.user_id or UUID(int=0)
