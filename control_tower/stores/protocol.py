"""What any store must offer: read back what it recorded, and the five things hands can do."""

from __future__ import annotations

from typing import Protocol

from pydantic import AwareDatetime, JsonValue

from control_tower.nouns import Money, Noun


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
    prior: dict[str, JsonValue]
    """What the action changed, as it was before; enough for its counter-action."""
    at: AwareDatetime


class Store(Protocol):
    """A back end with hands.

    Nothing here is idempotent: the same call twice acts twice, as with real stores. What keeps an
    action single is the effect ledger above, which reads `find` before and after every call.

    Every action raises StoreError when the store refuses, and OutcomeUnknown when there was no answer.
    """

    def find(self, key: str) -> StoreEffect | None:
        """The first effect that the store recorded under our key, or None when there is none."""

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
