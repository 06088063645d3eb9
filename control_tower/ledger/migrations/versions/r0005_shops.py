"""One tower, many shops: whom a person rules for, where a lane stands and is stopped, and where a message goes."""

from __future__ import annotations

from datetime import UTC, datetime

from alembic import op
from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, delete, select, update

from control_tower.ledger.moments import Moment

revision = "0005"
down_revision = "0004"

ALL_SHOPS = "*"

_here = MetaData()

APPROVERS = Table(
    "approvers",
    _here,
    Column("name", String, primary_key=True),
    Column("email", String, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("customers", JSON, nullable=False),
    Column("token_hash", String, nullable=False),
    Column("token_expires_at", Moment, nullable=False),
    Column("code_secret", String, nullable=False),
    Column("code_count", Integer, nullable=False),
    Column("wrong_codes", Integer, nullable=False),
    Column("locked_until", Moment),
    Column("enrolled_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("shops", JSON, nullable=False),
)
BREAKERS = Table(
    "breakers",
    _here,
    Column("id", Integer, primary_key=True),
    Column("lane", String, nullable=False, index=True),
    Column("why", String, nullable=False),
    Column("tripped_by", String, nullable=False),
    Column("tripped_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("closed_by", String, nullable=False),
    Column("closed_why", String, nullable=False),
    Column("shop", String, nullable=False),
)
RUNGS = Table(
    "rungs",
    _here,
    Column("id", Integer, primary_key=True),
    Column("lane", String, nullable=False, index=True),
    Column("rung", String, nullable=False),
    Column("why", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("shop", String, nullable=False),
)
OUTBOX = Table(
    "outbox",
    _here,
    Column("key", String, primary_key=True),
    Column("revision", String, nullable=False),
    Column("text", String, nullable=False),
    Column("blocks", JSON, nullable=False),
    Column("thread", String),
    Column("state", String, nullable=False, index=True),
    Column("channel_id", String),
    Column("thread_ts", String),
    Column("ts", String),
    Column("delivered_revision", String),
    Column("attempts", Integer, nullable=False),
    Column("holder", String, nullable=False),
    Column("held_until", Moment),
    Column("sent_at", Moment),
    Column("next_try_at", Moment),
    Column("last_error", String, nullable=False),
    Column("place", Integer, nullable=False),
    Column("queued_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("channel", String, nullable=False),
)
TABLES = dict(_here.tables)
_NEW: dict[str, tuple[str, type[String] | type[JSON], object]] = {
    "approvers": ("shops", JSON, [ALL_SHOPS]),  # who is enrolled stays who they are
    "breakers": ("shop", String, ""),  # what is stopped is stopped in every shop
    "rungs": ("shop", String, ""),  # what was moved was the tower's one shop
    "outbox": ("channel", String, ""),
}


def upgrade() -> None:
    """There was one shop."""
    for name, (column, kind, of_before) in _NEW.items():
        with op.batch_alter_table(name) as table:
            table.add_column(Column(column, kind()))
        op.execute(update(TABLES[name]).values({column: of_before}))
        with op.batch_alter_table(name) as table:
            table.alter_column(column, existing_type=kind(), nullable=False)


def downgrade() -> None:
    """There is one shop again: who ruled for some shops only rules for none, and other shops' rungs are forgotten.

    A lane that is stopped in one shop is stopped altogether. What waits for another channel is told nobody.
    """
    connection = op.get_bind()
    for name, shops, revoked in connection.execute(
        select(APPROVERS.c.name, APPROVERS.c.shops, APPROVERS.c.revoked_at)
    ).all():
        if ALL_SHOPS not in shops and revoked is None:
            mine = update(APPROVERS).where(APPROVERS.c.name == name)
            op.execute(mine.values(revoked_at=datetime.now(UTC)))
    op.execute(delete(RUNGS).where(RUNGS.c.shop != ""))
    op.execute(delete(OUTBOX).where(OUTBOX.c.channel != "", OUTBOX.c.ts.is_(None)))
    for name, (column, _, _) in _NEW.items():
        with op.batch_alter_table(name) as table:
            table.drop_column(column)
