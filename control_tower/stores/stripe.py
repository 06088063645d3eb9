"""Stripe as a store: refunds of charges, each with our key in its metadata and as its idempotency key.

Stripe has no orders. An order is the charge (`ch_`) or payment intent (`pi_`) that its id names, or else the one
charge whose metadata says `order_id`. Its idempotency keys expire after a day, and answer the same failure again
until then; what is believed is the list of refunds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from control_tower.errors import OutcomeUnknown, SettingError, StoreBusy, StoreError
from control_tower.nouns import Money
from control_tower.stores.protocol import HANDS, Abilities, Standing, StoreEffect

if TYPE_CHECKING:
    import stripe

TIMEOUT = 20.0
SETTLES_WITHIN = 30.0
"""Seconds: longer than any call of ours may take, so that none is still on its way."""
CHARGE, INTENT = re.compile(r"(ch|py)_\w+"), re.compile(r"pi_\w+")
STANDINGS = {"succeeded": Standing.done, "failed": Standing.failed, "canceled": Standing.failed}
OTHER_UNITS = {"ISK", "UGX"}
"""Currencies that Stripe counts in hundredths of what ISO 4217 calls their minor unit."""
DEAF = "Stripe refuses the key"


class StripeStore:
    """The refunds of one Stripe account.

    Args:
        key: a secret or restricted key that may read charges and write refunds.
        api_url: another API root, for tests.

    Raises:
        SettingError: the SDK is not installed.
    """

    def __init__(self, key: str, api_url: str | None = None, settles_within: float = SETTLES_WITHIN) -> None:
        try:
            import stripe
        except ImportError:
            raise SettingError("Stripe's SDK is not installed", remedy="pip install 'control-tower[stripe]'") from None
        addresses: Any = {"api": api_url} if api_url else {}
        self.client: stripe.StripeClient = stripe.StripeClient(
            key,
            base_addresses=addresses,
            http_client=stripe.RequestsClient(timeout=TIMEOUT),
            max_network_retries=0,  # a retry of the SDK's own would be one that no ledger knows of
        )
        self.settles_within = settles_within

    @property
    def abilities(self) -> Abilities:
        """Refunds only: a payment service holds and ships nothing."""
        return Abilities(
            actions={"refund": HANDS["refund"].model_copy(update={"prior": ("charge", "paid_amount")})},
            settles_within=self.settles_within,
            remembers_keys=timedelta(hours=24),
        )

    def effects(self, key: str, order_id: str) -> tuple[StoreEffect, ...]:
        """Every refund of the order's payment that carries our key.

        Raises:
            StoreError: Stripe can't be read, or several charges pay this order.
        """
        with _reading():
            charge = self._charge(order_id)
            if charge is None:
                return ()
            refunds = self.client.v1.refunds.list({"charge": charge["id"], "limit": 100}).auto_paging_iter()
            mine = [each for refund in refunds if _metadata(each := refund.to_dict()).get("tower_key") == key]
        return tuple(_effect(key, order_id, refund) for refund in sorted(mine, key=lambda each: each["created"]))

    def refundable(self, order_id: str) -> Money | None:
        """What was captured and not yet refunded; None when nothing was paid under this name.

        Raises:
            StoreError: Stripe can't be read.
        """
        with _reading():
            charge = self._charge(order_id)
        return _left(charge) if charge else None

    def refund(self, key: str, order_id: str, money: Money, reason: str, return_id: str | None = None) -> StoreEffect:
        """Refund the order's charge.

        Raises:
            StoreError: Stripe refuses.
            OutcomeUnknown: it gave no answer, or one that says nothing.
        """
        where = f"order {order_id}"
        with _reading():
            charge = self._charge(order_id)
        if charge is None:
            raise StoreError("Stripe knows no charge of it", where=where)
        if money.currency in OTHER_UNITS:
            raise StoreError(f"Stripe counts {money.currency} in other units; refund it there", where=where)
        left = _left(charge)
        if money.currency != left.currency:
            raise StoreError(f"was paid in {left.currency}, not in {money.currency}", where=where)
        metadata = {
            "tower_key": key,
            "order_id": order_id[:500],
            "reason": reason[:500],
            # Of what was there before only what no refund changes: the same key must come with the same content.
            "paid_amount": str(_captured(charge)),
        }
        if return_id is not None:
            metadata["return_id"] = return_id[:500]
        asked: Any = {"charge": charge["id"], "amount": money.amount, "metadata": metadata}
        with _acting(where):
            made = self.client.v1.refunds.create(asked, {"idempotency_key": f"tower-{key}"})
        return _effect(key, order_id, made.to_dict())

    def reship(self, key: str, order_id: str, fulfillment_id: str, reason: str) -> StoreEffect:
        """Refused."""
        _cannot("reship")

    def hold(self, key: str, order_id: str, reason: str) -> StoreEffect:
        """Refused."""
        _cannot("hold")

    def release(self, key: str, hold_id: str) -> StoreEffect:
        """Refused."""
        _cannot("release")

    def cancel_reship(self, key: str, fulfillment_id: str) -> StoreEffect:
        """Refused."""
        _cannot("cancel a reship")

    def _charge(self, order_id: str) -> dict[str, Any] | None:
        """The one charge that paid an order; None when there is none."""
        import stripe

        try:
            if CHARGE.fullmatch(order_id):
                return _plain(self.client.v1.charges.retrieve(order_id))
            if INTENT.fullmatch(order_id):
                found = _plain(self.client.v1.payment_intents.retrieve(order_id)).get("latest_charge")
                return _plain(self.client.v1.charges.retrieve(found)) if isinstance(found, str) else found
        except stripe.InvalidRequestError as fault:
            if fault.code == "resource_missing" or fault.http_status == 404:
                return None
            raise
        if not order_id or not order_id.isprintable():
            return None
        quoted = order_id.replace("\\", "\\\\").replace("'", "\\'")
        matches = self.client.v1.charges.search({"query": f"metadata['order_id']:'{quoted}'", "limit": 100})
        paid = [each.to_dict() for each in matches.auto_paging_iter() if each.status == "succeeded"]
        if len(paid) > 1:
            raise StoreError(f"{len(paid)} charges pay it", where=f"order {order_id}", remedy="refund it in Stripe")
        return paid[0] if paid else None


def _plain(found: Any) -> dict[str, Any]:
    content: dict[str, Any] = found.to_dict()
    return content


def _captured(charge: dict[str, Any]) -> int:
    amount = charge.get("amount_captured")
    return int(amount if amount is not None else (charge["amount"] if charge.get("captured") else 0))


def _left(charge: dict[str, Any]) -> Money:
    left = _captured(charge) - int(charge.get("amount_refunded") or 0)
    return Money(amount=max(left, 0), currency=str(charge["currency"]).upper())


def _metadata(refund: dict[str, Any]) -> dict[str, Any]:
    return refund.get("metadata") or {}


def _effect(key: str, order_id: str, refund: dict[str, Any]) -> StoreEffect:
    status = str(refund.get("status") or "pending")
    metadata = _metadata(refund)
    paid = str(metadata.get("paid_amount", ""))
    return StoreEffect(
        key=key,
        action="refund",
        reference=str(refund["id"]),
        order_id=order_id,
        money=Money(amount=int(refund["amount"]), currency=str(refund["currency"]).upper()),
        state=status,
        standing=STANDINGS.get(status, Standing.pending),
        prior={"charge": str(refund.get("charge"))} | ({"paid_amount": int(paid)} if paid.isdecimal() else {}),
        at=datetime.fromtimestamp(int(refund["created"]), UTC),
    )


@contextmanager
def _reading() -> Iterator[None]:
    """Whatever goes wrong in reading, nothing is known by it. Stripe's own words may quote the key."""
    import stripe

    try:
        yield
    except (stripe.AuthenticationError, stripe.PermissionError):
        raise StoreError(DEAF, remedy="see TOWER_STRIPE_KEY") from None
    except stripe.StripeError as fault:
        raise StoreError(f"Stripe could not be read: {_named(fault)}") from None


@contextmanager
def _acting(where: str) -> Iterator[None]:
    import stripe

    try:
        yield
    except (stripe.AuthenticationError, stripe.PermissionError):
        raise OutcomeUnknown(DEAF, where=where, remedy="see TOWER_STRIPE_KEY") from None
    except stripe.RateLimitError:
        raise StoreBusy("Stripe asks us to come again later", where=where) from None
    except (stripe.InvalidRequestError, stripe.CardError) as fault:
        if fault.http_status == 409:
            raise StoreBusy("Stripe is busy with this refund", where=where) from None
        raise StoreError(f"Stripe refuses: {_named(fault)}", where=where) from None
    except stripe.StripeError as fault:
        raise OutcomeUnknown(f"Stripe gave no answer: {_named(fault)}", where=where) from None


def _named(fault: stripe.StripeError) -> str:
    """The kind and the code of a fault, and Stripe's sentence for people where there is one."""
    said = [type(fault).__name__, fault.code or "", (fault.user_message or "")[:300] if fault.code else ""]
    return " ".join(part for part in said if part)


def _cannot(what: str) -> NoReturn:
    raise StoreError(f"Stripe can't {what}: it moves money and nothing else")
