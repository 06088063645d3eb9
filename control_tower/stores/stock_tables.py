"""The shop's tables of stock: how much there is, what is ordered, what shoppers ask, and what they are shown."""

from __future__ import annotations

from control_tower.stores.base import STRICT, ShopRow
from control_tower.stores.columns import At, Key, Perhaps, PerhapsAt, PerhapsFlag, Words, Written


class InventoryLevelRow(ShopRow, table=True):
    """One look at how much of a product lies in a warehouse; the newest counts."""

    __tablename__ = "inventory_levels"
    __table_args__ = STRICT
    level_id: Key
    sku: Words
    warehouse_id: Words
    counted_at: At
    available: int | None = None
    committed: int | None = None
    safety_stock: int | None = None
    storefront_available: int | None = None
    warehouse_count: int | None = None
    lead_days: int | None = None
    observed_at: Written


class PurchaseOrderRow(ShopRow, table=True):
    """One product that was ordered of a supplier."""

    __tablename__ = "purchase_orders"
    __table_args__ = STRICT
    po_id: Key
    sku: Words
    warehouse_id: Perhaps = None
    quantity: int
    ordered_at: At
    expected_at: PerhapsAt = None
    received_at: PerhapsAt = None
    cancelled_at: PerhapsAt = None
    status: Words
    observed_at: Written


class ProductSignalRow(ShopRow, table=True):
    """What shoppers did with a product, or asked about it, counted over a span of time."""

    __tablename__ = "product_signals"
    __table_args__ = STRICT
    signal_id: Key
    sku: Words
    kind: Words
    count: int
    counted_at: At
    observed_at: Written


class ProductStateRow(ShopRow, table=True):
    """What the storefront does with a product, since it was last changed."""

    __tablename__ = "product_states"
    __table_args__ = STRICT
    state_id: Key
    sku: Words
    recommended: PerhapsFlag = None
    ranking: int | None = None
    message: Perhaps = None
    ads: PerhapsFlag = None
    backorder: Perhaps = None
    set_at: At
    observed_at: Written
