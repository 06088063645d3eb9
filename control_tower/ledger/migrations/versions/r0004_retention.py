"""What was kept may go by age, is held, and a person can be struck out of it."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, update

from control_tower.ledger.moments import Moment

revision = "0004"
down_revision = "0003"

_here = MetaData()

CHAINS = Table(
    "chains",
    _here,
    Column("run", String, primary_key=True),
    Column("flow", String, nullable=False),
    Column("length", Integer, nullable=False),
    Column("head", String, nullable=False),
    Column("began_at", Moment, nullable=False, index=True),
    Column("let_go", JSON, nullable=False),
)
HOLDS = Table(
    "legal_holds",
    _here,
    Column("id", Integer, primary_key=True),
    Column("case_id", String, nullable=False, index=True),
    Column("why", String, nullable=False),
    Column("placed_by", String, nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("released_by", String, nullable=False),
    Column("released_why", String, nullable=False),
    Column("released_at", Moment),
)
ERASURES = Table(
    "erasures",
    _here,
    Column("id", String, primary_key=True),
    Column("person", String, nullable=False, index=True),
    Column("why", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("files", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("told", String, nullable=False),
    Column("ended_at", Moment),
)
ERASED_FILES = Table(
    "erased_files",
    _here,
    Column("shelf", String, primary_key=True),
    Column("digest", String, primary_key=True),
    Column("suffix", String, nullable=False),
    Column("erasure", String, nullable=False, index=True),
    Column("instead", String, nullable=False),
    Column("at", Moment, nullable=False),
)
TABLES = dict(_here.tables)


def upgrade() -> None:
    """Nothing has been let go, held or erased yet."""
    for made in (HOLDS, ERASURES, ERASED_FILES):
        made.create(op.get_bind())
    with op.batch_alter_table("chains") as chains:
        chains.add_column(Column("let_go", JSON))
    op.execute(update(CHAINS).values(let_go={}))
    with op.batch_alter_table("chains") as chains:
        chains.alter_column("let_go", existing_type=JSON(), nullable=False)


def downgrade() -> None:
    """Nobody knows any more what was let go, held or erased."""
    with op.batch_alter_table("chains") as chains:
        chains.drop_column("let_go")
    for made in (ERASED_FILES, ERASURES, HOLDS):
        made.drop(op.get_bind())
