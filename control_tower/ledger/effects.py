"""The effect ledger: `intended → sent → confirmed | refused | unknown`, one row for one logical effect.

The row is written before the store is called. Whose turn it is to call is decided in `turns`; only the run
that wrote its name into the row, having the turn, may move it on.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.caps import NONE, Caps
from control_tower.errors import CapReached, HandsStopped, OutcomeUnknown
from control_tower.ledger.authorised import Authorised
from control_tower.ledger.caps import alone, over_a_cap, stopped
from control_tower.ledger.database import Ledger, changed
from control_tower.ledger.tables import EffectRow, EventRow, ProposalRow
from control_tower.nouns import Action, Effect, EffectState, Money, Proposal
from control_tower.stores.protocol import StoreEffect

OPEN = (EffectState.intended.value, EffectState.sent.value, EffectState.unknown.value)

ALARM = "alarm"
"""What an event is called that a person must see."""


def new_holder() -> str:
    """A name for one try: host/pid/try. Two threads of a process are two holders."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"


def _noun(row: EffectRow) -> Effect:
    money = Money(amount=row.amount, currency=row.currency) if row.amount and row.currency else None
    return Effect(
        key=row.key,
        action=Action(row.action),
        order_id=row.order_id,
        money=money,
        state=EffectState(row.state),
        store_reference=row.store_reference,
        detail=row.detail,
        at=row.changed_at,
    )


def intend(ledger: Ledger, authorised: Authorised, holder: str, now: datetime, caps: Caps = NONE) -> Effect:
    """Write down the intent, or find where it stands, and put one's name to it. Needs the turn.

    Raises:
        OutcomeUnknown: another effect on the same order is in the air, and goes first.
        HandsStopped: a breaker of this lane is open, or trips now.
        CapReached: it would go over a cap.
    """
    proposal = authorised.proposal
    with ledger.write() as session:
        effect, why = _intended(session, authorised, holder, now, caps)
    if effect is None:  # raised here, so that a breaker that tripped is written down
        raise HandsStopped(
            f"the hands of {proposal.lane} are stopped: {why}",
            where=f"proposal {proposal.id}",
            remedy=f"`tower breaker close {proposal.lane}` lets them go on",
        )
    return effect


def _intended(
    session: Session, authorised: Authorised, holder: str, now: datetime, caps: Caps
) -> tuple[Effect | None, str]:
    """The effect; or None, and why hands are stopped."""
    proposal = authorised.proposal
    alone(session)
    row = session.get(EffectRow, proposal.digest)
    if row is not None and row.state not in OPEN:
        return _noun(row), ""
    if why := stopped(session, proposal.lane, proposal.shop, caps, now):
        return None, why
    if row is None:
        row = EffectRow(
            key=proposal.digest,
            action=proposal.action.value,
            order_id=proposal.order_id,
            amount=authorised.money.amount if authorised.money else None,
            currency=authorised.money.currency if authorised.money else None,
            state=EffectState.intended.value,
            lane=proposal.lane,
            shop=proposal.shop,
            customer=proposal.customer,
            approver=authorised.ruling.approver,
            intended_at=now,
            changed_at=now,
        )
        if why := over_a_cap(session, row, caps, now):
            raise CapReached(why, where=f"proposal {proposal.id}")
        session.add(row)
        session.add(EventRow(subject=f"effect:{row.key}", what="intended", detail=row.action, at=now))
        session.flush()
    busy = session.scalars(
        select(EffectRow).where(
            col(EffectRow.shop) == row.shop,
            col(EffectRow.order_id) == row.order_id,
            col(EffectRow.key) != row.key,
            col(EffectRow.state).in_((EffectState.sent.value, EffectState.unknown.value)),
        )
    ).first()
    if busy:
        raise OutcomeUnknown(
            f"{busy.action} {busy.key[:12]} on order {row.order_id} is {busy.state}; it goes first",
            remedy="`tower settle` reads the store again",
        )
    row.holder = holder
    return _noun(row), ""


def move(
    ledger: Ledger,
    key: str,
    state: EffectState,
    *,
    holder: str,
    now: datetime,
    reference: str = "",
    prior: dict[str, object] | None = None,
    detail: str = "",
    alarm: str = "",
) -> Effect:
    """Move an effect on; only the run that put its name to it may, and a settled one never moves.

    Args:
        alarm: what a person must see, though the effect is settled.

    Raises:
        OutcomeUnknown: another run has taken over.
    """
    with ledger.write() as session:
        moved = session.execute(
            update(EffectRow)
            .where(col(EffectRow.key) == key, col(EffectRow.holder) == holder, col(EffectRow.state).in_(OPEN))
            .values(
                state=state.value,
                store_reference=reference,
                prior=prior or {},
                detail=detail[:1000],
                changed_at=now,
            )
        )
        if changed(moved) != 1:
            raise OutcomeUnknown(f"another run has taken over {key[:12]}")
        session.add(EventRow(subject=f"effect:{key}", what=state.value, detail=detail[:1000], at=now))
        if alarm:
            session.add(EventRow(subject=f"effect:{key}", what=ALARM, detail=alarm[:1000], at=now))
        row = session.get_one(EffectRow, key, populate_existing=True)
        return _noun(row)


def take_up(ledger: Ledger, key: str, holder: str) -> Effect | None:
    """Put one's name to an effect that was intended before; None when there is none. Needs the turn."""
    with ledger.write() as session:
        row = session.get(EffectRow, key)
        if row is not None and row.state in OPEN:
            row.holder = holder
        return _noun(row) if row else None


def found_done(ledger: Ledger, proposal: Proposal, recorded: StoreEffect, now: datetime) -> bool:
    """Write down what the store did and a restored ledger does not know; False where it knows by now.

    Whoever approved it was lost with the ledger, so nobody is named; caps count it all the same. The proposal is done,
    and nobody is asked about it again.
    """
    said = f"the store recorded it as {recorded.reference}; its ruling was lost with the ledger"
    with ledger.write() as session:
        alone(session)
        row = session.get_one(ProposalRow, proposal.digest)
        known = session.get(EffectRow, proposal.digest)
        if row.standing != "waiting" or known is not None:
            return False
        session.add(_recovered(proposal, recorded, said, now))
        row.standing, row.detail = "done", said
        for subject in (f"effect:{row.digest}", f"proposal:{row.digest}", f"case:{row.case_id}"):
            session.add(EventRow(subject=subject, what="recovered", detail=said, at=now))
    return True


def _recovered(proposal: Proposal, recorded: StoreEffect, said: str, now: datetime) -> EffectRow:
    money = recorded.money
    return EffectRow(
        key=proposal.digest, action=proposal.action.value, order_id=proposal.order_id,
        amount=money.amount if money else None, currency=money.currency if money else None,
        state=EffectState.confirmed.value, store_reference=recorded.reference, prior=dict(recorded.prior), detail=said,
        lane=proposal.lane, shop=proposal.shop, customer=proposal.customer, approver="", holder="",
        intended_at=recorded.at, changed_at=now,
    )  # fmt: skip


def open_effects(ledger: Ledger) -> list[Effect]:
    """Every effect that was sent and is not settled, oldest first."""
    in_the_air = (EffectState.sent.value, EffectState.unknown.value)
    with ledger.read() as session:
        found = select(EffectRow).where(col(EffectRow.state).in_(in_the_air)).order_by(col(EffectRow.intended_at))
        return [_noun(row) for row in session.scalars(found)]


def alarms(ledger: Ledger) -> list[tuple[str, str]]:
    """The key of an effect and what is wrong with it, oldest first."""
    with ledger.read() as session:
        rows = session.scalars(select(EventRow).where(col(EventRow.what) == ALARM).order_by(col(EventRow.id)))
        return [(row.subject.removeprefix("effect:"), row.detail) for row in rows]


def shops_of_effects(ledger: Ledger) -> dict[str, str]:
    """The shop of each effect, by its key."""
    with ledger.read() as session:
        found = session.execute(select(col(EffectRow.key), col(EffectRow.shop)))
        return {row.key: row.shop for row in found}


def find_effect(ledger: Ledger, key: str) -> Effect | None:
    """Where one effect stands, if it was ever intended."""
    with ledger.read() as session:
        row = session.get(EffectRow, key)
        return _noun(row) if row else None


def list_effects(ledger: Ledger, shop: str = "") -> list[Effect]:
    """Every effect, oldest first; of one shop, where it is named."""
    every = select(EffectRow).order_by(col(EffectRow.intended_at))
    with ledger.read() as session:
        return [_noun(row) for row in session.scalars(every.where(col(EffectRow.shop) == shop) if shop else every)]
