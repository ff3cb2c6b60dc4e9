"""The wire shapes of replica checks."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from spectral.domains.agents.schemas import Version
from spectral.platform.shared.money import UsdAmountIn
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut


class ReplicaCheckIn(WireIn):
    """A replica to compare with what its agent was seen to say.

    sample_set_id: of samples that were made of the agent's traces (`POST …/samples/{id}/from-traces` with
    `expected_from: output`), of which 100 to 500 outside of the holdout are compared.  version: of the config; left
    out, what is live in production.
    """

    sample_set_id: UUID
    version: Version | None = None
    max_cost_usd: UsdAmountIn | None = None


class ReplicaCheckOut(WireOut):
    """A check. `agrees`: at least 100 outputs were compared, and the lower bound of the agreement is 0.9 or more.

    `lower` and `upper`: Wilson's 95 % interval of `agreed` of `compared`. `missing` outputs say nothing.
    """

    id: UUID
    agent_id: UUID
    version: int
    config_hash: str
    sample_set_id: UUID
    sample_set_version: int
    outputs: int
    status: Literal["queued", "running", "completed", "failed", "cancelled"]
    compared: int | None
    agreed: int | None
    missing: int | None
    lower: float | None
    upper: float | None
    agrees: bool
    failure: dict[str, Any] | None = Field(examples=[None])
    created_by: str
    created_at: Timestamp
    finished_at: Timestamp | None
