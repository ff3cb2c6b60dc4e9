"""The tables of inference."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, NanoUsdColumn, UtcTime, WorkspaceOwned
from spectral.platform.shared.secret_box import sealed

CREDENTIAL_PURPOSE = "provider-credential"
NAME_MAXIMUM = 64
MODEL_MAXIMUM = 300
SUBJECT_MAXIMUM = 200
CODE_MAXIMUM = 64


class ProviderCredential(WorkspaceOwned, Base):
    """A workspace's key for a provider. api_key: sealed (`SecretBox` of `CREDENTIAL_PURPOSE`).

    prefix: what stands before the slash in the names of its models; the provider, or the name where the endpoint is
    the workspace's own.  check_error: what went wrong when it was checked last, None where nothing did.
    """

    __tablename__ = "provider_credential"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "name"), sa.UniqueConstraint("workspace_id", "prefix"))

    name: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    prefix: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    provider: Mapped[str] = mapped_column(sa.String(32))
    base_url: Mapped[str | None] = mapped_column(sa.String(500))
    api_key: Mapped[str] = mapped_column(sa.Text, info=sealed(CREDENTIAL_PURPOSE))
    last_four: Mapped[str] = mapped_column(sa.String(4))
    created_by: Mapped[str] = mapped_column(sa.String(100))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    checked_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    check_error: Mapped[str | None] = mapped_column(sa.Text)


class ModelCall(WorkspaceOwned, Base):
    """One attempt at a call over the network, when it had ended. kind: completion or embedding.

    cached_tokens are parts of the input, reasoning_tokens of the output.  cost_nano_usd: None where it is not known.
    error_type: the fault's code, None where the call was answered.
    """

    __tablename__ = "model_call"
    __table_args__ = (
        sa.Index(None, "workspace_id", "created_at", "id"),
        sa.Index(None, "workspace_id", "subject", "created_at"),
    )

    kind: Mapped[str] = mapped_column(sa.String(16))
    purpose: Mapped[str] = mapped_column(sa.String(32))
    subject: Mapped[str | None] = mapped_column(sa.String(SUBJECT_MAXIMUM))
    provider: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    model: Mapped[str] = mapped_column(sa.String(MODEL_MAXIMUM))
    input_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    output_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cached_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    reasoning_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    latency_ms: Mapped[float]
    error_type: Mapped[str | None] = mapped_column(sa.String(CODE_MAXIMUM))
