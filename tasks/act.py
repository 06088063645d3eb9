"""Act: the only hands. They take an `Authorised` and nothing else, and believe the store's records alone."""

from __future__ import annotations

from collections.abc import Sequence

from control_tower.caps import NONE, Caps
from control_tower.clock import SYSTEM, Clock
from control_tower.errors import HandsStopped, OutcomeUnknown, StoreError
from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.authorised import Authorised
from control_tower.ledger.effects import find_effect, intend, move, new_holder, take_up
from control_tower.ledger.turns import turn
from control_tower.nouns import Action, Effect, EffectState, Money, Noun, Proposal
from control_tower.settings import settings
from control_tower.stores import open_store
from control_tower.stores.protocol import Standing, Store, StoreEffect
from control_tower.traces import span, tell
from tasks.authority import authority_over
from tasks.standing import below_act
from tasks.tell import tell_of_breakers

SETTLED = (EffectState.confirmed, EffectState.refused)


class ByHand(Noun):
    """Hands did not move, for their lane stands below `act`: whoever approved it does it by hand."""

    why: str


@step(touches="the store")
def act(authorised: Authorised) -> Effect | ByHand:
    """Carry out what was authorised, once, however often this is called.

    The intent is written first. The store is read before the first try and after it, and what it
    recorded decides; its reply does not.

    A lane below the rung `act` begins nothing, however old the approval. What it sent before it fell is settled by
    reading, and is not sent again.

    Raises:
        CapReached: it would go over a cap; nothing was done.
        HandsStopped: a breaker of this lane is open; nothing was done.
        OutcomeUnknown: nobody can say yet whether it happened; a later call reads the store again.
    """
    tower = settings()
    ledger = open_ledger(tower.ledger)
    if why := below_act(authorised.proposal):
        return keep_back(ledger, authorised, why)
    try:
        store = open_store(authorised.proposal.source, tower)
    except StoreError as fault:  # a source without hands: nothing was tried, and nothing will be
        return refuse(ledger, authorised, fault.what)
    try:
        return carry_out(ledger, store, authorised, caps=authority_over(authorised.proposal).caps)
    except HandsStopped as stop:
        tell_of_breakers(ledger, tower)
        raise stop


def keep_back(ledger: Ledger, authorised: Authorised, why: str) -> Effect | ByHand:
    """Begin nothing; settle by reading what was sent before. What was not sent is for a person to do."""
    effect = find_effect(ledger, authorised.proposal.digest)
    if effect and effect.state is EffectState.intended:
        effect = refuse(ledger, authorised, why)  # in its turn: another run may be about to send it
    if effect is None or (effect.state is EffectState.refused and effect.detail == why):
        return ByHand(why=why)
    if effect.state in SETTLED:
        return effect
    store = open_store(authorised.proposal.source, settings())
    return read_again(ledger, store, authorised.proposal) or effect


def refuse(ledger: Ledger, authorised: Authorised, why: str, clock: Clock = SYSTEM) -> Effect:
    """Write down that there is nothing to call."""
    proposal, holder = authorised.proposal, new_holder()
    with turn(ledger, proposal.order_id, proposal.named_shop, clock):
        if (effect := intend(ledger, authorised, holder, clock.now())).state in SETTLED:
            return effect
        return move(ledger, proposal.digest, EffectState.refused, holder=holder, now=clock.now(), detail=why)


def carry_out(ledger: Ledger, store: Store, authorised: Authorised, clock: Clock = SYSTEM, caps: Caps = NONE) -> Effect:
    """`act`, with the ledger, the store and the caps given.

    Raises:
        CapReached: it would go over a cap.
        HandsStopped: a breaker of this lane is open.
        OutcomeUnknown: another run, or another effect on the same order, goes first.
        StoreError: the store can't be read before anything is tried.
    """
    proposal, holder = authorised.proposal, new_holder()
    key, order, money = proposal.digest, proposal.order_id, authorised.money

    def settle(state: EffectState, detail: str, found: Sequence[StoreEffect] = ()) -> Effect:
        return _write_down(ledger, key, holder, clock, state, detail, found, money)

    with turn(ledger, proposal.order_id, proposal.named_shop, clock) as mine:
        effect = intend(ledger, authorised, holder, clock.now(), caps)
        if effect.state in SETTLED:
            return effect
        # Who finds a try of before must see the store's lag pass, by ticks, before "not found" is believed.
        lag = 0.0 if effect.state is EffectState.intended else store.abilities.settles_within
        if found := read_back(store, key, order, lag, clock):
            return settle(*_reading(found), found)
        if objection := _objection(store, proposal, money):
            return settle(EffectState.refused, objection)
        mine.check()
        move(ledger, key, EffectState.sent, holder=holder, now=clock.now())
        with span("call-store", store=_kind(store), action=proposal.action.value):
            effect = settle(*_called(store, authorised, clock))
            tell(outcome=effect.state.value)
        return effect


def read_again(ledger: Ledger, store: Store, proposal: Proposal, clock: Clock = SYSTEM) -> Effect | None:
    """Settle an open effect by what the store recorded, and call nothing; None when nothing was ever intended.

    What no read shows stays unknown: to try again is for the proposal's own run, which looks at the evidence first.

    Raises:
        OutcomeUnknown: a run is acting on the order.
        StoreError: the store can't be read.
    """
    holder, key, order = new_holder(), proposal.digest, proposal.order_id
    with turn(ledger, order, proposal.named_shop, clock, patience=1):
        effect = take_up(ledger, key, holder)
        if effect is None or effect.state in (*SETTLED, EffectState.intended):
            return effect
        found = read_back(store, key, order, store.abilities.settles_within, clock)
        state, detail = _reading(found) if found else (EffectState.unknown, "no read of the store shows it")
        if (state, detail) == (effect.state, effect.detail):
            return effect
        return _write_down(ledger, key, holder, clock, state, detail, found, effect.money)


def read_back(store: Store, key: str, order: str, lag: float, clock: Clock = SYSTEM) -> tuple[StoreEffect, ...]:
    """What the store recorded under a key on an order; "nothing" only `lag` seconds after the first read."""
    began = clock.ticks()
    while True:
        waited = clock.ticks() - began
        found = store.effects(key, order)
        if waited >= lag or any(each.standing is Standing.done for each in found):
            return found
        clock.sleep(min(max(lag / 8, 0.05), lag - waited))


def _called(store: Store, authorised: Authorised, clock: Clock) -> tuple[EffectState, str, Sequence[StoreEffect]]:
    """Ask the store once, read it back, and say where that leaves the effect, and why."""
    key, order = authorised.proposal.digest, authorised.proposal.order_id
    said = _call(store, authorised)
    try:
        found = read_back(store, key, order, store.abilities.settles_within, clock)
    except StoreError as fault:
        return EffectState.unknown, f"the store can't be read: {fault.what}", ()
    if found:
        return *_reading(found), found
    if isinstance(said, StoreError) and not isinstance(said, OutcomeUnknown):
        return EffectState.refused, said.what, ()
    return EffectState.unknown, str(said) if said else "the store said yes and recorded nothing", ()


def _kind(store: Store) -> str:
    """What sort of store it is, as in shop, stripe or vendure."""
    return type(store).__module__.rpartition(".")[2]


def _write_down(
    ledger: Ledger,
    key: str,
    holder: str,
    clock: Clock,
    state: EffectState,
    detail: str,
    found: Sequence[StoreEffect],
    money: Money | None,
) -> Effect:
    """Move an effect to where the store's records put it, with the record that counts."""
    first = next((each for each in found if each.standing is Standing.done), found[0] if found else None)
    return move(
        ledger,
        key,
        state,
        holder=holder,
        now=clock.now(),
        reference=first.reference if first else "",
        prior=dict(first.prior) if first else None,
        detail=detail,
        alarm=_alarm(found, money),
    )


def _reading(found: Sequence[StoreEffect]) -> tuple[EffectState, str]:
    """What the store's records of one key come to."""
    standings = {each.standing for each in found}
    if Standing.done in standings:
        return EffectState.confirmed, ""
    if Standing.pending in standings:
        return EffectState.unknown, f"the store calls it {found[0].state}"
    return EffectState.refused, f"the store recorded it as {found[0].state}"


def _alarm(found: Sequence[StoreEffect], money: Money | None) -> str:
    """What is wrong with what a store recorded; empty when nothing is."""
    done = [each for each in found if each.standing is Standing.done]
    if len(done) > 1:
        return f"the store did it {len(done)} times: {', '.join(each.reference for each in done)}"
    if done and done[0].money != money:
        return f"the store recorded {done[0].money or 'no money'} where {money or 'none'} was approved"
    return ""


def _objection(store: Store, proposal: Proposal, money: Money | None) -> str:
    """Why nothing is to be asked of the store; empty when all is well. A careless store would pay anything."""
    if proposal.action.value not in store.abilities.actions:
        return f"this store can't {proposal.action}"
    if proposal.action is not Action.refund:
        return ""
    if money is None:
        return "a refund needs an amount"
    left = store.refundable(proposal.order_id)
    if left is not None and (money.currency != left.currency or not 0 < money.amount <= left.amount):
        return f"can't refund {money}: {left} can be refunded"
    return ""


def _call(store: Store, authorised: Authorised) -> Exception | None:
    """Ask the store once; gives what it said against it."""
    try:
        _ask(store, authorised.proposal, authorised.money)
    except StoreError as fault:
        return fault
    except (OSError, TimeoutError) as fault:
        return OutcomeUnknown(f"no answer: {type(fault).__name__}")
    return None


def _ask(store: Store, proposal: Proposal, money: Money | None) -> None:
    match proposal.action:
        case Action.refund if money:
            # A refund acts on an order, or on a return of that order.
            returned = proposal.target if proposal.target != proposal.order_id else None
            store.refund(proposal.digest, proposal.order_id, money, proposal.reason, returned)
        case Action.reship:
            store.reship(proposal.digest, proposal.order_id, proposal.target, proposal.reason)
        case Action.hold:
            store.hold(proposal.digest, proposal.order_id, proposal.reason)
        case Action.release:
            store.release(proposal.digest, proposal.target)
        case Action.cancel_reship:
            store.cancel_reship(proposal.digest, proposal.target)
        case _:
            raise StoreError("a refund needs an amount", where=f"proposal {proposal.id}")
