"""What any store must offer: read back what it recorded, say what it can do, and the five things hands can do."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from pydantic import AwareDatetime, Field, JsonValue

from control_tower.nouns import Money, Noun


class Standing(StrEnum):
    """How far a store got with what it recorded, whatever it calls that itself."""

    done = "done"
    pending = "pending"
    failed = "failed"


class StoreEffect(Noun):
    """What a store itself recorded of one action. Only this counts; a reply does not."""

    key: str
    action: str
    """`refund`, `reship`, `hold`, `release` or `cancel_reship`."""
    reference: str
    """The store's own id of what came of it: a refund, a fulfilment or a hold."""
    order_id: str
    money: Money | None
    state: str
    """What the store calls its standing: refunded, label, on_hold, released or cancelled."""
    standing: Standing = Standing.done
    prior: dict[str, JsonValue]
    """What the action changed, as it was before; enough for its counter-action."""
    at: AwareDatetime


class Undo(StrEnum):
    """What can be done about an action afterwards."""

    reversible = "reversible"
    """The counter-action puts back what was there."""
    compensable = "compensable"
    """The counter-action makes good for it, as long as its deadline has not passed."""
    irreversible = "irreversible"
    """Nothing here takes it back."""


class Ability(Noun):
    """One thing that a store can do, and what can be done about it afterwards."""

    undo: Undo
    counter: str = Field(default="", description="the action that undoes it; none, where nothing does")
    deadline: str = Field(default="", description="until when, in words; empty where there is none")
    prior: tuple[str, ...] = Field(default=(), description="what is captured of before, for the counter-action")


class Abilities(Noun):
    """What one kind of store can do, and how far its words can be trusted."""

    actions: dict[str, Ability]
    settles_within: float = Field(
        description="seconds after which an action that no read shows did not happen and never will"
    )
    remembers_keys: timedelta | None = Field(
        default=None, description="how long it takes a second call under one key for the first; None for not at all"
    )


class Store(Protocol):
    """A back end with hands.

    No store need be idempotent: the same call twice may act twice, as with real stores. What keeps an
    action single is the effect ledger above, which reads `effects` before and after every call.

    Every action raises StoreError when the store refuses, and OutcomeUnknown when there was no answer;
    every reading raises StoreError when it can't tell.
    """

    @property
    def abilities(self) -> Abilities:
        """What this store can do. An action that is not named here is refused."""

    def effects(self, key: str, order_id: str) -> tuple[StoreEffect, ...]:
        """Everything that the store recorded under our key on an order, oldest first."""

    def refundable(self, order_id: str) -> Money | None:
        """What was paid and not yet refunded, by the store's records; None where it can't say."""

    def refund(self, key: str, order_id: str, money: Money, reason: str, return_id: str | None = None) -> StoreEffect:
        """Pay back part or all of what was paid and not yet refunded, for a return where one is named."""

    def reship(self, key: str, order_id: str, fulfillment_id: str, reason: str) -> StoreEffect:
        """Give up one fulfilment and label a new one; the reference is the new fulfilment."""

    def hold(self, key: str, order_id: str, reason: str) -> StoreEffect:
        """Stop an order from being handed over; the reference is the hold."""

    def release(self, key: str, hold_id: str) -> StoreEffect:
        """Release one hold, and no other: the counter-action of `hold`."""

    def cancel_reship(self, key: str, fulfillment_id: str) -> StoreEffect:
        """Cancel a reshipped fulfilment before it is handed over: the counter-action of `reship`."""


HANDS: dict[str, Ability] = {
    "refund": Ability(undo=Undo.irreversible, prior=("paid_amount", "refunded_amount")),
    "reship": Ability(
        undo=Undo.compensable,
        counter="cancel_reship",
        deadline="until the new parcel is handed to the carrier",
        prior=("fulfillment_id", "status"),
    ),
    "hold": Ability(undo=Undo.reversible, counter="release", prior=("order_status", "open_holds")),
    "release": Ability(undo=Undo.reversible, counter="hold", prior=("reason", "handle")),
    "cancel_reship": Ability(undo=Undo.irreversible, prior=("status", "tracking_code")),
}
"""What is true of the five actions wherever nothing else is said."""


def undoing(action: str) -> str:
    """What a person is told before saying yes: can it be taken back, how, and until when."""
    ability = HANDS[action]
    if ability.undo is Undo.irreversible:
        return f"A {action} can't be undone."
    until = f", {ability.deadline}" if ability.deadline else ""
    return f"A {action} is {ability.undo}, by {ability.counter.replace('_', ' ')}{until}."
