"""The inbox: what a person did in Slack is written down before Slack is told that it arrived.

Slack delivers an interaction once, or twice, and never again after it was acknowledged. So a row is
kept until it was dealt with, under a lease; one whose listener died is found and dealt with by the
next. Dealing with one twice does no harm: the ledger takes one ruling.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field, TypeAdapter
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from control_tower.ledger.database import changed
from control_tower.nouns import Noun
from control_tower.slack.interactions import Click, Submission
from control_tower.slack.tables import INBOX, InboxRow

LEASE = timedelta(seconds=60)  # longer than dealing with one takes
KEEP = timedelta(days=30)

_read: TypeAdapter[Click | Submission] = TypeAdapter(Click | Submission)


class Held(Noun):
    """Something that a person did, and whether it is ours to deal with.

    Args:
        mine: nobody else deals with it, and nobody has.
        answer: what the form was told, once it was dealt with.
    """

    what: Click | Submission
    mine: bool
    done: bool
    received_at: datetime
    answer: dict[str, Any] | None = Field(default=None)


class Inbox:
    """What people did in Slack, in any database that the ledger can live in.

    Args:
        engine: the ledger's engine; the table is made if it is not there.
        holder: who this listener is, unlike any other.
    """

    def __init__(
        self,
        engine: Engine,
        holder: str | None = None,
        *,
        lease: timedelta = LEASE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.engine, self.lease, self.now = engine, lease, now
        self.holder = holder or uuid.uuid4().hex
        SQLModel.metadata.create_all(engine, tables=[INBOX])

    def receive(self, what: Click | Submission) -> Held:
        """Write it down, and hold it if nobody has; the same one twice is one row."""
        now = self.now()
        row = {
            "key": what.key,
            "kind": what.kind,
            "body": what.model_dump(mode="json"),
            "state": "received",
            "outcome": "",
            "answer": None,
            "holder": self.holder,
            "held_until": now + self.lease,
            "received_at": now,
        }
        try:
            with Session(self.engine) as session, session.begin():
                session.execute(insert(INBOX).values(**row))
        except IntegrityError:
            return self.take(what.key) or self.look(what.key)
        return Held(what=what, mine=True, done=False, received_at=now)

    def take(self, key: str) -> Held | None:
        """Hold a row that nobody holds any more; None when it is done, or in hands."""
        now = self.now()
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            mine = session.execute(
                update(INBOX)
                .where(col(InboxRow.key) == key, col(InboxRow.state) == "received", _left(now))
                .values(holder=self.holder, held_until=now + self.lease)
            )
            return _held(session.get_one(InboxRow, key), mine=True) if changed(mine) == 1 else None

    def look(self, key: str) -> Held:
        """How a row stands."""
        with Session(self.engine) as session:
            return _held(session.get_one(InboxRow, key), mine=False)

    def done(self, key: str, outcome: str, answer: dict[str, Any] | None = None) -> None:
        """It was dealt with; what becomes of it later is in the ledger."""
        with Session(self.engine) as session, session.begin():
            session.execute(
                update(INBOX)
                .where(col(InboxRow.key) == key)
                .values(state="done", outcome=outcome[:1000], answer=answer, done_at=self.now())
            )

    def left_behind(self, limit: int = 100) -> list[str]:
        """Keys of what nobody has dealt with and nobody holds, oldest first."""
        query = select(col(InboxRow.key)).where(col(InboxRow.state) == "received", _left(self.now()))
        with Session(self.engine) as session:
            return list(session.scalars(query.order_by(col(InboxRow.received_at)).limit(limit)))

    def forget(self) -> int:
        """Remove what was dealt with a month ago: who ruled and why is in the ledger."""
        old = col(InboxRow.done_at) < self.now() - KEEP
        with Session(self.engine) as session, session.begin():
            return changed(session.execute(delete(INBOX).where(col(InboxRow.state) == "done", old)))


def _left(now: datetime) -> Any:
    return col(InboxRow.held_until) < now


def _held(row: InboxRow, *, mine: bool) -> Held:
    return Held(
        what=_read.validate_python(row.body),
        mine=mine,
        done=row.state == "done",
        received_at=row.received_at,
        answer=row.answer,
    )
