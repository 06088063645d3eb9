"""The evidence form of a dispute: each field that it asks for, filled from evidence or listed as missing.

The fields are those of the `evidence` object of Stripe's disputes. Code fills them from rows and names what each
rests on; nothing is guessed, nothing is written that no row says, and a file is never filled by a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from control_tower.nouns import Money, Noun

Row = Mapping[str, Any]
Evidence = Mapping[str, Sequence[Row]]
"""Table -> its rows about one dispute, as `about` picks them; a table that is not there is not told of."""


class Filled(Noun):
    """One field and what it is filled with, and the rows that say so, as in `orders:1001`."""

    field: str
    text: str
    rests_on: tuple[str, ...]


class Missing(Noun):
    """One field that no evidence fills, what would fill it, and who has that."""

    field: str
    needs: str
    owner: str


@dataclass(frozen=True)
class Asked:
    """What a field needs, who has it, and how rows fill it; a file has no way to be filled from rows."""

    needs: str
    owner: str
    fill: Callable[[Evidence], tuple[str, list[tuple[str, Row]]] | None] | None = None


def about(tables: Evidence, dispute: Row) -> dict[str, list[Row]]:
    """The rows that are about a dispute: of its payment, or of its order; and the dispute itself.

    A row that names neither is about nobody that we know.
    """
    order, payment = dispute.get("order_id"), dispute.get("payment_id")

    def concerns(row: Row) -> bool:
        mine = payment is not None and row.get("payment_id") == payment
        return mine or (order is not None and row.get("order_id") == order)

    found = {name: [row for row in rows if concerns(row)] for name, rows in tables.items() if name != "disputes"}
    return found | {"disputes": [dispute]}


def dispute_evidence(evidence: Evidence) -> tuple[tuple[Filled, ...], tuple[Missing, ...]]:
    """Every field of the form, once: what is filled, and what is missing.

    Args:
        evidence: rows about one dispute, by table.
    """
    filled: list[Filled] = []
    missing: list[Missing] = []
    for name, asked in FORM.items():
        said = asked.fill(evidence) if asked.fill else None
        if said is None or not said[0].strip():
            missing.append(Missing(field=name, needs=asked.needs, owner=asked.owner))
            continue
        rests_on = tuple(dict.fromkeys(f"{table}:{row['source_id']}" for table, row in said[1]))
        filled.append(Filled(field=name, text=said[0], rests_on=rests_on))
    return tuple(filled), tuple(missing)


def _column(table: str, column: str) -> Callable[[Evidence], tuple[str, list[tuple[str, Row]]] | None]:
    """The one value that a table's rows have; several that differ are no answer."""

    def fill(evidence: Evidence) -> tuple[str, list[tuple[str, Row]]] | None:
        rows = [row for row in evidence.get(table, ()) if row.get(column) not in (None, "")]
        values = {str(row[column]) for row in rows}
        return (values.pop(), [(table, row) for row in rows]) if len(values) == 1 else None

    return fill


def _parcels(evidence: Evidence) -> list[Row]:
    return [row for row in evidence.get("fulfillments", ()) if row.get("status") not in (None, "cancelled")]


def _parcel(column: str) -> Callable[[Evidence], tuple[str, list[tuple[str, Row]]] | None]:
    """Of parcels that were sent: one that was voided proves nothing."""

    def fill(evidence: Evidence) -> tuple[str, list[tuple[str, Row]]] | None:
        rows = [row for row in _parcels(evidence) if row.get(column)]
        if not rows:
            return None
        return ", ".join(dict.fromkeys(str(row[column]) for row in rows)), [("fulfillments", row) for row in rows]

    return fill


def _shipping_date(evidence: Evidence) -> tuple[str, list[tuple[str, Row]]] | None:
    """The day of the hand-over, or of the carrier's first scan; a label alone is no shipment."""
    handed = [("fulfillments", row, row["handed_over_at"]) for row in _parcels(evidence) if row.get("handed_over_at")]
    scanned = [
        ("shipment_events", row, row["occurred_at"])
        for row in evidence.get("shipment_events", ())
        if row.get("occurred_at") and row.get("code") not in (None, "pre_transit", "unknown")
    ]
    if not (known := handed or scanned):
        return None
    table, row, moment = min(known, key=lambda each: each[2])
    return f"{moment:%Y-%m-%d}", [(table, row)]


def _product(evidence: Evidence) -> tuple[str, list[tuple[str, Row]]] | None:
    lines = [row for row in evidence.get("order_lines", ()) if row.get("sku") and row.get("quantity")]
    if not lines:
        return None
    return ", ".join(f"{row['quantity']} x {row['sku']}" for row in lines), [("order_lines", row) for row in lines]


def _settled(evidence: Evidence) -> list[Row]:
    return _moved(evidence, "payments", "paid_at")


def _moved(evidence: Evidence, table: str, when: str) -> list[Row]:
    """Rows of money of which amount, currency and day are known."""
    return [row for row in evidence.get(table, ()) if all(row.get(name) for name in (when, "amount", "currency"))]


def _money(row: Row) -> str:
    return str(Money(amount=int(row["amount"]), currency=str(row["currency"])))


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _paid_once(evidence: Evidence) -> tuple[str, list[tuple[str, Row]]] | None:
    """Only where the disputed payment is the only one of its order on file."""
    payments = _settled(evidence)
    if len(payments) != 1 or payments[0].get("order_id") is None:
        return None
    (paid,) = payments
    told = f"Order {paid['order_id']} was paid once: {_money(paid)} on {_day(paid['paid_at'])}."
    return told, [("payments", paid)]


def _twin(evidence: Evidence) -> tuple[str, list[tuple[str, Row]]] | None:
    """The other payment, where there are two of one amount and the dispute names one."""
    named = {row.get("payment_id") for row in evidence.get("disputes", ())}
    payments = _settled(evidence)
    disputed = [row for row in payments if row.get("payment_id") in named]
    others = [row for row in payments if row not in disputed]
    same = [row for row in others if any(row["amount"] == one["amount"] for one in disputed)]
    return (str(same[0]["payment_id"]), [("payments", same[0])]) if len(same) == 1 else None


def _not_cancelled(evidence: Evidence) -> tuple[str, list[tuple[str, Row]]] | None:
    """Only where the charge came before the subscription was cancelled."""
    ended = [row for row in evidence.get("subscriptions", ()) if row.get("cancelled_at")]
    payments = _settled(evidence)
    if len(ended) != 1 or not payments:
        return None
    first = min(payments, key=lambda row: row["paid_at"])
    if first["paid_at"] >= ended[0]["cancelled_at"]:
        return None
    until = _day(ended[0]["cancelled_at"])
    told = f"The charge was on {_day(first['paid_at'])}; the subscription was cancelled on {until}."
    return told, [("payments", first), ("subscriptions", ended[0])]


def _refunded(evidence: Evidence) -> tuple[str, list[tuple[str, Row]]] | None:
    """What went back already."""
    refunds = _moved(evidence, "refunds", "refunded_at")
    if not refunds:
        return None
    told = "; ".join(f"{_money(row)} was refunded on {_day(row['refunded_at'])}" for row in refunds)
    return f"{told}.", [("refunds", row) for row in refunds]


def _summary(evidence: Evidence) -> tuple[str, list[tuple[str, Row]]] | None:
    """What happened, a sentence for each row that says so, in the order of time."""
    said = sorted(_happenings(evidence), key=lambda each: each[:2])
    if not said:
        return None
    whole = "\n".join(f"{_day(moment)}: {told}" for moment, told, _, _ in said)
    return whole, [(table, row) for _, _, table, row in said]


def _happenings(evidence: Evidence) -> Iterator[tuple[datetime, str, str, Row]]:
    """When, what, and the table and row that say so."""
    for row in _settled(evidence):
        yield row["paid_at"], f"{_money(row)} was paid by {row.get('method') or 'a method not told'}.", "payments", row
    for row in _moved(evidence, "refunds", "refunded_at"):
        yield row["refunded_at"], f"{_money(row)} was refunded.", "refunds", row
    dated: list[tuple[str, Sequence[Row], str, str]] = [
        ("orders", evidence.get("orders", ()), "placed_at", "Order {order_id} was placed."),
        ("fulfillments", _parcels(evidence), "handed_over_at", "The parcel was handed to the carrier."),
        ("fulfillments", _parcels(evidence), "delivered_at", "The parcel was delivered."),
        (
            "shipment_events",
            _with(evidence, "code", "delivered", "shipment_events"),
            "occurred_at",
            "The carrier's scan says delivered.",
        ),
        *(
            ("risk_signals", _with(evidence, *said), "recorded_at", f"The issuer confirmed {what}.")
            for said, what in CHECKS
        ),
    ]
    for table, rows, when, told in dated:
        yield from ((row[when], told.format_map(row), table, row) for row in rows if row.get(when))


def _with(evidence: Evidence, column: str, value: str, table: str = "risk_signals") -> list[Row]:
    return [row for row in evidence.get(table, ()) if row.get(column) == value]


CHECKS = (
    (("avs", "match"), "the billing address"),
    (("avs", "address_only"), "the street of the billing address"),
    (("avs", "postcode_only"), "the postcode of the billing address"),
    (("cvv", "match"), "the security code"),
)
FORM: dict[str, Asked] = {
    "access_activity_log": Asked("log of the customer's use of the service", "commerce-platform"),
    "billing_address": Asked("billing address of the order", "commerce-platform", _column("buyers", "billing_address")),
    "cancellation_policy": Asked("file of the cancellation policy as the customer saw it", "policy"),
    "cancellation_policy_disclosure": Asked("where and when the customer was shown it", "policy"),
    "cancellation_rebuttal": Asked("charge and cancellation of the subscription", "billing", _not_cancelled),
    "customer_communication": Asked("file of what was written with the customer", "support"),
    "customer_email_address": Asked(
        "email address of the order", "commerce-platform", _column("buyers", "customer_email")
    ),
    "customer_name": Asked("name of the customer", "commerce-platform", _column("buyers", "customer_name")),
    "customer_purchase_ip": Asked("IP address of the purchase", "commerce-platform", _column("buyers", "purchase_ip")),
    "customer_signature": Asked("file of a signature", "carrier-desk"),
    "duplicate_charge_documentation": Asked("file that shows two purchases", "payments"),
    "duplicate_charge_explanation": Asked("that the order was paid once", "payments", _paid_once),
    "duplicate_charge_id": Asked("another payment of the same amount", "payments", _twin),
    "product_description": Asked("what was bought", "merchandising", _product),
    "receipt": Asked("file of the receipt", "payments"),
    "refund_policy": Asked("file of the refund policy as the customer saw it", "policy"),
    "refund_policy_disclosure": Asked("where and when the customer was shown it", "policy"),
    "refund_refusal_explanation": Asked("what was refunded, or why nothing is", "returns-desk", _refunded),
    "service_date": Asked("when a service was given", "commerce-platform"),
    "service_documentation": Asked("file that shows a service was given", "commerce-platform"),
    "shipping_address": Asked(
        "shipping address of the order", "commerce-platform", _column("buyers", "shipping_address")
    ),
    "shipping_carrier": Asked("carrier of the parcel", "warehouse", _parcel("carrier")),
    "shipping_date": Asked("hand-over to the carrier, or its first scan", "warehouse", _shipping_date),
    "shipping_documentation": Asked("file of the proof of delivery", "carrier-desk"),
    "shipping_tracking_number": Asked("tracking number of the parcel", "warehouse", _parcel("tracking_code")),
    "uncategorized_file": Asked("any other file", "fraud"),
    "uncategorized_text": Asked("what happened, from orders, payments and parcels", "fraud", _summary),
}
"""Stripe's fields of a dispute's evidence. `enhanced_evidence`, which only some disputes may use, is none of them."""
