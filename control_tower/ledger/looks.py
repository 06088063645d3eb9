"""Looks in the book: what each look of a lane read and set aside, and which contract stopped it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlmodel import col

from control_tower.ledger.database import Ledger
from control_tower.ledger.tables import LookRow


def record_look(
    ledger: Ledger,
    run: str,
    *,
    lane: str,
    source: str,
    as_of: datetime,
    now: datetime,
    shop: str,
    accepted: Mapping[str, int] | None = None,
    quarantined: Mapping[str, int] | None = None,
    breach: str = "",
) -> None:
    """Write down one look; the same run again is the same look."""
    with ledger.write() as session:
        session.merge(
            LookRow(
                run=run, lane=lane, source=source, shop=shop, as_of=as_of, at=now,
                accepted=dict(accepted or {}), quarantined=dict(quarantined or {}), breach=breach,
            )
        )  # fmt: skip


def looks(ledger: Ledger, lane: str | None = None, since: datetime | None = None) -> list[LookRow]:
    """Looks, oldest first; of one lane, and since a moment, where these are given."""
    found = select(LookRow).order_by(col(LookRow.at), col(LookRow.run))
    found = found.where(col(LookRow.lane) == lane) if lane else found
    found = found.where(col(LookRow.at) >= since) if since else found
    with ledger.read() as session:
        return list(session.scalars(found))


def newest_looks(ledger: Ledger) -> list[LookRow]:
    """The newest look of each lane at each source."""
    of = (col(LookRow.lane), col(LookRow.source))
    newest = select(*of, func.max(col(LookRow.at)).label("at")).group_by(*of).subquery()
    same = (of[0] == newest.c.lane, of[1] == newest.c.source, col(LookRow.at) == newest.c.at)
    found = select(LookRow).join(newest, and_(*same)).order_by(*of, col(LookRow.run))
    with ledger.read() as session:
        rows = {(row.lane, row.source): row for row in session.scalars(found)}
    return list(rows.values())


def first_of_breach(ledger: Ledger, lane: str, source: str, breach: str) -> str:
    """The run of the first look that found a breach, of those that have found it in a row up to now; empty if none."""
    mine = (col(LookRow.lane) == lane, col(LookRow.source) == source)
    with ledger.read() as session:
        other = select(func.max(col(LookRow.at))).where(*mine, col(LookRow.breach) != breach)
        since = session.scalar(other)
        found = select(col(LookRow.run)).where(*mine, col(LookRow.breach) == breach)
        found = found.where(col(LookRow.at) > since) if since else found
        return session.scalar(found.order_by(col(LookRow.at), col(LookRow.run)).limit(1)) or ""
