"""Watermarks in the book: how far each lane has looked at each source."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlmodel import col

from control_tower.ledger.database import Ledger
from control_tower.ledger.tables import CaseRow, ProposalRow, WatermarkRow
from control_tower.nouns import Case


def watermark(ledger: Ledger, lane: str, source: str) -> WatermarkRow | None:
    """How far a lane has looked at a source; None where it has not, or nobody asked to know."""
    with ledger.read() as session:
        return session.get(WatermarkRow, (lane, source))


def set_watermark(ledger: Ledger, row: WatermarkRow) -> None:
    """Write down how far a look came; once all that it found is in the book, so that none is passed over."""
    with ledger.write() as session:
        session.merge(row)


def orders_to_watch(ledger: Ledger, lane: str, shop: str, own: str) -> set[str]:
    """The orders of open cases that a look has to look at whatever became of their rows.

    Those of a case that several share, which is only told whole; and those with a proposal that asks nobody any more,
    which a look that recommends the same puts before people again.

    Args:
        own: how the pivot begins of a case that an order has for itself.
    """
    taken_back = (
        select(col(ProposalRow.order_id))
        .join(CaseRow, col(CaseRow.id) == col(ProposalRow.case_id))
        .where(*_open(lane, shop), col(ProposalRow.standing).in_(("void", "withdrawn")))
    )
    shared = shared_cases(ledger, lane, shop, own)
    with ledger.read() as session:
        return {str(order) for order in session.scalars(taken_back)}.union(*shared.values())


def shared_cases(ledger: Ledger, lane: str, shop: str, own: str) -> dict[str, set[str]]:
    """The open cases that are not of one subject alone: pivot to subjects."""
    shared = select(CaseRow).where(*_open(lane, shop), col(CaseRow.pivot).not_like(f"{own}%"))
    with ledger.read() as session:
        return {row.pivot: set(Case.model_validate(row.body).subjects) for row in session.scalars(shared)}


def _open(lane: str, shop: str) -> tuple[ColumnElement[bool], ...]:
    return col(CaseRow.lane) == lane, col(CaseRow.shop) == shop, col(CaseRow.standing) == "open"
