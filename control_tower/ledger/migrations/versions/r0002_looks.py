"""Every look is in the book, and of each chain which flow ran and when it began."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, column, func, select, table, update

from control_tower.ledger.moments import Moment

revision = "0002"
down_revision = "0001"

_here = MetaData()

LOOKS = Table(
    "looks",
    _here,
    Column("run", String, primary_key=True),
    Column("lane", String, nullable=False, index=True),
    Column("source", String, nullable=False),
    Column("shop", String, nullable=False),
    Column("as_of", Moment, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("accepted", JSON, nullable=False),
    Column("quarantined", JSON, nullable=False),
    Column("breach", String, nullable=False),
)
CHAINS = Table(
    "chains",
    _here,
    Column("run", String, primary_key=True),
    Column("flow", String, nullable=False),
    Column("length", Integer, nullable=False),
    Column("head", String, nullable=False),
    Column("began_at", Moment, nullable=False, index=True),
)
TABLES = dict(_here.tables)

_journal = table("journal", column("of"), column("key"), column("at", Moment))


def upgrade() -> None:
    """A chain began when its head was first written down: the journal says when. Its flow's name nobody knows."""
    LOOKS.create(op.get_bind())
    with op.batch_alter_table("chains") as chains:
        chains.add_column(Column("flow", String))
        chains.add_column(Column("began_at", Moment))
    first = select(func.min(_journal.c.at)).where(_journal.c.of == "chains", _journal.c.key == CHAINS.c.run)
    op.execute(update(CHAINS).values(flow="", began_at=first.scalar_subquery()))
    with op.batch_alter_table("chains") as chains:
        chains.alter_column("flow", existing_type=String(), nullable=False)
        chains.alter_column("began_at", existing_type=Moment(), nullable=False)
    op.create_index("ix_chains_began_at", "chains", ["began_at"])


def downgrade() -> None:
    """Looks, flows' names and beginnings are unknown again."""
    op.drop_index("ix_chains_began_at", "chains")
    with op.batch_alter_table("chains") as chains:
        chains.drop_column("began_at")
        chains.drop_column("flow")
    LOOKS.drop(op.get_bind())
