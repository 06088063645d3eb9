"""The effect ledger: `intended → sent → confirmed | refused | unknown`, one row for one logical effect.

The row is written before the store is called. Who may call is decided here, under a lease, so that
of two runs of one approved proposal only one has hands at a time.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import or_, select, update
from sqlmodel import col

from control_tower.errors import OutcomeUnknown
from control_tower.ledger.authorised import Authorised
from control_tower.ledger.database import Ledger, changed
from control_tower.ledger.tables import EffectRow, EventRow
from control_tower.nouns import Action, Effect, EffectState, Money

LEASE = timedelta(seconds=60)
OPEN = (EffectState.intended.value, EffectState.sent.value, EffectState.unknown.value)


def new_holder() -> str:
    """A name under which to hold one lease: host/pid/one try. Two threads of a process are two holders."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"


def abandoned(holder: str) -> bool:
    """Whether the holder of a lease is known to be dead: a process of this machine that is gone."""
    host, pid, *_ = [*holder.split("/"), "", ""]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


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


def intend(ledger: Ledger, authorised: Authorised, holder: str, now: datetime) -> Effect:
    """Write down the intent, or find where it stands, and take the lease to act on it.

    Raises:
        OutcomeUnknown: another process holds the lease, or another effect on the same order is in the air.
    """
    proposal = authorised.proposal
    with ledger.write() as session:
        row = session.get(EffectRow, proposal.digest)
        if row is None:
            row = EffectRow(
                key=proposal.digest,
                action=proposal.action.value,
                order_id=proposal.order_id,
                amount=proposal.money.amount if proposal.money else None,
                currency=proposal.money.currency if proposal.money else None,
                state=EffectState.intended.value,
                intended_at=now,
                changed_at=now,
            )
            session.add(row)
            session.add(EventRow(subject=f"effect:{row.key}", what="intended", detail=row.action, at=now))
            session.flush()
        if row.state not in OPEN:
            return _noun(row)
        busy = session.scalars(
            select(EffectRow).where(
                col(EffectRow.order_id) == row.order_id,
                col(EffectRow.key) != row.key,
                col(EffectRow.state).in_((EffectState.sent.value, EffectState.unknown.value)),
            )
        ).first()
        if busy:
            raise OutcomeUnknown(
                f"{busy.action} {busy.key[:12]} on order {row.order_id} is {busy.state}; it goes first"
            )
        if abandoned(row.holder):
            row.held_until = None
            session.flush()
        mine = session.execute(
            update(EffectRow)
            .where(
                col(EffectRow.key) == row.key,
                or_(col(EffectRow.held_until).is_(None), col(EffectRow.held_until) < now),
            )
            .values(holder=holder, held_until=now + LEASE)
        )
        if changed(mine) != 1:
            raise OutcomeUnknown(f"another run is acting on {row.key[:12]} now")
        return _noun(row)


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
) -> Effect:
    """Move an effect on; only the holder of the lease may, and a settled one never moves.

    Raises:
        OutcomeUnknown: the lease was lost; another run has taken over.
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
                held_until=now + LEASE if state is EffectState.sent else None,
            )
        )
        if changed(moved) != 1:
            raise OutcomeUnknown(f"the lease on {key[:12]} was lost to another run")
        session.add(EventRow(subject=f"effect:{key}", what=state.value, detail=detail[:1000], at=now))
        row = session.get_one(EffectRow, key, populate_existing=True)
        return _noun(row)


def find_effect(ledger: Ledger, key: str) -> Effect | None:
    """Where one effect stands, if it was ever intended."""
    with ledger.read() as session:
        row = session.get(EffectRow, key)
        return _noun(row) if row else None


def list_effects(ledger: Ledger) -> list[Effect]:
    """Every effect, oldest first."""
    with ledger.read() as session:
        return [_noun(row) for row in session.scalars(select(EffectRow).order_by(col(EffectRow.intended_at)))]
