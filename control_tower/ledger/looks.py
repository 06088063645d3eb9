"""Looks in the book: what each look of a lane read and set aside, and which contract stopped it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
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
    shop: str = "",
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
    newest = {(row.lane, row.source): row for row in looks(ledger)}
    return [newest[key] for key in sorted(newest)]
