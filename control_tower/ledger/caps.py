"""Caps and breakers, counted in the book inside the transaction that intends an effect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.authority import Authority
from control_tower.caps import Breaker, Cap, Caps
from control_tower.errors import LedgerError, NotFound, NotProved
from control_tower.ledger.approvers import person_of
from control_tower.ledger.database import Ledger
from control_tower.ledger.proofs import Proof, proved, wrong
from control_tower.ledger.tables import BreakerRow, EffectRow, EventRow
from control_tower.nouns import EffectState, Money

ONE_AT_A_TIME = 7_236_544  # the advisory lock under which PostgreSQL counts; SQLite has one writer anyway


def alone(session: Session) -> None:
    """Count in turn: two intents that were counted side by side could both be the last that a cap allows."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ONE_AT_A_TIME})


def over_a_cap(session: Session, asked: EffectRow, caps: Caps, now: datetime) -> str:
    """Which cap this effect would go over, and what was done before; empty when it goes over none."""
    for cap in caps.caps:
        if cap.action.value == asked.action and (why := _over(session, asked, cap, now)):
            return f"{why} ({caps.reference})"
    return ""


def _over(session: Session, asked: EffectRow, cap: Cap, now: datetime) -> str:
    counted = [
        col(EffectRow.key) != asked.key,
        col(EffectRow.action) == asked.action,
        col(EffectRow.state) != EffectState.refused.value,  # what may have happened has happened
        *_of_the_same(asked, cap),
    ]
    if cap.within:
        counted.append(col(EffectRow.intended_at) > now - cap.within)
    named = "this tower" if cap.of == "tower" else f"this {cap.of}"
    span = f" within {cap.within}" if cap.within else ""
    most = cap.most.get(asked.currency or "")
    if asked.amount is not None and asked.currency and most is not None:
        moved = select(func.sum(EffectRow.amount)).where(*counted, col(EffectRow.currency) == asked.currency)
        before = int(session.scalar(moved) or 0)
        if before + asked.amount > most:
            limit, done = (Money(amount=each, currency=asked.currency) for each in (most, before))
            return f"{asked.action}s of {named}{span} are capped at {limit}, and {done} went before"
    if cap.effects is not None:
        number = int(session.scalar(select(func.count()).select_from(EffectRow).where(*counted)) or 0)
        if number >= cap.effects:
            return f"{asked.action}s of {named}{span} are capped at {cap.effects}, and {number} were made before"
    return ""


def _of_the_same(asked: EffectRow, cap: Cap) -> list[ColumnElement[bool]]:
    match cap.of:
        case "order":
            return [col(EffectRow.shop) == asked.shop, col(EffectRow.order_id) == asked.order_id]
        case "customer":  # one whom the source does not name has no effects that could be counted
            known = bool(asked.customer)
            return [
                col(EffectRow.shop) == asked.shop,
                col(EffectRow.customer) == (asked.customer if known else None),
            ]
        case "approver":
            return [col(EffectRow.approver) == asked.approver]
        case "lane":
            return [col(EffectRow.lane) == asked.lane]
        case _:
            return []


def stopped(session: Session, lane: str, caps: Caps, now: datetime) -> str:
    """Why a lane's hands are stopped; a breaker that is due trips here. Empty when they may go on."""
    last = session.scalars(
        select(BreakerRow).where(col(BreakerRow.lane) == lane).order_by(col(BreakerRow.id).desc())
    ).first()
    if last and last.closed_at is None:
        return last.why
    for breaker in caps.breakers:
        since = max(now - breaker.within, last.closed_at) if last and last.closed_at else now - breaker.within
        if (number := _counted(session, lane, breaker, since)) >= breaker.count:
            what = "were begun" if breaker.when == "begun" else f"came to be {breaker.when}"
            why = f"{number} effects {what} within {breaker.within} ({caps.reference})"
            _trip(session, lane, why, "", now)
            return why
    return ""


def watch_lanes(ledger: Ledger, caps: Caps, now: datetime) -> None:
    """Trip every breaker that is due, before anybody acts again."""
    with ledger.write() as session:
        for lane in session.scalars(select(col(EffectRow.lane)).distinct()).all():
            stopped(session, lane, caps, now)


def _counted(session: Session, lane: str, breaker: Breaker, since: datetime) -> int:
    counted = select(func.count()).select_from(EffectRow).where(col(EffectRow.lane) == lane)
    if breaker.when == "begun":
        counted = counted.where(col(EffectRow.intended_at) > since)
    else:
        counted = counted.where(col(EffectRow.state) == breaker.when, col(EffectRow.changed_at) > since)
    return int(session.scalar(counted) or 0)


def _trip(session: Session, lane: str, why: str, by: str, now: datetime) -> None:
    session.add(BreakerRow(lane=lane, why=why[:1000], tripped_by=by, tripped_at=now))
    session.add(EventRow(subject=f"lane:{lane}", what="hands stopped", detail=why[:1000], at=now))
    session.flush()


def open_breakers(ledger: Ledger) -> Sequence[BreakerRow]:
    """The breakers that stop hands now, oldest first."""
    with ledger.read() as session:
        found = select(BreakerRow).where(col(BreakerRow.closed_at).is_(None)).order_by(col(BreakerRow.id))
        return session.scalars(found).all()


def trip_by_hand(ledger: Ledger, lane: str, by: Proof, why: str, now: datetime) -> None:
    """Stop a lane's hands at once; any enrolled person may.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        LedgerError: no reason was given, or they are stopped already.
    """
    try:
        with ledger.write() as session:
            person = proved(session, by, now)
            if not why.strip():
                raise LedgerError("it takes a reason to stop a lane's hands")
            if _open_of(session, lane):
                raise LedgerError(f"the hands of {lane} are stopped already")
            _trip(session, lane, f"{person.name}: {why}", person.name, now)
    except NotProved:
        wrong(ledger, by, now)
        raise


def close_breaker(ledger: Ledger, lane: str, by: Proof, authority: Authority, why: str, now: datetime) -> None:
    """Let a lane's hands go on; what tripped the breaker is not counted again.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: the person may not.
        NotFound: no breaker of this lane is open.
        LedgerError: no reason was given.
    """
    try:
        with ledger.write() as session:
            person = person_of(proved(session, by, now))
            row = _open_of(session, lane)
            if row is None:
                raise NotFound(f"the hands of {lane} are not stopped", remedy="`tower breaker list`")
            authority.may_close_breakers(person, now)
            if not why.strip():
                raise LedgerError("it takes a reason to let a lane's hands go on")
            row.closed_at, row.closed_by, row.closed_why = now, person.name, why[:1000]
            detail = f"{person.name}: {why}"[:1000]
            session.add(EventRow(subject=f"lane:{lane}", what="hands let go on", detail=detail, at=now))
    except NotProved:
        wrong(ledger, by, now)
        raise


def _open_of(session: Session, lane: str) -> BreakerRow | None:
    found = select(BreakerRow).where(col(BreakerRow.lane) == lane, col(BreakerRow.closed_at).is_(None))
    return session.scalars(found).first()
