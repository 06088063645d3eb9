"""What the embedded shop's hands do, each inside the one transaction that it is given.

Every action is checked against the shop's own rules, changes the rows, and is written into the
journal with our key and with what was there before. A refusal is a StoreError and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.errors import StoreError
from control_tower.nouns import Money, as_json, canonical
from control_tower.stores.protocol import StoreEffect
from control_tower.stores.tables import (
    FulfillmentRow,
    HoldRow,
    JournalRow,
    OrderRow,
    PaymentRow,
    RefundRow,
    ReturnRow,
)


@dataclass(frozen=True)
class Instruction:
    """Who asks (our key), why, and when."""

    key: str
    reason: str
    at: datetime


def effects(session: Session, key: str) -> tuple[StoreEffect, ...]:
    """Everything recorded under a key, oldest first."""
    found = select(JournalRow).where(col(JournalRow.key) == key).order_by(col(JournalRow.id))
    return tuple(_effect(row) for row in session.scalars(found))


def refundable(session: Session, order_id: str) -> Money | None:
    """What was paid for an order in its currency, and not yet refunded; None when there is no such order."""
    order = session.get(OrderRow, order_id)
    if order is None:
        return None
    paid, refunded = _paid_and_refunded(session, order)
    return Money(amount=max(paid - refunded, 0), currency=order.currency)


def refund(
    session: Session, said: Instruction, order_id: str, money: Money, return_id: str | None = None
) -> StoreEffect:
    """Pay back at most what was paid in the order's currency and not yet refunded; a return so repaid is closed."""
    order = _order(session, order_id)
    prior = _refundable(session, order, money)
    if return_id is not None:
        prior |= _close_return(session, said, order_id, return_id)
    entry = _record(session, said, "refund", order_id, state="refunded", prior=prior, money=money)
    session.add(
        RefundRow(
            refund_id=entry.reference,
            order_id=order_id,
            return_id=return_id,
            amount=money.amount,
            currency=money.currency,
            method="original",
            refunded_at=said.at,
            observed_at=said.at,
        )
    )
    return _effect(entry)


def hold(session: Session, said: Instruction, order_id: str) -> StoreEffect:
    """Put an undelivered order on hold, under a handle of our own."""
    order = _order(session, order_id)
    if order.status == "delivered" or _delivered(session, order_id):
        raise StoreError("is delivered already; a hold would stop nothing", where=f"order {order_id}")
    prior: dict[str, JsonValue] = {"order_status": order.status, "open_holds": _open_holds(session, order_id)}
    entry = _record(session, said, "hold", order_id, state="on_hold", prior=prior)
    session.add(
        HoldRow(
            hold_id=entry.reference,
            order_id=order_id,
            reason=said.reason,
            handle=f"tower:{said.key}",
            placed_at=said.at,
            observed_at=said.at,
        )
    )
    return _effect(entry)


def release(session: Session, said: Instruction, hold_id: str) -> StoreEffect:
    """Release one open hold, and no other."""
    held = session.get(HoldRow, hold_id)
    if held is None:
        raise StoreError("there is no such hold", where=f"hold {hold_id}")
    if held.released_at is not None:
        raise StoreError(f"was released at {as_json(held.released_at)}", where=f"hold {hold_id}")
    prior: dict[str, JsonValue] = {
        "placed_at": as_json(held.placed_at),
        "reason": held.reason,
        "handle": held.handle,
    }
    held.released_at = held.observed_at = said.at
    return _effect(_record(session, said, "release", held.order_id, state="released", prior=prior, reference=hold_id))


def reship(session: Session, said: Instruction, order_id: str, fulfillment_id: str) -> StoreEffect:
    """Give up a parcel that did not arrive, and label a new one with the same carrier and service."""
    parcel = _sendable_again(session, _order(session, order_id), fulfillment_id)
    prior = {
        "fulfillment_id": fulfillment_id,
        "status": parcel.status,
        "tracking_code": parcel.tracking_code,
    }
    parcel.status, parcel.observed_at = "cancelled", said.at
    entry = _record(session, said, "reship", order_id, state="label", prior=prior)
    session.add(
        FulfillmentRow(
            fulfillment_id=entry.reference,
            order_id=order_id,
            status="label",
            carrier=parcel.carrier,
            service=parcel.service,
            tracking_code=f"RESHIP{entry.id:010d}",
            warehouse_id=parcel.warehouse_id,
            label_created_at=said.at,
            observed_at=said.at,
        )
    )
    return _effect(entry)


def cancel_reship(session: Session, said: Instruction, fulfillment_id: str) -> StoreEffect:
    """Void a replacement that is still here, and let the first parcel stand as it stood before."""
    parcel, before = _reshipped(session, fulfillment_id)
    prior = {"status": parcel.status, "tracking_code": parcel.tracking_code}
    parcel.status, parcel.observed_at = "cancelled", said.at
    first = session.get(FulfillmentRow, str(before["fulfillment_id"]))
    if first is not None and first.status == "cancelled":
        first.status, first.observed_at = str(before["status"]), said.at
    entry = _record(
        session,
        said,
        "cancel_reship",
        parcel.order_id,
        state="cancelled",
        prior=prior,
        reference=fulfillment_id,
    )
    return _effect(entry)


def _order(session: Session, order_id: str) -> OrderRow:
    order = session.get(OrderRow, order_id)
    if order is None:
        raise StoreError("there is no such order", where=f"order {order_id}")
    return order


def _refundable(session: Session, order: OrderRow, money: Money) -> dict[str, JsonValue]:
    """The order's money before a refund, or a refusal."""
    where = f"order {order.order_id}"
    if money.currency != order.currency:
        raise StoreError(f"was paid in {order.currency}, not in {money.currency}", where=where)
    paid, refunded = _paid_and_refunded(session, order)
    remainder = max(paid - refunded, 0)
    if not 0 < money.amount <= remainder:
        asked = f"can't refund {money.amount} of {order.currency} minor units"
        raise StoreError(f"{asked}: {remainder} of {paid} can be refunded", where=where)
    return {"paid_amount": paid, "refunded_amount": refunded, "order_status": order.status}


def _paid_and_refunded(session: Session, order: OrderRow) -> tuple[int, int]:
    """An authorisation without `paid_at`, or money in another currency, is no money of this order."""
    payments = select(func.sum(col(PaymentRow.amount))).where(
        col(PaymentRow.order_id) == order.order_id,
        col(PaymentRow.currency) == order.currency,
        col(PaymentRow.amount) > 0,
        col(PaymentRow.paid_at).is_not(None),
    )
    refunds = select(func.sum(col(RefundRow.amount))).where(
        col(RefundRow.order_id) == order.order_id, col(RefundRow.currency) == order.currency
    )
    return session.scalar(payments) or 0, session.scalar(refunds) or 0


def _close_return(session: Session, said: Instruction, order_id: str, return_id: str) -> dict[str, JsonValue]:
    """Call a return of this order refunded; gives what it was before, or refuses."""
    where = f"return {return_id}"
    returned = session.get(ReturnRow, return_id)
    if returned is None:
        raise StoreError("there is no such return", where=where)
    if returned.order_id not in (None, order_id):
        raise StoreError(f"is of order {returned.order_id}, not of {order_id}", where=where)
    if returned.status in ("rejected", "cancelled"):
        raise StoreError(f"is {returned.status}; nothing is to be repaid", where=where)
    prior: dict[str, JsonValue] = {
        "return_id": return_id,
        "return_status": returned.status,
        "return_closed_at": as_json(returned.closed_at) if returned.closed_at else None,
    }
    returned.status, returned.closed_at, returned.observed_at = "refunded", said.at, said.at
    return prior


def _sendable_again(session: Session, order: OrderRow, fulfillment_id: str) -> FulfillmentRow:
    where = f"order {order.order_id}"
    if order.status in ("cancelled", "unavailable"):
        raise StoreError(f"is {order.status}; nothing is to be sent", where=where)
    if _open_holds(session, order.order_id):
        raise StoreError("is on hold; release it first", where=where)
    parcel = session.get(FulfillmentRow, fulfillment_id)
    if parcel is None or parcel.order_id != order.order_id:
        raise StoreError(f"has no fulfilment {fulfillment_id}", where=where)
    standing = "delivered" if parcel.delivered_at else parcel.status
    if standing in ("delivered", "cancelled"):
        raise StoreError(f"is {standing} and can't be sent again", where=f"fulfilment {fulfillment_id}")
    return parcel


def _reshipped(session: Session, fulfillment_id: str) -> tuple[FulfillmentRow, dict[str, JsonValue]]:
    """A replacement that can still be voided, and what there was before it."""
    where = f"fulfilment {fulfillment_id}"
    parcel = session.get(FulfillmentRow, fulfillment_id)
    made = select(JournalRow).where(col(JournalRow.reference) == fulfillment_id, col(JournalRow.action) == "reship")
    entry = session.scalars(made.limit(1)).first()
    if parcel is None or entry is None:
        raise StoreError("is no reship of ours", where=where)
    standing = "handed over" if parcel.handed_over_at else parcel.status
    if standing != "label":
        raise StoreError(f"is {standing}; too late to cancel it", where=where)
    before: dict[str, JsonValue] = json.loads(entry.prior)
    return parcel, before


def _delivered(session: Session, order_id: str) -> bool:
    arrived = or_(col(FulfillmentRow.delivered_at).is_not(None), col(FulfillmentRow.status) == "delivered")
    parcels = select(func.count()).select_from(FulfillmentRow)
    return bool(session.scalar(parcels.where(col(FulfillmentRow.order_id) == order_id, arrived)))


def _open_holds(session: Session, order_id: str) -> list[JsonValue]:
    holds = select(col(HoldRow.hold_id)).where(col(HoldRow.order_id) == order_id, col(HoldRow.released_at).is_(None))
    return list(session.scalars(holds.order_by(col(HoldRow.hold_id))))


def _record(
    session: Session,
    said: Instruction,
    action: str,
    order_id: str,
    *,
    state: str,
    prior: Mapping[str, JsonValue],
    money: Money | None = None,
    reference: str = "",
) -> JournalRow:
    """Write the journal; without a reference, the entry's own number makes one."""
    entry = JournalRow(
        key=said.key,
        action=action,
        reference=reference,
        order_id=order_id,
        amount=money.amount if money else None,
        currency=money.currency if money else None,
        state=state,
        prior=canonical(dict(prior)).decode(),
        reason=said.reason,
        at=said.at,
    )
    session.add(entry)
    session.flush()
    entry.reference = reference or f"{action}-{entry.id}"
    return entry


def _effect(entry: JournalRow) -> StoreEffect:
    money = None
    if entry.amount is not None and entry.currency is not None:
        money = Money(amount=entry.amount, currency=entry.currency)
    return StoreEffect(
        key=entry.key,
        action=entry.action,
        reference=entry.reference,
        order_id=entry.order_id,
        money=money,
        state=entry.state,
        prior=json.loads(entry.prior),
        at=entry.at,
    )
