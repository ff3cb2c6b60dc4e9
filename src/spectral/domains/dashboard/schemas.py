"""The wire shapes of overviews."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from spectral.platform.shared.money import UsdAmount
from spectral.platform.shared.pagination import Pagination
from spectral.platform.shared.wire import Timestamp, WireOut


class FiguresOut(WireOut):
    """What is there now, and what happened in the last 30 days.

    `own_model_cost_usd` is what Spectral spent on models for evaluations, searches and the playground;
    `observed_model_cost_usd` what the agents' own calls cost, by their traces. Calls of unknown cost are counted apart.
    """

    members: int = Field(description="People with a role in the workspace; the account's owners are not counted.")
    agents: int
    api_keys_active: int
    traces: int
    spans: int
    received_spans: int = Field(description="In the last 30 days, copies included.")
    received_bytes: int = Field(description="In the last 30 days, before decompression.")
    scans: int = Field(description="Started in the last 30 days.")
    own_model_cost_usd: UsdAmount
    own_unpriced_calls: int
    observed_model_cost_usd: UsdAmount
    observed_unpriced_calls: int


class WorkspaceUsageOut(FiguresOut):
    """The figures of one workspace."""

    workspace_id: UUID
    name: str


class AccountUsageOut(WireOut):
    """The usage of an account by workspace, newest first. `total` adds up the workspaces of this page."""

    since: Timestamp = Field(description="Where the 30 days begin.")
    members: int = Field(description="People in the account.")
    total: FiguresOut
    results: list[WorkspaceUsageOut]
    pagination: Pagination


class FailedScanOut(WireOut):
    """A scan that ended by an error."""

    scan_id: UUID
    type: str | None
    finished_at: Timestamp | None


class RefusedScheduleOut(WireOut):
    """A schedule whose last scan was refused when it was due: what stands in the way, until it is put right."""

    schedule_id: UUID
    name: str
    due_at: Timestamp
    type: str | None
    title: str | None
    detail: str | None


class StaleHoldoutOut(WireOut):
    """The newest holdout of a sample set, which can be asked nothing more: a new one is to be frozen.

    `retired`: it was retired and nothing took its place; `exhausted`: all its planned looks are taken.
    """

    set_id: UUID
    holdout_id: UUID
    reason: Literal["retired", "exhausted"]


class GuardAlertOut(WireOut):
    """A promotion whose guard has found something and waits for somebody: roll the change set back, or release it."""

    changeset_id: UUID
    agent_id: UUID
    environment: str
    version: int
    previous_version: int
    finding: str = Field(examples=["regression"])
    reason: str | None
    alerted_at: Timestamp | None


class ConnectionOut(WireOut):
    """How a process sends its traces here: the variables that it needs in its environment.

    The key in them is the newest active one that may send traces, as its beginning and end: put the whole key there.
    `status` is `waiting` until the first spans come.
    """

    endpoint: str
    environment: dict[str, str]
    status: Literal["waiting", "receiving"]
    first_seen_at: Timestamp | None = Field(description="At most 31 days back, to the minute.")
    last_seen_at: Timestamp | None


class MissingContentOut(WireOut):
    """An instrumentation at least half of whose model calls came without content in the last 24 hours.

    `environment` are the variables that switch it on in the process that sends; `hint` says what else matters.
    """

    scope: str = Field(description="The name of the instrumentation scope.")
    instrumentation: str
    model_calls: int
    without_content: int
    environment: dict[str, str]
    hint: str


class ObservedAgentsOut(WireOut):
    """How many agents appeared by themselves in traces; at the limit no more do, until some are deleted."""

    count: int
    limit: int


class WorkspaceHealthOut(WireOut):
    """How a workspace is. `reasons` says what needs attention; without any, `status` is ok.

    `ingestion_errors` counts spans and requests that were refused in the last 24 hours, by reason; logs that are no
    content events are not among them.
    """

    status: Literal["ok", "attention"]
    reasons: list[
        Literal[
            "no_recent_traces",
            "ingestion_errors",
            "failing_scans",
            "refused_schedules",
            "stale_holdouts",
            "guard_alerts",
            "missing_content",
            "observed_agents_limit",
        ]
    ]
    connection: ConnectionOut
    missing_content: list[MissingContentOut]
    observed_agents: ObservedAgentsOut
    last_trace_seen_at: Timestamp | None = Field(description="Null where none came in for 31 days.")
    ingestion_errors: dict[str, int]
    failing_scans: list[FailedScanOut] = Field(description="The latest 20 of the last 7 days.")
    refused_schedules: list[RefusedScheduleOut] = Field(description="The latest 20 of the last 7 days.")
    stale_holdouts: list[StaleHoldoutOut]
    guard_alerts: list[GuardAlertOut]
    open_support_grants: int
