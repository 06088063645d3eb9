"""On which rung each lane stands: rows are only added, by a lane that fell or by a person who moved it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.authority import Authority
from control_tower.errors import LedgerError, NotProved
from control_tower.ledger.approvers import person_of
from control_tower.ledger.caps import alone
from control_tower.ledger.database import Ledger
from control_tower.ledger.proofs import Proof, proved, wrong
from control_tower.ledger.tables import ApproverRow, EventRow, RungRow


def newest_rung(ledger: Ledger, lane: str) -> RungRow | None:
    """Where a lane was last put; None where it was never moved."""
    with ledger.read() as session:
        return _newest(session, lane)


def fall(ledger: Ledger, lane: str, rung: str, why: str, now: datetime, *, after: RungRow | None) -> bool:
    """Write down that a lane fell by itself.

    Args:
        rung: the one that it stands on from now.
        why: in words, with the numbers.
        after: the row that this was decided by.

    Returns:
        False when it was moved since: then nothing is written, for what was counted is not of this rung any more.
    """
    with ledger.write() as session:
        return _moved(session, RungRow(lane=lane, rung=rung, why=why[:1000], at=now), after)


def promote(
    ledger: Ledger, lane: str, rung: str, by: Proof, authority: Authority, why: str, now: datetime, *,
    after: RungRow | None,
) -> None:  # fmt: skip
    """Let a lane rise. Whether it has earned it is asked before; `fall` says what the arguments are.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: the person may not.
        LedgerError: no reason was given, or the lane was moved meanwhile.
    """

    def allowed(row: ApproverRow) -> None:
        authority.may_promote_lanes(person_of(row), now)

    _move_by_hand(ledger, lane, rung, by, why, now, after, allowed)


def demote(ledger: Ledger, lane: str, rung: str, by: Proof, why: str, now: datetime, *, after: RungRow | None) -> None:
    """Let a lane fall; any enrolled person may, as they may stop its hands.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        LedgerError: no reason was given, or the lane was moved meanwhile.
    """
    _move_by_hand(ledger, lane, rung, by, why, now, after, lambda _: None)


def _move_by_hand(
    ledger: Ledger, lane: str, rung: str, by: Proof, why: str, now: datetime, after: RungRow | None,
    allowed: Callable[[ApproverRow], None],
) -> None:  # fmt: skip
    try:
        with ledger.write() as session:
            person = proved(session, by, now)
            allowed(person)
            if not why.strip():
                raise LedgerError("it takes a reason to move a lane")
            row = RungRow(lane=lane, rung=rung, why=f"{person.name}: {why}"[:1000], by=person.name, at=now)
            if not _moved(session, row, after):
                raise LedgerError(f"{lane} was moved meanwhile", remedy="`tower rungs` shows where it stands now")
    except NotProved:
        wrong(ledger, by, now)
        raise


def _moved(session: Session, row: RungRow, after: RungRow | None) -> bool:
    alone(session)
    newest = _newest(session, row.lane)
    if (newest.id if newest else None) != (after.id if after else None):
        return False
    session.add(row)
    said = f"{row.rung}: {row.why}"[:1000]
    session.add(EventRow(subject=f"lane:{row.lane}", what="moved" if row.by else "fell", detail=said, at=row.at))
    return True


def _newest(session: Session, lane: str) -> RungRow | None:
    found = select(RungRow).where(col(RungRow.lane) == lane).order_by(col(RungRow.id).desc())
    return session.scalars(found.limit(1)).first()
