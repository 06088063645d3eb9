"""Which cases the outbox does not speak of as they stand: the run that changed them died before it told."""

from __future__ import annotations

from sqlalchemy import exists, or_, select
from sqlmodel import SQLModel, col

from control_tower.ledger.database import Ledger
from control_tower.ledger.tables import CaseRow, EventRow
from control_tower.slack.tables import OUTBOX, column


def untold(ledger: Ledger, lane: str, shop: str) -> list[str]:
    """The ids of this lane's cases without a message, or with one older than what happened to them since."""
    SQLModel.metadata.create_all(ledger.engine, tables=[OUTBOX])
    key = "case:" + col(CaseRow.id)
    since = exists().where(col(EventRow.subject) == key, col(EventRow.at) > column.updated_at)
    statement = (
        select(col(CaseRow.id))
        .outerjoin(OUTBOX, column.key == key)
        .where(col(CaseRow.lane) == lane, col(CaseRow.shop) == shop, or_(column.key.is_(None), since))
        .order_by(col(CaseRow.id))
    )
    with ledger.read() as session:
        return list(session.scalars(statement))
