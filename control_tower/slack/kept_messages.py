"""What was said: every revision of every message, kept by content, and noted in the book."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import insert, select
from sqlmodel import col

from control_tower.batches import batches
from control_tower.keeping.archive import Archive
from control_tower.keeping.kept import NOUN, Address
from control_tower.ledger.database import Ledger
from control_tower.ledger.tables import EventRow
from control_tower.redaction import scrubbed
from control_tower.slack.parts import Message

SHELF, SAID, SUBJECT = "messages", "said", "message:"
BATCH = 400


class Said(NamedTuple):
    """One revision of a message: where it is kept, the case that it is about, if any, and since when."""

    address: Address
    case_id: str
    at: datetime


def keep_messages(archive: Archive, ledger: Ledger, messages: Sequence[Message], now: datetime) -> int:
    """Keep what messages say, and note it where it is something new.

    Returns:
        How many say something new.
    """
    latest = {f"{SUBJECT}{message.key}": message for message in messages}
    kept = {
        subject: archive.keep_nouns(scrubbed({"key": one.key, "text": one.text, "blocks": one.blocks}), SHELF)[1]
        for subject, one in latest.items()
    }
    before = _newest(ledger, list(kept))
    fresh = [
        {"subject": subject, "what": SAID, "detail": digest, "at": now}
        for subject, digest in kept.items()
        if before.get(subject) != digest
    ]
    if fresh:
        with ledger.write() as session:
            session.execute(insert(EventRow), fresh)
    return len(fresh)


def messages_said(ledger: Ledger) -> Iterator[Said]:
    """Every revision of every message, oldest first."""
    with ledger.read() as session:
        rows = session.scalars(select(EventRow).where(col(EventRow.what) == SAID).order_by(col(EventRow.id)))
        for row in rows:
            kind, _, name = row.subject.removeprefix(SUBJECT).partition(":")
            yield Said((SHELF, row.detail, NOUN), name if kind == "case" else "", row.at)


def _newest(ledger: Ledger, subjects: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    with ledger.read() as session:
        for some in batches(subjects, BATCH):
            query = select(EventRow).where(col(EventRow.subject).in_(some), col(EventRow.what) == SAID)
            found |= {row.subject: row.detail for row in session.scalars(query.order_by(col(EventRow.id)))}
    return found
