"""How far each lane has looked at each source."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, MetaData, String, Table

from control_tower.ledger.moments import Moment

revision = "0007"
down_revision = "0006"

_here = MetaData()

WATERMARKS = Table(
    "watermarks",
    _here,
    Column("lane", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("run", String, nullable=False),
    Column("as_of", Moment, nullable=False),
    Column("whole_at", Moment, nullable=False),
    Column("basis", String, nullable=False),
    Column("body", JSON, nullable=False),
)
TABLES = dict(_here.tables)


def upgrade() -> None:
    """No lane has looked at anything: the first look is at everything."""
    WATERMARKS.create(op.get_bind())


def downgrade() -> None:
    """Every look is at everything."""
    WATERMARKS.drop(op.get_bind())
