"""Restorations in the book: the ledger came from a backup, what it lost is named, and somebody answers for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import col

from control_tower.authority import Authority
from control_tower.ledger.database import Ledger
from control_tower.ledger.holds import by_a_keeper
from control_tower.ledger.proofs import Proof
from control_tower.ledger.tables import EventRow, RestorationRow


def accept(
    ledger: Ledger,
    lost: Sequence[str],
    between: tuple[datetime, datetime],
    by: Proof,
    authority: Authority,
    why: str,
    now: datetime,
) -> None:
    """Answer for what a restored ledger lost. It is written in the journal, and is never taken back.

    Args:
        lost: the digest of each kept record that the ledger knows nothing of; none, where only stores knew more.
        between: when the first of them was begun, and when the last had ended.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: the person is no keeper.
        LedgerError: no reason was given.
    """
    with by_a_keeper(ledger, by, authority, why, now) as (session, person):
        since, until = between
        if lost:
            row = RestorationRow(by=person.name, why=why[:1000], at=now, since=since, until=until, records=sorted(lost))
            session.add(row)
        detail = f"{person.name}: {why}; {len(lost)} records from {since:%Y-%m-%d %H:%M} on were lost"
        session.add(EventRow(subject="ledger", what="restored", detail=detail[:1000], at=now))


def restorations(ledger: Ledger) -> list[RestorationRow]:
    """Every restoration that somebody answers for, oldest first."""
    with ledger.read() as session:
        return list(session.scalars(select(RestorationRow).order_by(col(RestorationRow.id))))


def answered_for(ledger: Ledger) -> frozenset[str]:
    """The digests of all kept records that are known to be lost."""
    return frozenset(digest for row in restorations(ledger) for digest in row.records)
