"""The orders that something rests on: those that a legal hold covers, and those that something open is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from control_tower.ledger.database import Ledger
from control_tower.ledger.erasures import UNSETTLED
from control_tower.ledger.holds import standing_holds
from control_tower.ledger.tables import CaseRow, EffectRow, ProposalRow


def held_orders(ledger: Ledger) -> set[str]:
    """The orders of the cases that are held."""
    held = {row.case_id for row in standing_holds(ledger)}
    with ledger.read() as session:
        return _orders(session.scalars(select(CaseRow).where(col(CaseRow.id).in_(held))))


def open_orders(ledger: Ledger) -> set[str]:
    """The orders of open cases, of proposals that wait or were approved, and of effects that are not settled."""
    waiting = select(col(ProposalRow.order_id)).where(col(ProposalRow.standing).in_(("waiting", "approved")))
    unsettled = select(col(EffectRow.order_id)).where(col(EffectRow.state).in_(UNSETTLED))
    with ledger.read() as session:
        cases = _orders(session.scalars(select(CaseRow).where(col(CaseRow.standing) == "open")))
        return cases | set(session.scalars(waiting)) | set(session.scalars(unsettled))


def _orders(cases: Iterable[CaseRow]) -> set[str]:
    bodies: Iterable[dict[str, Any]] = (row.body for row in cases)
    return {str(order) for body in bodies for order in body.get("orders", [])}
