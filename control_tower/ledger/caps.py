"""Caps and breakers, counted in the book inside the transaction that intends an effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.authority import Authority, must_answer_for
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
            return [col(EffectRow.shop) == asked.shop, col(EffectRow.approver) == asked.approver]
        case "lane":
            return [col(EffectRow.shop) == asked.shop, col(EffectRow.lane) == asked.lane]
        case _:
            return []


def stopped(session: Session, lane: str, shop: str, caps: Caps, now: datetime) -> str:
    """Why a lane's hands are stopped in a shop; a breaker that is due trips here, for that shop alone.

    Returns:
        Nothing when they may go on.
    """
    there = session.scalars(
        select(BreakerRow)
        .where(col(BreakerRow.lane) == lane, col(BreakerRow.shop).in_(("", shop)))
        .order_by(col(BreakerRow.id).desc())
    ).all()
    if still_open := next((row for row in there if row.closed_at is None), None):
        return still_open.why
    closed_at = max((row.closed_at for row in there if row.closed_at), default=None)
    for breaker in caps.breakers:
        since = max(now - breaker.within, closed_at) if closed_at else now - breaker.within
        if (number := _counted(session, lane, shop, breaker, since)) >= breaker.count:
            what = "were begun" if breaker.when == "begun" else f"came to be {breaker.when}"
            why = f"{number} effects {what} within {breaker.within} ({caps.reference})"
            _trip(session, lane, shop, why, "", now)
            return why
    return ""


def watch_lanes(ledger: Ledger, caps: Callable[[str], Caps], now: datetime) -> None:
    """Trip every breaker that is due, before anybody acts again.

    Args:
        caps: those of a shop, by its id.
    """
    with ledger.write() as session:
        there = session.execute(select(col(EffectRow.lane), col(EffectRow.shop)).distinct()).all()
        for lane, shop in there:
            stopped(session, lane, shop, caps(shop), now)


def _counted(session: Session, lane: str, shop: str, breaker: Breaker, since: datetime) -> int:
    counted = (
        select(func.count()).select_from(EffectRow).where(col(EffectRow.lane) == lane, col(EffectRow.shop) == shop)
    )
    if breaker.when == "begun":
        counted = counted.where(col(EffectRow.intended_at) > since)
    else:
        counted = counted.where(col(EffectRow.state) == breaker.when, col(EffectRow.changed_at) > since)
    return int(session.scalar(counted) or 0)


def _trip(session: Session, lane: str, shop: str, why: str, by: str, now: datetime) -> None:
    session.add(BreakerRow(lane=lane, shop=shop, why=why[:1000], tripped_by=by, tripped_at=now))
    session.add(EventRow(subject=f"lane:{lane}", what=f"hands stopped{_in(shop)}", detail=why[:1000], at=now))
    session.flush()


def _in(shop: str) -> str:
    return f" in {shop}" if shop else ""


def open_breakers(ledger: Ledger) -> Sequence[BreakerRow]:
    """The breakers that stop hands now, oldest first."""
    with ledger.read() as session:
        found = select(BreakerRow).where(col(BreakerRow.closed_at).is_(None)).order_by(col(BreakerRow.id))
        return session.scalars(found).all()


def trip_by_hand(ledger: Ledger, lane: str, by: Proof, why: str, now: datetime, shop: str) -> None:
    """Stop a lane's hands at once, in one shop or in all of them; any enrolled person of the shop may.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: they decide in other shops only.
        LedgerError: no reason was given, or they are stopped already.
    """
    try:
        with ledger.write() as session:
            person = person_of(proved(session, by, now))
            must_answer_for(person, shop)
            if not why.strip():
                raise LedgerError("it takes a reason to stop a lane's hands")
            if any(row.shop == shop for row in _open_of(session, lane)):
                raise LedgerError(f"the hands of {lane} are stopped already{_in(shop)}")
            _trip(session, lane, shop, f"{person.name}: {why}", person.name, now)
    except NotProved:
        wrong(ledger, by, now)
        raise


def close_breaker(
    ledger: Ledger, lane: str, by: Proof, authority: Authority, why: str, now: datetime, shop: str | None = None
) -> None:
    """Let a lane's hands go on; what tripped the breaker is not counted again.

    Args:
        shop: the one where they are stopped, empty where they are in all; the only one that is open, when left out.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: the person may not.
        NotFound: no breaker of this lane is open there; or several are, and none was named.
        LedgerError: no reason was given.
    """
    try:
        with ledger.write() as session:
            person = person_of(proved(session, by, now))
            row = _the_open(session, lane, shop)
            must_answer_for(person, row.shop)
            authority.may_close_breakers(person, now)
            if not why.strip():
                raise LedgerError("it takes a reason to let a lane's hands go on")
            row.closed_at, row.closed_by, row.closed_why = now, person.name, why[:1000]
            detail = f"{person.name}: {why}"[:1000]
            said = f"hands let go on{_in(row.shop)}"
            session.add(EventRow(subject=f"lane:{lane}", what=said, detail=detail, at=now))
    except NotProved:
        wrong(ledger, by, now)
        raise


def _the_open(session: Session, lane: str, shop: str | None) -> BreakerRow:
    there = [row for row in _open_of(session, lane) if shop is None or row.shop == shop]
    if not there:
        raise NotFound(f"the hands of {lane} are not stopped{_in(shop or '')}", remedy="`tower breaker list`")
    if len(there) > 1:
        where = ", ".join(row.shop or "all shops" for row in there)
        raise NotFound(f"the hands of {lane} are stopped in {where}", remedy="say which: --shop")
    return there[0]


def _open_of(session: Session, lane: str) -> Sequence[BreakerRow]:
    found = select(BreakerRow).where(col(BreakerRow.lane) == lane, col(BreakerRow.closed_at).is_(None))
    return session.scalars(found.order_by(col(BreakerRow.id))).all()
