"""The tables of operations."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, NanoUsdColumn, UtcTime

NAME_MAXIMUM = 300


class ModelConfig(Base):
    """What the staff has said of one model. Prices: nano-USD for a million tokens; None leaves the price table's."""

    __tablename__ = "model_config"

    name: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM), primary_key=True)
    tier: Mapped[str | None] = mapped_column(sa.String(16))
    input_price: Mapped[int | None] = mapped_column(NanoUsdColumn)
    output_price: Mapped[int | None] = mapped_column(NanoUsdColumn)
    enabled: Mapped[bool]
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    updated_by: Mapped[str] = mapped_column(sa.String(100))
