"""Act: the only hands. They take an `Authorised` and nothing else, and believe the store's records alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from control_tower.errors import OutcomeUnknown, StoreError
from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.authorised import Authorised
from control_tower.ledger.effects import intend, move, new_holder
from control_tower.nouns import Action, Effect, EffectState
from control_tower.settings import settings
from control_tower.stores import open_store
from control_tower.stores.protocol import Store, StoreEffect

SETTLED = (EffectState.confirmed, EffectState.refused)


@step
def act(authorised: Authorised) -> Effect:
    """Carry out what was authorised, once, however often this is called.

    The intent is written first. The store is read before the first try and after it, and what it
    recorded decides; its reply does not.

    Raises:
        OutcomeUnknown: nobody can say yet whether it happened; a later call reads the store again.
    """
    tower = settings()
    ledger = open_ledger(tower.ledger)
    try:
        open_store(authorised.proposal.source, tower)
    except StoreError as fault:  # a source without hands: nothing was tried, and nothing will be
        holder, now = new_holder(), datetime.now(UTC)
        if (effect := intend(ledger, authorised, holder, now)).state in SETTLED:
            return effect
        key = authorised.proposal.digest
        return move(ledger, key, EffectState.refused, holder=holder, now=now, detail=fault.what)
    return carry_out(ledger, open_store(authorised.proposal.source, tower), authorised)


def carry_out(
    ledger: Ledger,
    store: Store,
    authorised: Authorised,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Effect:
    """`act`, with the ledger and the store given."""
    proposal = authorised.proposal
    holder = new_holder()
    effect = intend(ledger, authorised, holder, now())
    if effect.state in SETTLED:
        return effect
    if recorded := store.find(proposal.digest):
        return _confirm(ledger, recorded, holder, now())
    move(ledger, proposal.digest, EffectState.sent, holder=holder, now=now())
    try:
        _call(store, authorised)
    except OutcomeUnknown as fault:
        said: Exception | None = fault
    except StoreError as fault:
        said = fault
    except (OSError, TimeoutError) as fault:
        said = OutcomeUnknown(f"no answer: {type(fault).__name__}")
    else:
        said = None
    if recorded := store.find(proposal.digest):
        return _confirm(ledger, recorded, holder, now())
    if isinstance(said, StoreError) and not isinstance(said, OutcomeUnknown):
        return move(ledger, proposal.digest, EffectState.refused, holder=holder, now=now(), detail=said.what)
    detail = str(said) if said else "the store said yes and recorded nothing"
    return move(ledger, proposal.digest, EffectState.unknown, holder=holder, now=now(), detail=detail)


def _confirm(ledger: Ledger, recorded: StoreEffect, holder: str, at: datetime) -> Effect:
    return move(
        ledger,
        recorded.key,
        EffectState.confirmed,
        holder=holder,
        now=at,
        reference=recorded.reference,
        prior=dict(recorded.prior),
    )


def _call(store: Store, authorised: Authorised) -> None:
    proposal, money = authorised.proposal, authorised.money
    match proposal.action:
        case Action.refund if money:
            # A refund acts on an order, or on a return of that order.
            returned = proposal.target if proposal.target != proposal.order_id else None
            store.refund(proposal.digest, proposal.order_id, money, proposal.reason, returned)
        case Action.reship:
            store.reship(proposal.digest, proposal.order_id, proposal.target, proposal.reason)
        case Action.hold:
            store.hold(proposal.digest, proposal.order_id, proposal.reason)
        case _:
            raise StoreError("a refund needs an amount", where=f"proposal {proposal.id}")
