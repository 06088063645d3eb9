"""The embedded shop's tables: the canonical columns, in a registry of their own.

`source` and `source_id` are the same for every row (`shop`, the primary key) and are added when read.
`observed_at` is when a row was last written. Moments are kept as integer microseconds since 1970 in
UTC: exact in SQLite, and Arrow reads them as they are. Tables are STRICT, so no value can have
another type than its column.
"""

from __future__ import annotations

from typing import Annotated

from sqlalchemy import Table, Text
from sqlmodel import Field

from control_tower.stores.base import NUMBERED, STRICT, ShopRow
from control_tower.stores.columns import (
    At,
    Flag,
    Key,
    Moment,
    OfOrder,
    OfParcel,
    Perhaps,
    PerhapsAt,
    PerhapsFlag,
    PerhapsOfOrder,
    Words,
    Written,
)
from control_tower.stores.stock_tables import InventoryLevelRow, ProductSignalRow, ProductStateRow, PurchaseOrderRow


class OrderRow(ShopRow, table=True):
    """One order; a cancellation is its status and `cancelled_at`."""

    __tablename__ = "orders"
    __table_args__ = STRICT
    order_id: Key
    customer_id: Perhaps = None
    status: Words
    status_at: PerhapsAt = None
    placed_at: At
    approved_at: PerhapsAt = None
    cancelled_at: PerhapsAt = None
    currency: Words
    total_amount: int | None = None
    ship_to_country: Perhaps = None
    observed_at: Written


class OrderLineRow(ShopRow, table=True):
    """One line of an order; `final_sale` was sold as not to be returned."""

    __tablename__ = "order_lines"
    __table_args__ = STRICT
    line_id: Key
    order_id: OfOrder
    sku: Words
    quantity: int
    unit_amount: int
    currency: Words
    warehouse_id: Perhaps = None
    seller_id: Perhaps = None
    final_sale: PerhapsFlag = None
    category: Perhaps = None
    observed_at: Written


class PaymentRow(ShopRow, table=True):
    """One payment; it counts once `paid_at` is known."""

    __tablename__ = "payments"
    __table_args__ = STRICT
    payment_id: Key
    order_id: OfOrder
    amount: int
    currency: Words
    method: Perhaps = None
    paid_at: PerhapsAt = None
    observed_at: Written


class PromiseRow(ShopRow, table=True):
    """One promise to the customer: handed over by, or delivered by."""

    __tablename__ = "promises"
    __table_args__ = STRICT
    promise_id: Key
    order_id: OfOrder
    kind: Words
    due_at: At
    by_day: Annotated[bool, Field(sa_type=Flag)]
    made_at: At
    observed_at: Written


class FulfillmentRow(ShopRow, table=True):
    """One parcel of an order."""

    __tablename__ = "fulfillments"
    __table_args__ = STRICT
    fulfillment_id: Key
    order_id: OfOrder
    status: Words
    carrier: Perhaps = None
    service: Perhaps = None
    tracking_code: Perhaps = None
    warehouse_id: Perhaps = None
    label_created_at: PerhapsAt = None
    handed_over_at: PerhapsAt = None
    delivered_at: PerhapsAt = None
    observed_at: Written


class ShipmentEventRow(ShopRow, table=True):
    """One scan of a parcel."""

    __tablename__ = "shipment_events"
    __table_args__ = STRICT
    event_id: Key
    fulfillment_id: OfParcel
    order_id: OfOrder
    code: Words
    occurred_at: At
    place: Perhaps = None
    observed_at: Written


class HoldRow(ShopRow, table=True):
    """One hold on an order; `handle` says whose it is."""

    __tablename__ = "holds"
    __table_args__ = STRICT
    hold_id: Key
    order_id: OfOrder
    reason: Words
    handle: Words
    placed_at: At
    released_at: PerhapsAt = None
    observed_at: Written


class RefundRow(ShopRow, table=True):
    """One refund that was paid out; of no order where no purchase is on file."""

    __tablename__ = "refunds"
    __table_args__ = STRICT
    refund_id: Key
    order_id: PerhapsOfOrder = None
    return_id: Perhaps = None
    amount: int
    currency: Words
    method: Perhaps = None
    refunded_at: At
    observed_at: Written


class ReturnRow(ShopRow, table=True):
    """One product that a customer wants to send back; of no order where no purchase is on file."""

    __tablename__ = "returns"
    __table_args__ = STRICT
    return_id: Key
    order_id: PerhapsOfOrder = None
    line_id: Perhaps = None
    customer_id: Perhaps = None
    sku: Words
    quantity: int
    reason: Perhaps = None
    reason_text: Perhaps = None
    photos: Perhaps = None
    gift: PerhapsFlag = None
    requested_at: At
    approved_at: PerhapsAt = None
    received_at: PerhapsAt = None
    closed_at: PerhapsAt = None
    status: Words
    method_wanted: Perhaps = None
    observed_at: Written


class InspectionRow(ShopRow, table=True):
    """What was found when a return was looked at."""

    __tablename__ = "inspections"
    __table_args__ = STRICT
    inspection_id: Key
    return_id: Words
    order_id: PerhapsOfOrder = None
    condition: Perhaps = None
    disposition: Perhaps = None
    inspector: Perhaps = None
    note: Perhaps = None
    inspected_at: At
    observed_at: Written


class SubscriptionRow(ShopRow, table=True):
    """What a customer has sent, or is served with, until they cancel; `next_order_id` is the next shipment."""

    __tablename__ = "subscriptions"
    __table_args__ = STRICT
    subscription_id: Key
    customer_id: Perhaps = None
    status: Words
    plan: Perhaps = None
    amount: int | None = None
    currency: Words
    started_at: At
    cancelled_at: PerhapsAt = None
    next_charge_at: PerhapsAt = None
    next_ship_at: PerhapsAt = None
    next_order_id: Perhaps = None
    method_kind: Perhaps = None
    method_expires_at: PerhapsAt = None
    method_country: Perhaps = None
    observed_at: Written


class InvoiceRow(ShopRow, table=True):
    """What a subscription is charged for a period, or for an order."""

    __tablename__ = "invoices"
    __table_args__ = STRICT
    invoice_id: Key
    subscription_id: Words
    order_id: PerhapsOfOrder = None
    amount: int
    currency: Words
    created_at: At
    due_at: PerhapsAt = None
    paid_at: PerhapsAt = None
    attempts: int | None = None
    last_attempt_at: PerhapsAt = None
    next_attempt_at: PerhapsAt = None
    decline_code: Perhaps = None
    status: Words
    observed_at: Written


class CampaignRow(ShopRow, table=True):
    """One promotion of one product, over a time."""

    __tablename__ = "campaigns"
    __table_args__ = STRICT
    campaign_id: Key
    name: Words
    sku: Words
    starts_at: At
    ends_at: At
    observed_at: Written


class RiskSignalRow(ShopRow, table=True):
    """What was known of who placed an order, as hashes and fingerprints; a later row of an order corrects it."""

    __tablename__ = "risk_signals"
    __table_args__ = STRICT
    signal_id: Key
    order_id: OfOrder
    customer_id: Perhaps = None
    email_hash: Perhaps = None
    card_fingerprint: Perhaps = None
    device_id: Perhaps = None
    ip_hash: Perhaps = None
    ip_country: Perhaps = None
    billing_hash: Perhaps = None
    billing_country: Perhaps = None
    shipping_hash: Perhaps = None
    shipping_country: Perhaps = None
    avs: Perhaps = None
    cvv: Perhaps = None
    payment_attempts: int | None = None
    account_created_at: PerhapsAt = None
    provider_level: Perhaps = None
    recorded_at: At
    observed_at: Written


class AddressChangeRow(ShopRow, table=True):
    """One change of an order's delivery address."""

    __tablename__ = "address_changes"
    __table_args__ = STRICT
    change_id: Key
    order_id: OfOrder
    from_hash: Perhaps = None
    to_hash: Perhaps = None
    changed_at: At
    observed_at: Written


class DisputeRow(ShopRow, table=True):
    """One payment that a cardholder disputed."""

    __tablename__ = "disputes"
    __table_args__ = STRICT
    dispute_id: Key
    order_id: OfOrder
    reason: Perhaps = None
    opened_at: At
    closed_at: PerhapsAt = None
    outcome: Perhaps = None
    observed_at: Written


class SupportContactRow(ShopRow, table=True):
    """One time that somebody wrote or called; whether who did so knew what the order's own customer knows."""

    __tablename__ = "support_contacts"
    __table_args__ = STRICT
    contact_id: Key
    order_id: PerhapsOfOrder = None
    customer_id: Perhaps = None
    channel: Perhaps = None
    topic: Perhaps = None
    text: Perhaps = None
    matches_order: PerhapsFlag = None
    contacted_at: At
    observed_at: Written


class ReviewRow(ShopRow, table=True):
    """What a customer wrote of an order, once asked."""

    __tablename__ = "reviews"
    __table_args__ = STRICT
    review_id: Key
    order_id: PerhapsOfOrder = None
    sku: Perhaps = None
    stars: int | None = None
    title: Perhaps = None
    text: Perhaps = None
    written_at: At
    observed_at: Written


class ProfileRow(ShopRow, table=True):
    """Whose shop this is; one row. A frozen shop was last looked at when it was made."""

    __tablename__ = "shop_profile"
    __table_args__ = STRICT
    id: Key
    time_zone: Words
    country: Words
    currency: Words
    frozen_at: PerhapsAt = None


class JournalRow(ShopRow, table=True):
    """One thing the hands did: our key in a column that can be read back, and what was there before."""

    __tablename__ = "journal"
    __table_args__ = NUMBERED
    id: int | None = Field(default=None, primary_key=True)
    key: Annotated[str, Field(sa_type=Text, index=True)]
    action: Words
    reference: Annotated[str, Field(sa_type=Text, index=True)]
    order_id: OfOrder
    amount: int | None = None
    currency: Perhaps = None
    state: Words
    prior: Words
    reason: Words
    at: At


CANONICAL: dict[str, Table] = {
    row.__table__.name: row.__table__
    for row in (
        OrderRow,
        OrderLineRow,
        PaymentRow,
        PromiseRow,
        FulfillmentRow,
        ShipmentEventRow,
        HoldRow,
        RefundRow,
        ReturnRow,
        InspectionRow,
        SubscriptionRow,
        InvoiceRow,
        CampaignRow,
        InventoryLevelRow,
        PurchaseOrderRow,
        ProductSignalRow,
        ProductStateRow,
        RiskSignalRow,
        AddressChangeRow,
        DisputeRow,
        SupportContactRow,
        ReviewRow,
    )
}


def key_of(table: str) -> str:
    """The primary key column of a canonical table."""
    return str(next(iter(CANONICAL[table].primary_key.columns)).name)


def kinds_of(table: str) -> dict[str, str]:
    """Column name -> DuckDB type of a canonical table, in order, as the shop keeps it."""
    kinds: dict[type, str] = {Moment: "TIMESTAMPTZ", Flag: "BOOLEAN", Text: "VARCHAR"}
    return {column.name: kinds.get(type(column.type), "BIGINT") for column in CANONICAL[table].columns}
