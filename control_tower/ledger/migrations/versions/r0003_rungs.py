"""Where each lane stands, and since when, is in the book."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Integer, MetaData, String, Table

from control_tower.ledger.moments import Moment

revision = "0003"
down_revision = "0002"

RUNGS = Table(
    "rungs",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("lane", String, nullable=False, index=True),
    Column("rung", String, nullable=False),
    Column("why", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
)
TABLES = {"rungs": RUNGS}


def upgrade() -> None:
    """No lane has moved yet: each stands where its policy says."""
    RUNGS.create(op.get_bind())


def downgrade() -> None:
    """Each lane stands where its policy says again."""
    RUNGS.drop(op.get_bind())
