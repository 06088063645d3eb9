"""Vendure as a store, through its Admin GraphQL API: refunds, holds, reships and what takes them back.

Vendure forgets keys: the same call twice acts twice. Ours is read back from the refund's `reason`, from the
fulfilment's `method`, and from `towerLog`, a text field of the order that only we write. A hold is a line of that
log; a line of Vendure's configuration, in docs/stores.md, keeps the order here while it stands.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from control_tower.errors import StoreError
from control_tower.nouns import Money, as_json
from control_tower.stores import vendure_api as api
from control_tower.stores.protocol import HANDS, Abilities, Standing, StoreEffect
from control_tower.stores.web import MARK, SETTLES_WITHIN, TIMEOUT, Web, acting, is_marked, marked, reading, recorded

STANDINGS = {"Settled": Standing.done, "Failed": Standing.failed}
GONE = ("Shipped", "Delivered")


class VendureStore:
    """The orders of one Vendure channel, each by its code.

    Args:
        url: the Admin API, as in https://shop.example/admin-api.
        key: an API key whose role may read and update orders.
        settles_within: seconds that a call may still be on its way.
    """

    def __init__(self, url: str, key: str, settles_within: float = SETTLES_WITHIN, timeout: float = TIMEOUT) -> None:
        self.settles_within, self.url = settles_within, url
        self.web = Web("Vendure", "see TOWER_VENDURE_KEY", timeout, headers={"vendure-api-key": key})

    @property
    def abilities(self) -> Abilities:
        """All five hands."""
        held = HANDS["hold"].model_copy(update={"prior": ("open_holds",)})
        return Abilities(
            actions=HANDS
            | {
                "refund": HANDS["refund"].model_copy(update={"prior": ("payment", "paid_amount")}),
                "hold": held,
                "release": HANDS["release"].model_copy(update={"prior": ("reason",)}),
                "cancel_reship": HANDS["cancel_reship"].model_copy(update={"prior": ("tracking_code",)}),
            },
            settles_within=self.settles_within,
        )

    def effects(self, key: str, order_id: str) -> tuple[StoreEffect, ...]:
        """Everything that the order shows under our key, oldest first.

        Raises:
            StoreError: Vendure can't be read.
        """
        order = self._read(order_id)
        if order is None or not key:
            return ()
        found = [*_refunds(order, key), *_logged(order, key)]
        return tuple(sorted(found, key=lambda each: each.at))

    def refundable(self, order_id: str) -> Money | None:
        """What was settled and not yet refunded.

        Raises:
            StoreError: Vendure can't be read.
        """
        order = self._read(order_id)
        if order is None:
            return None
        return Money(amount=sum(_left(each) for each in order["payments"] or ()), currency=order["currencyCode"])

    def refund(self, key: str, order_id: str, money: Money, reason: str, return_id: str | None = None) -> StoreEffect:
        """Refund one payment of the order.

        Raises:
            StoreError: Vendure refuses, or no single payment has so much left.
            OutcomeUnknown: it gave no answer.
        """
        order, where = self._order(order_id), f"order {order_id}"
        if money.currency != order["currencyCode"]:
            raise StoreError(f"was paid in {order['currencyCode']}, not in {money.currency}", where=where)
        payment = next((each for each in order["payments"] or () if _left(each) >= money.amount), None)
        if payment is None:
            raise StoreError(f"no single payment has {money} left", where=where, remedy="refund it in Vendure")
        asked = {
            # Without the last three it fails on a column that may not be null; they are deprecated all the same.
            "paymentId": payment["id"], "amount": money.amount, "reason": marked(key, reason),
            "lines": [], "shipping": 0, "adjustment": 0,
        }  # fmt: skip
        self._act(api.REFUND, {"input": asked}, where, "refundOrder", "Refund")
        return self._recorded(key, order_id, where)

    def hold(self, key: str, order_id: str, reason: str) -> StoreEffect:
        """Write a hold into the order's log; Vendure's guard keeps it here.

        Raises:
            StoreError: Vendure refuses, or the order has left.
            OutcomeUnknown: it gave no answer.
        """
        order, where = self._order(order_id), f"order {order_id}"
        if any(each["state"] in GONE for each in _alive(order)):
            raise StoreError("has left, and can't be held", where=where)
        prior = {"open_holds": [each["key"] for each in _open_holds(order)]}
        self._log(order, where, key, "hold", reason=reason[:500], prior=prior)
        return self._recorded(key, order_id, where)

    def release(self, key: str, hold_id: str) -> StoreEffect:
        """Release one hold of ours.

        Raises:
            StoreError: it is not open, or Vendure refuses.
            OutcomeUnknown: Vendure gave no answer.
        """
        order_id, _, held = hold_id.partition("/")
        order, where = self._order(order_id), f"hold {hold_id}"
        mine = next((each for each in _open_holds(order) if each["key"] == held), None)
        if mine is None:
            raise StoreError("is no open hold of ours", where=where)
        self._log(order, where, key, "release", target=held, prior={"reason": mine.get("reason", "")})
        return self._recorded(key, order_id, where)

    def reship(self, key: str, order_id: str, fulfillment_id: str, reason: str) -> StoreEffect:
        """Give up one fulfilment and make another of the same lines.

        Raises:
            StoreError: it is not of this order, was delivered, is given up already, or Vendure refuses.
            OutcomeUnknown: Vendure gave no answer.
        """
        order, where = self._order(order_id), f"fulfilment {fulfillment_id}"
        lost = _fulfillment(order, fulfillment_id)
        if lost is None:
            raise StoreError(f"is not of order {order_id}", where=where)
        if _open_holds(order):
            raise StoreError("the order is on hold", where=where)
        ours = any(line["key"] == key for line in _log_of(order))
        if lost["state"] == "Delivered" or (lost["state"] == "Cancelled" and not ours):
            raise StoreError(f"is {lost['state'].lower()}", where=where)
        if not ours:  # what we begin is written down first, so that a second try knows whose work it finds
            prior = {"fulfillment_id": str(lost["id"]), "status": lost["state"]}
            self._log(order, where, key, "reship", target=str(lost["id"]), reason=reason[:500], prior=prior)
        if lost["state"] != "Cancelled":
            self._cancel(str(lost["id"]), where)
        arguments = [{"name": "method", "value": f"{MARK}{key}"}, {"name": "trackingCode", "value": ""}]
        asked = {"lines": lost["lines"], "handler": {"code": "manual-fulfillment", "arguments": arguments}}
        self._act(api.FULFIL, {"input": asked}, where, "addFulfillmentToOrder", "Fulfillment")
        return self._recorded(key, order_id, where)

    def cancel_reship(self, key: str, fulfillment_id: str) -> StoreEffect:
        """Cancel a reshipped fulfilment before it leaves.

        Raises:
            StoreError: it is none of ours, has left, is cancelled already, or Vendure refuses.
            OutcomeUnknown: Vendure gave no answer.
        """
        order_id = fulfillment_id.partition("/")[0]
        order, where = self._order(order_id), f"fulfilment {fulfillment_id}"
        parcel = _fulfillment(order, fulfillment_id)
        if parcel is None or not str(parcel["method"]).startswith(MARK):
            raise StoreError("is no reship of ours", where=where)
        if parcel["state"] in (*GONE, "Cancelled"):
            raise StoreError(f"is {parcel['state'].lower()}", where=where)
        prior = {"tracking_code": parcel["trackingCode"] or ""}
        self._log(order, where, key, "cancel_reship", target=str(parcel["id"]), prior=prior)
        self._cancel(str(parcel["id"]), where)
        return self._recorded(key, order_id, where)

    def _cancel(self, fulfillment: str, where: str) -> None:
        given = {"id": fulfillment, "state": "Cancelled"}
        self._act(api.MOVE, given, where, "transitionFulfillmentToState", "Fulfillment")

    def _log(self, order: dict[str, Any], where: str, key: str, action: str, **told: Any) -> None:
        """Add a line to the order's log, in one write."""
        line = {"key": key, "action": action, "at": as_json(datetime.now(UTC))} | told
        log = json.dumps([*_log_of(order), line], ensure_ascii=False)
        given = {"input": {"id": order["id"], "customFields": {"towerLog": log}}}
        self._act(api.LOG, given, where, "setOrderCustomFields", "Order")

    def _recorded(self, key: str, order_id: str, where: str) -> StoreEffect:
        return recorded(self, "Vendure", key, order_id, where)

    def _order(self, order_id: str) -> dict[str, Any]:
        order = self._read(order_id)
        if order is None:
            raise StoreError("Vendure knows no such order", where=f"order {order_id}")
        return order

    def _read(self, order_id: str) -> dict[str, Any] | None:
        """The order of a code; None when there is none."""
        with reading("Vendure", f"order {order_id}"):
            data = self.web.graphql(self.url, api.ORDER, {"code": order_id})
        items: list[dict[str, Any]] = data["orders"]["items"]
        return items[0] if len(items) == 1 else None

    def _act(self, mutation: str, given: dict[str, Any], where: str, field: str, good: str) -> None:
        with acting(where):
            result = self.web.graphql(self.url, mutation, given)[field]
        if result is None or result["__typename"] != good:
            said = result or {}
            told = f"{said.get('errorCode', 'nothing')}: {said.get('message', '')}"[:300]
            raise StoreError(f"Vendure refuses: {told}", where=where)


def _left(payment: dict[str, Any]) -> int:
    """What is left of a payment: what failed was not paid back."""
    if payment["state"] != "Settled":
        return 0
    back = sum(each["total"] for each in payment["refunds"] or () if each["state"] != "Failed")
    return max(int(payment["amount"]) - int(back), 0)


def _refunds(order: dict[str, Any], key: str) -> list[StoreEffect]:
    return [
        StoreEffect(
            key=key,
            action="refund",
            reference=str(each["id"]),
            order_id=order["code"],
            money=Money(amount=int(each["total"]), currency=order["currencyCode"]),
            state=each["state"],
            standing=STANDINGS.get(each["state"], Standing.pending),
            prior={"payment": str(payment["id"]), "paid_amount": int(payment["amount"])},
            at=datetime.fromisoformat(each["createdAt"]),
        )
        for payment in order["payments"] or ()
        for each in payment["refunds"] or ()
        if is_marked(each["reason"], key)
    ]


def _logged(order: dict[str, Any], key: str) -> list[StoreEffect]:
    """What the log and the fulfilments show: what was begun counts when its trace is there too."""
    found = []
    for line in _log_of(order):
        if line["key"] != key:
            continue
        action, target = line["action"], str(line.get("target", ""))
        if action in ("hold", "release"):
            state, standing = ("on_hold" if action == "hold" else "released"), Standing.done
            reference = f"{order['code']}/{key if action == 'hold' else target}"
        else:
            trace = _trace(order, key, action, target)
            if trace is None:
                continue
            # One that Vendure began and refused to go on with stays in "Created".
            state, standing = trace["state"], Standing.failed if trace["state"] == "Created" else Standing.done
            reference = f"{order['code']}/{trace['id']}"
        found.append(
            StoreEffect(
                key=key, action=action, reference=reference, order_id=order["code"], money=None, state=state,
                standing=standing, prior=line.get("prior", {}), at=datetime.fromisoformat(line["at"]),
            )
        )  # fmt: skip
    return found


def _trace(order: dict[str, Any], key: str, action: str, target: str) -> dict[str, Any] | None:
    """The fulfilment that shows that an action happened."""
    for each in order["fulfillments"] or ():
        made = action == "reship" and each["method"] == f"{MARK}{key}"
        cancelled = action == "cancel_reship" and str(each["id"]) == target and each["state"] == "Cancelled"
        if made or cancelled:
            parcel: dict[str, Any] = each
            return parcel
    return None


def _alive(order: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in order["fulfillments"] or () if each["state"] != "Cancelled"]


def _fulfillment(order: dict[str, Any], id: str) -> dict[str, Any] | None:
    plain = id.rpartition("/")[2]
    return next((each for each in order["fulfillments"] or () if str(each["id"]) == plain), None)


def _log_of(order: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of our log; a log that somebody else has written into is not ours to add to.

    Raises:
        StoreError: it is no list of lines with a key, an action and a moment.
    """
    text = (order["customFields"] or {}).get("towerLog") or "[]"
    try:
        lines = json.loads(text)
        sound = isinstance(lines, list) and all({"key", "action", "at"} <= set(line) for line in lines)
    except (ValueError, TypeError):
        sound = False
    if not sound:
        raise StoreError("its towerLog is damaged", where=f"order {order['code']}", remedy="mend it in Vendure")
    return list(lines)


def _open_holds(order: dict[str, Any]) -> list[dict[str, Any]]:
    released = {line.get("target") for line in _log_of(order) if line["action"] == "release"}
    return [line for line in _log_of(order) if line["action"] == "hold" and line["key"] not in released]
