"""A message on its way, as the ledger's database keeps it, and what its states mean.

`pending → sending → delivered | refused | unknown`, or `console` when it was printed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, and_, case, exists, or_
from sqlmodel import Field, SQLModel

from control_tower.ledger.database import Moment


class OutboxMessage(SQLModel, table=True):
    """One message: what it should say, what was posted, and where."""

    __tablename__ = "outbox"
    key: str = Field(primary_key=True)
    revision: str  # digest of what it should say
    text: str
    blocks: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    thread: str | None = None  # key of the message that it hangs under
    state: str = Field(index=True)
    channel_id: str | None = None
    thread_ts: str | None = None
    ts: str | None = None
    delivered_revision: str | None = None
    attempts: int = 0  # since it was last delivered
    holder: str = ""  # the deliverer that may call Slack about it now
    held_until: datetime | None = Field(default=None, sa_column=Column(Moment))
    sent_at: datetime | None = Field(default=None, sa_column=Column(Moment))  # a post not answered for
    next_try_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    last_error: str = ""
    place: int = 0  # its order among the messages queued with it
    queued_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    updated_at: datetime = Field(sa_column=Column(Moment, nullable=False))


OUTBOX = OutboxMessage.__table__  # type: ignore[attr-defined]
column = OUTBOX.c
UNDELIVERED = ("pending", "sending", "unknown")


def order() -> tuple[ColumnElement[Any], ...]:
    """The order in which messages go: digests first, then what has waited longest."""
    return case((column.key.startswith("digest:"), 0), else_=1), column.queued_at, column.place


def claimable(now: datetime) -> ColumnElement[bool]:
    """Due for a try, or left behind by a deliverer whose lease has ended."""
    due = and_(column.state.in_(("pending", "unknown")), or_(column.next_try_at.is_(None), column.next_try_at <= now))
    return or_(due, and_(column.state == "sending", column.held_until < now))


def may_hang() -> ColumnElement[bool]:
    """In no thread, or the head of its thread is posted or never will be."""
    head = OUTBOX.alias("head")
    to_come = and_(head.c.key == column.thread, head.c.ts.is_(None), head.c.state.in_(UNDELIVERED))
    return ~exists().where(to_come)
