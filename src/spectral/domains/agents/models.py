"""The tables of agents. Configs, promotions, template versions and invocations are written once and never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.domains.agents.config import ConfigDocument
from spectral.platform.db.base import Base, Json, NanoUsdColumn, UtcTime, WorkspaceOwned, tenant_fk
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.secret_box import sealed

CREATED = "created"
OBSERVED = "observed"
"""Where an agent comes from; OBSERVED is also the runtime of one that we only see traces of."""

SECRET_PURPOSE = "agent-runtime"  # noqa: S105


class Agent(WorkspaceOwned, Base):
    """One agent. `latest_version` is the highest config version given out, 0 before the first.

    origin: `created` by somebody, or `observed` in traces.  external_key: how an observed agent's spans name it.
    first_seen_at, last_seen_at: when spans of the agent came, to about a minute.
    runtime_settings: what executing it needs; a shape for each runtime (`settings.py`).
    runtime_secret_sealed: signs what is posted to it, of the runtime `http`.
    """

    __tablename__ = "agent"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "name"),
        sa.Index("uq_agent_workspace_id_external_key", "workspace_id", "external_key", unique=True),
    )

    name: Mapped[str] = mapped_column(sa.String(200))
    description: Mapped[str | None] = mapped_column(sa.String(2000))
    runtime: Mapped[str] = mapped_column(sa.String(20))
    latest_version: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[str] = mapped_column(sa.String(100))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    archived_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    origin: Mapped[str] = mapped_column(sa.String(16), default=CREATED, server_default=sa.text("'created'"))
    external_key: Mapped[str | None] = mapped_column(sa.String(200))
    first_seen_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    runtime_settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sa.text("'{}'"))
    runtime_secret_sealed: Mapped[str | None] = mapped_column(sa.Text, info=sealed(SECRET_PURPOSE))


class AgentTombstone(Base):
    """An agent that somebody deleted, under a name that its spans use: it is not observed again for a while."""

    __tablename__ = "agent_tombstone"

    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True)
    external_key: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    deleted_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))


class AgentConfig(WorkspaceOwned, Base):
    """One immutable config version: versions count from 1 within an agent, and no two hold the same document.

    origin: who made it ("user", "scan:<id>").
    """

    __tablename__ = "agent_config"
    __table_args__ = (
        tenant_fk("agent_id", "agent", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "agent_id", "version"),
        sa.UniqueConstraint("workspace_id", "agent_id", "config_hash"),
    )

    agent_id: Mapped[UUID]
    version: Mapped[int]
    document: Mapped[dict[str, Any]]
    config_hash: Mapped[str] = mapped_column(sa.String(64))
    origin: Mapped[str] = mapped_column(sa.String(100))
    note: Mapped[str | None] = mapped_column(sa.String(2000))
    created_by: Mapped[str] = mapped_column(sa.String(100))

    def read_document(self) -> ConfigDocument:
        """The document as its checked type."""
        return ConfigDocument.model_validate(self.document)


class AgentEnvironment(WorkspaceOwned, Base):
    """Which config version is live in one environment of an agent, and since when.

    holdback_version, holdback_share, salt: while a promotion keeps a holdback, the version before it and the share of
    the sessions (up to 0.5) that still get it, chosen by a hash with the salt; all None when it is live for everybody.
    """

    __tablename__ = "agent_environment"
    __table_args__ = (
        tenant_fk("agent_id", "agent", ondelete="CASCADE"),
        tenant_fk("config_id", "agent_config", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "agent_id", "environment"),
        sa.Index(None, "workspace_id", "config_id"),
    )

    agent_id: Mapped[UUID]
    environment: Mapped[str] = mapped_column(sa.String(32))
    config_id: Mapped[UUID]
    version: Mapped[int]
    promoted_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    holdback_version: Mapped[int | None]
    holdback_share: Mapped[float | None] = mapped_column(sa.Double)
    salt: Mapped[str | None] = mapped_column(sa.String(32))


class AgentPromotion(WorkspaceOwned, Base):
    """One promotion: `version` went live in an environment in the place of `previous_version`.

    holdback: the share of the sessions that kept the previous version at first, None where that was none.
    """

    __tablename__ = "agent_promotion"
    __table_args__ = (
        tenant_fk("agent_id", "agent", ondelete="CASCADE"),
        tenant_fk("config_id", "agent_config", ondelete="CASCADE"),
        sa.Index(None, "workspace_id", "agent_id", "created_at"),
        sa.Index(None, "workspace_id", "config_id"),
    )

    agent_id: Mapped[UUID]
    environment: Mapped[str] = mapped_column(sa.String(32))
    config_id: Mapped[UUID]
    version: Mapped[int]
    previous_version: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(sa.String(2000))
    actor: Mapped[str] = mapped_column(sa.String(100))
    holdback: Mapped[float | None] = mapped_column(sa.Double)


class AgentTemplate(WorkspaceOwned, Base):
    """One managed prompt template of an agent; `version` is its current version."""

    __tablename__ = "agent_template"
    __table_args__ = (
        tenant_fk("agent_id", "agent", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "agent_id", "name"),
    )

    agent_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(64))
    version: Mapped[int]


class AgentTemplateVersion(WorkspaceOwned, Base):
    """What a template said in one version."""

    __tablename__ = "agent_template_version"
    __table_args__ = (
        tenant_fk("template_id", "agent_template", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "template_id", "version"),
    )

    template_id: Mapped[UUID]
    version: Mapped[int]
    messages: Mapped[list[Any]]
    variables: Mapped[list[Any]]
    origin: Mapped[str] = mapped_column(sa.String(100))
    created_by: Mapped[str] = mapped_column(sa.String(100))


class AgentInvocation(WorkspaceOwned, Base):
    """One run of an agent in the playground.

    version: the config version that ran, None for a draft that was never stored. The id is a UUIDv7, so `id.hex` has
    the form of a trace id: a higher domain that turns the row into a trace needs no other key.
    """

    __tablename__ = "agent_invocation"
    __table_args__ = (
        tenant_fk("agent_id", "agent", ondelete="CASCADE"),
        sa.Index(None, "workspace_id", "agent_id", "created_at"),
    )

    agent_id: Mapped[UUID]
    version: Mapped[int | None]
    config_hash: Mapped[str] = mapped_column(sa.String(64))
    mode: Mapped[str] = mapped_column(sa.String(20))
    input: Mapped[Any] = mapped_column(Json, nullable=True)
    output: Mapped[str | None] = mapped_column(sa.Text)
    error_type: Mapped[str | None] = mapped_column(sa.String(50))
    error_message: Mapped[str | None] = mapped_column(sa.Text)
    model: Mapped[str] = mapped_column(sa.String(200))
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    input_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    output_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    latency_ms: Mapped[float]
    started_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    actor: Mapped[str] = mapped_column(sa.String(100))
