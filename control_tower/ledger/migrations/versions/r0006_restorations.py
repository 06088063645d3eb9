"""The ledger may have been restored from a backup, and somebody answers for what it lost."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, Integer, MetaData, String, Table

from control_tower.ledger.moments import Moment

revision = "0006"
down_revision = "0005"

_here = MetaData()

RESTORATIONS = Table(
    "restorations",
    _here,
    Column("id", Integer, primary_key=True),
    Column("by", String, nullable=False),
    Column("why", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("records", JSON, nullable=False),
)
TABLES = dict(_here.tables)


def upgrade() -> None:
    """Nothing was restored yet, as far as the book knows."""
    RESTORATIONS.create(op.get_bind())


def downgrade() -> None:
    """Nobody answers any more for what was lost: `tower audit verify` names it again."""
    RESTORATIONS.drop(op.get_bind())
