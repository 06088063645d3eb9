"""The outbox: every message waits in the ledger's database until it is known to be in the channel.

The row says `sending`, under a lease, before Slack is called. A post that ended without an answer is
looked up by its metadata before it is tried again, so that neither a lost reply nor a crash posts twice.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import Engine, and_, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert
from sqlmodel import SQLModel

from control_tower.batches import batches
from control_tower.slack.channel import Carried, SlackChannel, SlackTrouble
from control_tower.slack.client import Console
from control_tower.slack.parts import Message
from control_tower.slack.tables import OUTBOX, UNDELIVERED, OutboxMessage, claimable, column, may_hang, order

LEASE = timedelta(minutes=5)  # longer than any one call, with its waits, takes
FIRST_WAIT, LAST_WAIT = timedelta(seconds=15), timedelta(minutes=15)
LONGEST_ASKED = timedelta(hours=1)  # however long Slack, or what stands before it, asks for
DOWN = 3  # failures in a row after which Slack is left alone
BATCH = 500
POSTS = 30  # new messages a minute; Slack takes about one a second, and people less. Changes ping nobody.


@dataclass(frozen=True)
class Delivered:
    """What one delivery did: messages posted, changed and failed, how many are left, and the last error."""

    posted: int = 0
    updated: int = 0
    failed: int = 0
    left: int = 0
    error: str = ""


class Outbox:
    """Messages on their way, in any database that the ledger can live in.

    Args:
        engine: the ledger's engine; the table is made if it is not there.
        holder: who this deliverer is, unlike any other.
        posts_a_minute: new messages in the channel in any minute; the others wait their turn.
    """

    def __init__(self, engine: Engine, holder: str | None = None, *, posts_a_minute: int = POSTS) -> None:
        self.engine, self.posts_a_minute = engine, posts_a_minute
        self.holder = holder or uuid.uuid4().hex
        SQLModel.metadata.create_all(engine, tables=[OUTBOX])

    def put(self, messages: Sequence[Message], *, now: datetime | None = None) -> int:
        """Queue messages, and return how many are new or say something new.

        A new revision of a posted message becomes a change of that message; the same revision is
        nothing at all. Of two messages with one key the last counts.
        """
        now = now or datetime.now(UTC)
        latest = {message.key: message for message in messages}
        # In the order of keys, so that two processes that queue the same rows do not lock crosswise.
        rows = sorted((_row(one, place, now) for place, one in enumerate(latest.values())), key=itemgetter("key"))
        changed = 0
        with Session(self.engine) as session, session.begin():
            for batch in batches(rows, BATCH):
                changed += len(session.execute(self._upsert(batch)).all())
                # What says nothing new is up to date all the same.
                keys = [row["key"] for row in batch]
                session.execute(update(OUTBOX).where(column.key.in_(keys)).values(updated_at=now))
        return changed

    def _upsert(self, rows: Sequence[dict[str, Any]]) -> ReturningInsert[tuple[str]]:
        insert = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        new = insert(OUTBOX).values(rows)
        said: dict[str, Any] = {name: new.excluded[name] for name in ("revision", "text", "blocks", "updated_at")}
        # What is posted stays in its channel, and what was never tried goes where it belongs now.
        said["channel"] = case((column.sent_at.is_(None), new.excluded.channel), else_=column.channel)
        said["thread"] = func.coalesce(column.thread, new.excluded.thread)  # where it hangs, it stays
        in_the_air, waits = column.state.in_(("sending", "unknown")), column.state.in_(UNDELIVERED)
        # What changes while it waits keeps its turn.
        turn = {name: case((waits, column[name]), else_=new.excluded[name]) for name in ("queued_at", "place")}
        return new.on_conflict_do_update(
            index_elements=[column.key],
            set_={**said, **turn, "state": case((in_the_air, column.state), else_="pending")},
            where=column.revision != new.excluded.revision,
        ).returning(column.key)

    def pending(self, limit: int = 100) -> list[OutboxMessage]:
        """Messages that are not known to be delivered, in the order in which they would go."""
        query = select(OutboxMessage).where(column.state.in_(UNDELIVERED)).order_by(*order()).limit(limit)
        with Session(self.engine, expire_on_commit=False) as session:
            return list(session.scalars(query))

    def channels(self, beginnings: Sequence[str]) -> dict[str, str]:
        """Key → channel of all messages that begin so, whatever came of them, in the order they were queued in."""
        begins = or_(*(column.key.startswith(beginning, autoescape=True) for beginning in beginnings))
        with Session(self.engine) as session:
            found = select(column.key, column.channel).where(begins).order_by(column.queued_at, column.key)
            return {row.key: row.channel for row in session.execute(found)}

    def deliver(
        self,
        client: SlackChannel | Console,
        *,
        limit: int = 10_000,
        now: datetime | None = None,
        patience: float = 60,
        only: Sequence[str] = (),
    ) -> Delivered:
        """Bring the channel up to date; what fails stays in the outbox, and nothing is raised.

        Args:
            client: the channel, or the console.
            limit: the most messages to try.
            now: the time of the clock, not of a replay; leases are counted from it.
            patience: seconds after which no further message is begun.
            only: the keys of the messages that can't wait for the others; all of them when empty.
        """
        clock = _Clock(now or datetime.now(UTC), patience)
        if isinstance(client, Console):
            return self._show(client, limit, clock.now())
        posted = updated = failed = in_a_row = 0
        last = ""
        for key in self._due(limit, clock, only):
            outcome = self._carry(client, key, clock)
            if isinstance(outcome, Carried):
                posted, updated = posted + (not outcome.was_there), updated + outcome.was_there
                in_a_row = 0
            elif outcome:
                failed, last = failed + 1, outcome.what
                in_a_row += outcome.kind in ("later", "unsure")
                if in_a_row >= DOWN or outcome.wait is not None:
                    break
        return Delivered(posted, updated, failed, self._left(), last)

    def _due(self, limit: int, clock: _Clock, only: Sequence[str]) -> Iterator[str]:
        while limit > 0:
            with Session(self.engine) as session:
                room = self.posts_a_minute - _posted_since(session, clock.now() - timedelta(minutes=1))
                due = select(column.key).where(claimable(clock.now()), may_hang()).order_by(*order())
                if only:
                    due = due.where(column.key.in_(only))
                if room <= 0:
                    due = due.where(column.ts.is_not(None))
                keys = list(session.scalars(due.limit(min(limit, 50 if room <= 0 else min(50, room)))))
            if not keys:
                return
            for key in keys:
                if clock.spent():
                    return
                yield key
            limit -= len(keys)

    def _carry(self, channel: SlackChannel, key: str, clock: _Clock) -> Carried | SlackTrouble | None:
        claim = self._claim(key, clock.now())
        if claim is None:
            return None  # another deliverer has it
        row, since = claim
        try:
            carried = channel.carry(row, since)
        except SlackTrouble as trouble:
            self._settle(row, _after(row, trouble, clock.now()), clock.now())
            return trouble
        self._settle(row, _arrived(row, carried), clock.now())
        return carried

    def _claim(self, key: str, now: datetime) -> tuple[OutboxMessage, datetime | None] | None:
        """The row, held for us, and when a post of it may have gone out before."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            mine = session.execute(
                update(OUTBOX)
                .where(column.key == key, claimable(now))
                .values(state="sending", holder=self.holder, held_until=now + LEASE, attempts=column.attempts + 1)
            )
            if mine.rowcount != 1:  # type: ignore[attr-defined]
                return None
            row = session.get_one(OutboxMessage, key)
            since = row.sent_at
            if row.ts is None:
                row.sent_at = since or now
                self._hang(session, row, since)
        return row, since

    def _hang(self, session: Session, row: OutboxMessage, since: datetime | None) -> None:
        # A post in the air is looked up where it was sent, so its thread stays what it was.
        parent = session.get(OutboxMessage, row.thread) if row.thread and since is None else None
        if parent is not None and parent.ts and parent.channel == row.channel:
            row.thread_ts, row.channel_id = parent.ts, parent.channel_id

    def _settle(self, row: OutboxMessage, values: dict[str, Any], now: datetime) -> None:
        with Session(self.engine) as session, session.begin():
            session.execute(
                update(OUTBOX)
                .where(column.key == row.key, column.holder == self.holder, column.state == "sending")
                .values(**values, holder="", held_until=None)
            )

    def _show(self, console: Console, limit: int, now: datetime) -> Delivered:
        """Print what is pending. It is marked first, so that two deliverers do not both print it."""
        due = select(column.key).where(column.state == "pending").order_by(*order()).limit(limit)
        shown = {"state": "console", "delivered_revision": column.revision}
        with Session(self.engine) as session, session.begin():
            mine = update(OUTBOX).where(column.key.in_(due), column.state == "pending").values(**shown)
            rows = session.execute(mine.returning(column.key, column.text, column.queued_at, column.place)).all()
        rows = sorted(rows, key=lambda row: (not row.key.startswith("digest:"), row.queued_at, row.place))
        try:
            console.show([(row.key, row.text) for row in rows], self._left())
        except (OSError, ValueError) as error:
            self._unshow([row.key for row in rows], type(error).__name__)
            return Delivered(failed=len(rows), left=self._left(), error=f"the console: {type(error).__name__}")
        return Delivered(posted=len(rows), left=self._left())

    def _unshow(self, keys: Sequence[str], error: str) -> None:
        with Session(self.engine) as session, session.begin():
            for some in batches(keys, BATCH):
                these = and_(column.key.in_(some), column.state == "console")
                session.execute(update(OUTBOX).where(these).values(state="pending", last_error=error))

    def _left(self) -> int:
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).where(column.state.in_(UNDELIVERED))) or 0


def _posted_since(session: Session, moment: datetime) -> int:
    # Slack names a message by the second in which it was posted, with ten digits until the year 2286.
    return session.scalar(select(func.count()).where(column.ts > f"{moment.timestamp():.6f}")) or 0


class _Clock:
    """The time, as it was said to be at the start and has passed since, and how much patience is left."""

    def __init__(self, start: datetime, patience: float) -> None:
        self._start, self._began, self._patience = start, time.monotonic(), patience

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def spent(self) -> bool:
        return time.monotonic() - self._began > self._patience


def _row(message: Message, place: int, now: datetime) -> dict[str, Any]:
    return {
        "key": message.key,
        "revision": message.revision,
        "text": message.text,
        "blocks": message.blocks,
        "thread": message.thread,
        "channel": message.channel,
        "state": "pending",
        "attempts": 0,
        "holder": "",
        "last_error": "",
        "place": place,
        "queued_at": now,
        "updated_at": now,
    }


def _arrived(row: OutboxMessage, carried: Carried) -> dict[str, Any]:
    return {
        "state": case((column.revision == row.revision, "delivered"), else_="pending"),
        "delivered_revision": row.revision,
        "channel_id": carried.channel_id,
        "thread_ts": row.thread_ts,
        "ts": carried.ts,
        "attempts": 0,
        "sent_at": None,
        "next_try_at": None,
        "last_error": "",
    }


def _after(row: OutboxMessage, trouble: SlackTrouble, now: datetime) -> dict[str, Any]:
    """What a row says after a call that failed: when to try again, and whether to look first."""
    doubled = FIRST_WAIT * 2 ** min(row.attempts - 1, 10)
    asked = timedelta(seconds=trouble.wait or 0)
    wait = max(min(doubled, LAST_WAIT), min(asked, LONGEST_ASKED))
    kept = {
        "last_error": trouble.what,
        "channel_id": row.channel_id,
        "thread_ts": row.thread_ts,
        "ts": row.ts,
    }
    if trouble.kind == "refused":
        # A new revision that came meanwhile has not been refused.
        state = case((column.revision == row.revision, "refused"), else_="pending")
        return {**kept, "state": state, "sent_at": None, "next_try_at": None}
    if trouble.kind == "gone":
        nowhere = {"channel_id": None, "thread_ts": None, "ts": None}
        return {**kept, **nowhere, "state": "pending", "sent_at": None, "next_try_at": None}
    if trouble.kind == "unsure" and row.ts is None:
        return {**kept, "state": "unknown", "next_try_at": now + wait}
    return {**kept, "state": "pending", "sent_at": None, "next_try_at": now + wait}
