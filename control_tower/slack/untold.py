"""Which cases the outbox does not speak of as they stand: whoever changed them died before it told, or tells nobody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select
from sqlmodel import col

from control_tower.ledger.database import Ledger
from control_tower.ledger.tables import CaseRow, EventRow
from control_tower.slack.tables import OUTBOX, column

_KEY = "case:" + col(CaseRow.id)


LATE = timedelta(minutes=2)  # an event may bear a time from before its transaction ended


def _after(moment: Any) -> ColumnElement[bool]:
    """Something happened to the case after a moment."""
    return exists().where(col(EventRow.subject) == _KEY, col(EventRow.at) > moment)


def untold(ledger: Ledger, lane: str, shop: str) -> list[str]:
    """The ids of this lane's cases without a message, or with one older than what happened to them since."""
    statement = (
        select(col(CaseRow.id))
        .outerjoin(OUTBOX, column.key == _KEY)
        .where(
            col(CaseRow.lane) == lane, col(CaseRow.shop) == shop, or_(column.key.is_(None), _after(column.updated_at))
        )
        .order_by(col(CaseRow.id))
    )
    with ledger.read() as session:
        return list(session.scalars(statement))


def overtaken(ledger: Ledger, now: datetime) -> list[str]:
    """The ids of cases, of any lane, whose message is older than what happened to them since, or may be."""
    since = or_(_after(column.updated_at), _after(now - LATE))
    statement = select(col(CaseRow.id)).join(OUTBOX, column.key == _KEY).where(since).order_by(col(CaseRow.id))
    with ledger.read() as session:
        return list(session.scalars(statement))
