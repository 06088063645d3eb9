"""The tables of the first release; nothing here ever changes again."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, Float, Index, Integer, MetaData, String, Table

from control_tower.ledger.moments import Moment

revision = "0001"
down_revision = None

FIRST = MetaData()

Table(
    "touched",
    FIRST,
    Column("id", Integer, primary_key=True),
    Column("of", String, nullable=False),
    Column("key", String, nullable=False),
    Column("by", String, nullable=False),
)
Table(
    "journal",
    FIRST,
    Column("number", Integer, primary_key=True),
    Column("of", String, nullable=False),
    Column("key", String, nullable=False, index=True),
    Column("digest", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("code", String, nullable=False),
)
Table(
    "journal_head",
    FIRST,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("code", String, nullable=False),
)
Table(
    "cases",
    FIRST,
    Column("id", String, primary_key=True),
    Column("lane", String, nullable=False, index=True),
    Column("shop", String, nullable=False),
    Column("pivot", String, nullable=False),
    Column("title", String, nullable=False),
    Column("standing", String, nullable=False, index=True),
    Column("material", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("team", String, nullable=False, index=True),
    Column("owner", String, nullable=False),
    Column("amount", Integer),
    Column("currency", String),
    Column("priority", Float, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("seen_as_of", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("closed_reason", String, nullable=False),
    Column("body", JSON, nullable=False),
    Index("cases_by_lane_and_shop", "lane", "shop", "standing"),
)
Table(
    "proposals",
    FIRST,
    Column("digest", String, primary_key=True),
    Column("case_id", String, nullable=False, index=True),
    Column("order_id", String, nullable=False, index=True),
    Column("standing", String, nullable=False, index=True),
    Column("detail", String, nullable=False),
    Column("flow_run_id", String),
    Column("undoes", String, nullable=False),
    Column("round", Integer, nullable=False),
    Column("reminded", Integer, nullable=False),
    Column("escalated_to", String, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("body", JSON, nullable=False),
)
Table(
    "rulings",
    FIRST,
    Column("proposal", String, primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("verdict", String, nullable=False),
    Column("approver", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("reason_code", String, nullable=False),
    Column("via", String, nullable=False),
    Column("ruled_at", Moment, nullable=False, index=True),
    Column("amount", Integer),
    Column("role", String, nullable=False),
    Column("on_behalf_of", String, nullable=False),
    Column("seconded_by", String, nullable=False),
    Column("authority", String, nullable=False),
    Column("covered", JSON, nullable=False),
)
Table(
    "votes",
    FIRST,
    Column("proposal", String, primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("approver", String, primary_key=True),
    Column("amount", Integer),
    Column("role", String, nullable=False),
    Column("on_behalf_of", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("reason_code", String, nullable=False),
    Column("via", String, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)
Table(
    "approvers",
    FIRST,
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
)
Table(
    "effects",
    FIRST,
    Column("key", String, primary_key=True),
    Column("action", String, nullable=False),
    Column("order_id", String, nullable=False, index=True),
    Column("amount", Integer),
    Column("currency", String),
    Column("state", String, nullable=False, index=True),
    Column("store_reference", String, nullable=False),
    Column("prior", JSON, nullable=False),
    Column("detail", String, nullable=False),
    Column("holder", String, nullable=False),
    Column("lane", String, nullable=False, index=True),
    Column("shop", String, nullable=False),
    Column("customer", String, nullable=False, index=True),
    Column("approver", String, nullable=False, index=True),
    Column("intended_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
)
Table(
    "breakers",
    FIRST,
    Column("id", Integer, primary_key=True),
    Column("lane", String, nullable=False, index=True),
    Column("why", String, nullable=False),
    Column("tripped_by", String, nullable=False),
    Column("tripped_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("closed_by", String, nullable=False),
    Column("closed_why", String, nullable=False),
)
Table(
    "events",
    FIRST,
    Column("id", Integer, primary_key=True),
    Column("subject", String, nullable=False, index=True),
    Column("what", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("at", Moment, nullable=False),
)
Table(
    "chains",
    FIRST,
    Column("run", String, primary_key=True),
    Column("length", Integer, nullable=False),
    Column("head", String, nullable=False),
)
Table(
    "model_calls",
    FIRST,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, index=True),
    Column("lane", String, nullable=False),
    Column("case_id", String, nullable=False, index=True),
    Column("prompt", String, nullable=False),
    Column("model", String, nullable=False, index=True),
    Column("evidence", String, nullable=False),
    Column("sent", JSON, nullable=False),
    Column("received", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("tokens_in", Integer),
    Column("tokens_out", Integer),
    Column("cost", Integer, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)
Table(
    "briefs",
    FIRST,
    Column("case_id", String, primary_key=True),
    Column("evidence", String, nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", Moment, nullable=False),
)
Table(
    "outbox",
    FIRST,
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
)
Table(
    "slack_inbox",
    FIRST,
    Column("key", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("body", JSON, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("outcome", String, nullable=False),
    Column("answer", JSON),
    Column("holder", String, nullable=False),
    Column("held_until", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("done_at", Moment),
)
Table(
    "slack_users",
    FIRST,
    Column("team", String, primary_key=True),
    Column("user", String, primary_key=True),
    Column("approver", String, nullable=False, index=True),
)
TABLES = dict(FIRST.tables)


def upgrade() -> None:
    """Make them all."""
    FIRST.create_all(op.get_bind())


def downgrade() -> None:
    """There is nothing before it."""
