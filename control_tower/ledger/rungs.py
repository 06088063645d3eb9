"""On which rung each lane stands: rows are only added, by a lane that fell or by a person who moved it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.authority import Authority, must_answer_for
from control_tower.errors import LedgerError, NotProved
from control_tower.ledger.approvers import person_of
from control_tower.ledger.caps import alone
from control_tower.ledger.database import Ledger
from control_tower.ledger.proofs import Proof, proved, wrong
from control_tower.ledger.tables import ApproverRow, EventRow, RungRow


def newest_rung(ledger: Ledger, lane: str, shop: str) -> RungRow | None:
    """Where a lane was last put in a shop of the tower's file, or in its one shop; None where it was never moved."""
    with ledger.read() as session:
        return _newest(session, lane, shop)


def fall(ledger: Ledger, lane: str, rung: str, why: str, now: datetime, *, after: RungRow | None, shop: str) -> bool:
    """Write down that a lane fell by itself.

    Args:
        rung: the one that it stands on from now.
        why: in words, with the numbers.
        after: the row that this was decided by.
        shop: the id of a shop of the tower's file; empty for the tower's one shop.

    Returns:
        False when it was moved since: then nothing is written, for what was counted is not of this rung any more.
    """
    with ledger.write() as session:
        return _moved(session, RungRow(lane=lane, shop=shop, rung=rung, why=why[:1000], at=now), after)


def promote(
    ledger: Ledger, lane: str, rung: str, by: Proof, authority: Authority, why: str, now: datetime, *,
    after: RungRow | None, shop: str,
) -> None:  # fmt: skip
    """Let a lane rise. Whether it has earned it is asked before; `fall` says what the arguments are.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: the person may not.
        LedgerError: no reason was given, or the lane was moved meanwhile.
    """

    def allowed(row: ApproverRow) -> None:
        authority.may_promote_lanes(person_of(row), now)

    _move_by_hand(ledger, lane, shop, rung, by, why, now, after, allowed)


def demote(
    ledger: Ledger, lane: str, rung: str, by: Proof, why: str, now: datetime, *, after: RungRow | None, shop: str
) -> None:
    """Let a lane fall; any enrolled person of the shop may, as they may stop its hands.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: they decide in other shops only.
        LedgerError: no reason was given, or the lane was moved meanwhile.
    """
    _move_by_hand(ledger, lane, shop, rung, by, why, now, after, lambda _: None)


def _move_by_hand(
    ledger: Ledger, lane: str, shop: str, rung: str, by: Proof, why: str, now: datetime, after: RungRow | None,
    allowed: Callable[[ApproverRow], None],
) -> None:  # fmt: skip
    try:
        with ledger.write() as session:
            person = proved(session, by, now)
            must_answer_for(person_of(person), shop)
            allowed(person)
            if not why.strip():
                raise LedgerError("it takes a reason to move a lane")
            row = RungRow(lane=lane, shop=shop, rung=rung, why=f"{person.name}: {why}"[:1000], by=person.name, at=now)
            if not _moved(session, row, after):
                raise LedgerError(f"{lane} was moved meanwhile", remedy="`tower rungs` shows where it stands now")
    except NotProved:
        wrong(ledger, by, now)
        raise


def _moved(session: Session, row: RungRow, after: RungRow | None) -> bool:
    alone(session)
    newest = _newest(session, row.lane, row.shop)
    if (newest.id if newest else None) != (after.id if after else None):
        return False
    session.add(row)
    said = f"{f'in {row.shop}, ' if row.shop else ''}{row.rung}: {row.why}"[:1000]
    session.add(EventRow(subject=f"lane:{row.lane}", what="moved" if row.by else "fell", detail=said, at=row.at))
    return True


def _newest(session: Session, lane: str, shop: str) -> RungRow | None:
    found = select(RungRow).where(col(RungRow.lane) == lane, col(RungRow.shop) == shop).order_by(col(RungRow.id).desc())
    return session.scalars(found.limit(1)).first()
