"""What a lane's looks, cases, rulings and effects come to, counted from the book."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.ledger.database import Ledger
from control_tower.ledger.looks import looks
from control_tower.ledger.tables import CaseRow, EffectRow, LookRow, ProposalRow, RulingRow
from control_tower.nouns import OF_SHOP, EffectState, Verdict
from control_tower.rungs import LaneRecord


def lane_record(
    ledger: Ledger, lane: str, window: datetime, came_at: datetime | None, now: datetime, shop: str
) -> LaneRecord:
    """Count what a lane did in a shop, and what came of it. What made it fall to its rung is not counted again.

    Args:
        shop: the id of a shop of the tower's file; empty for the tower's one shop, by whichever source.
        window: when the time began that is looked back on.
        came_at: when the lane came to its rung; None where it always stood there.
        now: nothing later is seen.
    """
    since = max(window, came_at) if came_at else window
    looked = [row for row in looks(ledger, lane, since) if row.at <= now and _is_of(row, shop)]
    with ledger.read() as session:
        cases, overdue = _cases(session, lane, shop, since, came_at, now)
        rulings, agreed = _rulings(session, lane, shop, since, now)
        effects, undone = _effects(session, lane, shop, since, now)
    return LaneRecord(
        since=since, until=now, looks=sum(not row.breach for row in looked), breaches=_breaches(looked), cases=cases,
        overdue=overdue, rulings=rulings, agreed=agreed, effects=effects, undone=undone,
    )  # fmt: skip


def _is_of(row: LookRow, shop: str) -> bool:
    """Whether a look was at a shop: by its source, for a look that a contract stopped knows no shop."""
    return row.source == f"{OF_SHOP}{shop}" if shop else not row.source.startswith(OF_SHOP)


def _of(column: Any, shop: str) -> ColumnElement[bool]:
    """In a shop; where none is named, in none that was ever looked at by its name."""
    if shop:
        return column == shop  # type: ignore[no-any-return]
    named = select(col(LookRow.shop)).where(col(LookRow.source).startswith(OF_SHOP))
    return column.not_in(named)  # type: ignore[no-any-return]


def _breaches(looked: Iterable[LookRow]) -> int:
    """How often a contract came to stop a look: a source that stays broken is one breach, however often it is read."""
    count, before = 0, dict[str, str]()
    for row in looked:
        count += bool(row.breach) and before.get(row.source) != row.breach
        before[row.source] = row.breach
    return count


def _cases(
    session: Session, lane: str, shop: str, since: datetime, came_at: datetime | None, now: datetime
) -> tuple[int, int]:
    """Cases that were open in the time, and those that nobody had ruled on or closed when they were due."""
    answered = func.min(col(RulingRow.ruled_at))
    query = (
        select(col(CaseRow.due_at), col(CaseRow.closed_at), answered)
        .outerjoin(ProposalRow, col(ProposalRow.case_id) == col(CaseRow.id))
        .outerjoin(RulingRow, col(RulingRow.proposal) == col(ProposalRow.digest))
        .where(
            col(CaseRow.lane) == lane,
            _of(col(CaseRow.shop), shop),
            col(CaseRow.opened_at) <= now,
            or_(col(CaseRow.closed_at).is_(None), col(CaseRow.closed_at) >= since),
        )
        .group_by(col(CaseRow.id), col(CaseRow.due_at), col(CaseRow.closed_at))
    )
    if came_at:
        query = query.where(col(CaseRow.due_at) >= came_at)
    found = session.execute(query).all()
    overdue = [due for due, closed, ruled in found if due < min(at for at in (closed, ruled, now) if at)]
    return len(found), len(overdue)


def _rulings(session: Session, lane: str, shop: str, since: datetime, now: datetime) -> tuple[int, int]:
    """Rulings on what the lane proposed, and those that approved all of it."""
    query = (
        select(col(RulingRow.verdict), col(RulingRow.amount))
        .join(ProposalRow, col(ProposalRow.digest) == col(RulingRow.proposal))
        .join(CaseRow, col(CaseRow.id) == col(ProposalRow.case_id))
        .where(
            col(CaseRow.lane) == lane,
            _of(col(CaseRow.shop), shop),
            col(ProposalRow.undoes) == "",
            col(RulingRow.ruled_at) >= since,
            col(RulingRow.ruled_at) <= now,
        )
    )
    found = session.execute(query).all()
    return len(found), sum(verdict == Verdict.approve.value and amount is None for verdict, amount in found)


def _effects(session: Session, lane: str, shop: str, since: datetime, now: datetime) -> tuple[int, int]:
    """Effects that were confirmed, and those of them that a person had taken back."""
    confirmed = col(EffectRow.state) == EffectState.confirmed.value
    done = set(
        session.scalars(
            select(col(EffectRow.key)).where(
                col(EffectRow.lane) == lane,
                _of(col(EffectRow.shop), shop),
                confirmed,
                col(EffectRow.intended_at) >= since,
                col(EffectRow.intended_at) <= now,
            )
        )
    )
    taken_back = session.execute(
        select(col(ProposalRow.digest), col(ProposalRow.undoes))
        .join(EffectRow, col(EffectRow.key) == col(ProposalRow.digest))
        .where(col(EffectRow.lane) == lane, _of(col(EffectRow.shop), shop), col(ProposalRow.undoes) != "", confirmed)
    ).all()
    done -= {undo for undo, _ in taken_back}
    return len(done), len(done & {undone for _, undone in taken_back})
