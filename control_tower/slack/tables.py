"""What is on its way to Slack, and what came from it, as the ledger's database keeps them.

A message is `pending → sending → delivered | refused | unknown`, or `console` when it was printed.
What a person did is `received → done`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, and_, case, exists, or_
from sqlmodel import Field, SQLModel

from control_tower.ledger.moments import Moment


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
    updated_at: datetime = Field(sa_column=Column(Moment, nullable=False))  # what it says is as of then
    channel: str = ""  # where it is to be posted; empty: in the tower's own


class InboxRow(SQLModel, table=True):
    """One thing that a person did in Slack, from before it was acknowledged until it was dealt with.

    What Slack gives for a short while to answer with (trigger ids, response URLs) is not kept.
    """

    __tablename__ = "slack_inbox"
    key: str = Field(primary_key=True)
    kind: str  # click | submission
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str = Field(index=True)  # received | done
    outcome: str = ""  # what became of it, in words
    answer: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))  # what the form was told
    holder: str = ""  # the listener that deals with it now
    held_until: datetime = Field(sa_column=Column(Moment, nullable=False))
    received_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    done_at: datetime | None = Field(default=None, sa_column=Column(Moment))


INBOX = InboxRow.__table__  # type: ignore[attr-defined]
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
