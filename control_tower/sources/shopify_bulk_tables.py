"""What each canonical table reads of the lines of a Shopify bulk export, as SQL over `node` and its `owner`.

A line is a node; one with `__parentId` belongs to the node of that id. Lists that are no connections stand inside
their node. Money is the shop's own, never the customer's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

GIVEN_UP = "('CANCELLED', 'ERROR', 'FAILURE')"
MOVING = "('IN_TRANSIT', 'OUT_FOR_DELIVERY', 'ATTEMPTED_DELIVERY', 'DELAYED', 'CARRIER_PICKED_UP', 'PICKED_UP')"
ADDRESS = ("address1", "address2", "zip", "city", "province", "country")
CODES = {
    "LABEL_PRINTED": "pre_transit", "LABEL_PURCHASED": "pre_transit", "CONFIRMED": "pre_transit",
    "CARRIER_PICKED_UP": "in_transit", "IN_TRANSIT": "in_transit", "DELAYED": "in_transit",
    "ATTEMPTED_DELIVERY": "in_transit", "OUT_FOR_DELIVERY": "out_for_delivery",
    "READY_FOR_PICKUP": "available_for_pickup", "DELIVERED": "delivered", "FAILURE": "failure",
}  # fmt: skip
LEVELS = {"ACCEPT": "low", "INVESTIGATE": "medium", "CANCEL": "high", "NONE": "none"}
REASONS = {
    "COLOR": "color", "DEFECTIVE": "defective", "NOT_AS_DESCRIBED": "not_as_described", "OTHER": "unknown",
    "SIZE_TOO_LARGE": "size_too_large", "SIZE_TOO_SMALL": "size_too_small", "STYLE": "style", "UNKNOWN": "unknown",
    "UNWANTED": "unwanted", "WRONG_ITEM": "wrong_item",
}  # fmt: skip
RETURNED = {"REQUESTED": "requested", "OPEN": "approved", "DECLINED": "rejected", "CANCELED": "cancelled"}


@dataclass(frozen=True)
class Cell:
    """One column: SQL of its text, and how the text is read.

    Args:
        sql: over `node`, `owner` and `parent`.
        read: `text`, `money` in the currency beside, `id` of a gid, or `hash` of what identifies somebody.
        needs: the field of the node that tells of it; where an export has none, the column is untold.
    """

    sql: str
    read: str = "text"
    needs: str = ""
    words: dict[str, str] | None = None
    currency: str = ""


@dataclass(frozen=True)
class Part:
    """Rows of a canonical table: one for each node of a kind, or for each member of a list that stands in it.

    Args:
        kind: the word of the node's gid, as in gid://shopify/Order/1.
        within: the list in the node whose members are the rows.
        owner: the kind of node that `__parentId` names, whose fields are `owner`.
        prefix: what stands before the id of the row, where two parts of a table share an order's.
        asked_by: the kind whose nodes show that the export was asked for these, if there are none.
    """

    kind: str
    columns: dict[str, Cell]
    within: str = ""
    owner: str = ""
    where: str = "true"
    prefix: str = ""
    asked_by: str = ""


def of(path: str, read: str = "text", node: str = "node", words: dict[str, str] | None = None) -> Cell:
    """A field of a node, by its path."""
    needs = re.split(r"[.\[]", path)[0] if node == "node" else ""
    return Cell(f"({node} ->> '$.{path}')", read, needs, words)


def money(path: str) -> Cell:
    """The shop's side of a bag of money."""
    bag = f"(node ->> '$.{path}.shopMoney"
    return Cell(f"{bag}.amount')", "money", needs=path, currency=f"{bag}.currencyCode')")


def _address(path: str) -> str:
    parts = [f"nullif(node ->> '$.{path}.{part}', '')" for part in ADDRESS]
    # A region or a country alone is nobody's address.
    return f"CASE WHEN coalesce({', '.join(parts[:4])}) IS NOT NULL THEN concat_ws(', ', {', '.join(parts)}) END"


def _sku(item: str) -> str:
    """What a line is sold as; a line without a number of its own stands for its variant."""
    return f"coalesce(nullif(node ->> '$.{item}sku', ''), {tail(f'''(node ->> '$.{item}variant.id')''')})"


def tail(sql: str) -> str:
    """SQL of the number at the end of a gid; NULL of anything else."""
    return f"nullif(regexp_extract({sql}, '^gid://shopify/[A-Za-z]+/([0-9]+)(\\?.*)?$', 1), '')"


ORDER_STATUS = (
    "CASE WHEN node ->> '$.cancelledAt' IS NOT NULL THEN 'cancelled'"
    " WHEN node ->> '$.displayFulfillmentStatus' = 'FULFILLED' THEN 'shipped'"
    " WHEN node ->> '$.displayFinancialStatus' IN ('PAID', 'PARTIALLY_REFUNDED', 'REFUNDED') THEN 'approved'"
    " ELSE 'created' END"
)
PARCEL_STATUS = (
    f"CASE WHEN node ->> '$.status' IN {GIVEN_UP} THEN 'cancelled'"
    " WHEN node ->> '$.displayStatus' = 'DELIVERED' THEN 'delivered'"
    f" WHEN node ->> '$.displayStatus' IN {MOVING} THEN 'in_transit' ELSE 'label' END"
)
# A return that is closed without a refund was exchanged, or given up: no word of ours, so it is set aside.
RETURN_STATUS = (
    "CASE WHEN owner ->> '$.status' = 'CLOSED' AND TRY_CAST(node ->> '$.refundedQuantity' AS BIGINT) > 0"
    " THEN 'refunded' ELSE owner ->> '$.status' END"
)
REAL = "coalesce(parent ->> '$.test', 'false') <> 'true'"
MOVED = "node ->> '$.status' = 'SUCCESS' AND coalesce(node ->> '$.test', 'false') <> 'true'"
BY_ORDER = Cell("(parent ->> '$.id')", "id")
BY_OWNER = Cell("(node ->> '$.__parentId')", "id")
RETURNED_LINE = "fulfillmentLineItem.lineItem."


def _transaction(key: str, when: str) -> dict[str, Cell]:
    happened = "coalesce(node ->> '$.processedAt', node ->> '$.createdAt')"
    return {
        key: of("id", "id"), "order_id": BY_ORDER, "amount": money("amountSet"),
        "currency": of("amountSet.shopMoney.currencyCode"), when: Cell(happened, needs="processedAt"),
    }  # fmt: skip


TABLES: dict[str, tuple[Part, ...]] = {
    "orders": (Part("Order", {
        "order_id": of("id", "id"), "customer_id": of("customer.id", "id"),
        "status": Cell(ORDER_STATUS, needs="displayFinancialStatus"), "placed_at": of("createdAt"),
        "cancelled_at": of("cancelledAt"), "currency": of("totalPriceSet.shopMoney.currencyCode"),
        "total_amount": money("totalPriceSet"), "ship_to_country": of("shippingAddress.countryCodeV2"),
    }, where=REAL),),
    "order_lines": (Part("LineItem", {
        "line_id": of("id", "id"), "order_id": BY_OWNER, "sku": Cell(_sku(""), needs="sku"),
        "quantity": of("quantity"), "unit_amount": money("originalUnitPriceSet"),
        "currency": of("originalUnitPriceSet.shopMoney.currencyCode"),
    }, owner="Order", where=REAL.replace("parent", "owner")),),
    "payments": (Part("Order", _transaction("payment_id", "paid_at") | {"method": of("gateway")},
        within="transactions", where=f"{REAL} AND {MOVED} AND node ->> '$.kind' IN ('SALE', 'CAPTURE')"),),
    "refunds": (Part("Order", _transaction("refund_id", "refunded_at"), within="transactions",
        where=f"{REAL} AND {MOVED} AND node ->> '$.kind' = 'REFUND'"),),
    "fulfillments": (Part("Order", {
        "fulfillment_id": of("id", "id"), "order_id": BY_ORDER, "status": Cell(PARCEL_STATUS, needs="status"),
        "carrier": of("trackingInfo[0].company"), "tracking_code": of("trackingInfo[0].number"),
        "warehouse_id": of("location.id", "id"), "label_created_at": of("createdAt"),
        "delivered_at": of("deliveredAt"),
    }, within="fulfillments", where=REAL),),
    "shipment_events": (Part("FulfillmentEvent", {
        "event_id": of("id", "id"), "fulfillment_id": BY_OWNER, "order_id": of("order.id", "id", "owner"),
        "code": of("status", words=CODES), "occurred_at": of("happenedAt"), "place": of("city"),
    }, owner="Fulfillment", asked_by="FulfillmentOrder"),),
    "returns": (Part("ReturnLineItem", {
        "return_id": of("id", "id"), "order_id": of("__parentId", "id", "owner"),
        "line_id": of(f"{RETURNED_LINE}id", "id"), "sku": Cell(_sku(RETURNED_LINE), needs="fulfillmentLineItem"),
        "quantity": of("quantity"), "reason": of("returnReason", words=REASONS),
        "reason_text": Cell("coalesce(nullif(node ->> '$.customerNote', ''), node ->> '$.returnReasonNote')",
                            needs="customerNote"),
        "status": Cell(RETURN_STATUS, words=RETURNED), "requested_at": of("createdAt", node="owner"),
        "approved_at": of("requestApprovedAt", node="owner"), "closed_at": of("closedAt", node="owner"),
    }, owner="Return", asked_by="Return"),),
    "risk_signals": (
        Part("Order", {
            "signal_id": of("id", "id"), "order_id": of("id", "id"), "customer_id": of("customer.id", "id"),
            "email_hash": of("email", "hash"), "ip_hash": of("clientIp", "network"),
            "billing_hash": Cell(_address("billingAddress"), "hash", needs="billingAddress"),
            "billing_country": of("billingAddress.countryCodeV2"),
            "shipping_hash": Cell(_address("shippingAddress"), "hash", needs="shippingAddress"),
            "shipping_country": of("shippingAddress.countryCodeV2"),
            "account_created_at": of("customer.createdAt"), "recorded_at": of("createdAt"),
        }, where=REAL, prefix="order-"),
        # Nobody says when a risk was assessed: it is known since it was read.
        Part("Order", {
            "signal_id": of("id", "id"), "order_id": of("id", "id"),
            "provider_level": of("risk.recommendation", words=LEVELS), "recorded_at": Cell("CAST(seen AS VARCHAR)"),
        }, where=f"{REAL} AND node ->> '$.risk.recommendation' IS NOT NULL", prefix="risk-"),
    ),
    "buyers": (Part("Order", {
        "buyer_id": of("id", "id"), "order_id": of("id", "id"),
        "customer_name": Cell("coalesce(nullif(concat_ws(' ', node ->> '$.customer.firstName',"
                              " node ->> '$.customer.lastName'), ''), node ->> '$.billingAddress.name')",
                              needs="customer"),
        "customer_email": of("email"), "purchase_ip": of("clientIp", "address"),
        "billing_address": Cell(_address("billingAddress"), needs="billingAddress"),
        "shipping_address": Cell(_address("shippingAddress"), needs="shippingAddress"),
    }, where=REAL),),
}  # fmt: skip
