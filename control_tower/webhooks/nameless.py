"""A payload without the people in it: what a source reads of it stays, but for who somebody is; all else goes.

What stays is named, and not what goes: senders add fields, and one that nobody here knows may be a telephone number.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

STAYS: dict[str, frozenset[str]] = {
    source: frozenset(names.split())
    for source, names in {
        "shopify": """
            orders order transactions transaction refunds refund fulfillments fulfillment fulfillment_events
            fulfillment_event risks risk disputes dispute line_items id order_id fulfillment_id location_id
            created_at updated_at cancelled_at processed_at currency total_price amount price test kind status
            financial_status fulfillment_status shipment_status sku variant_id quantity gateway tracking_company
            tracking_number service recommendation type reason network_reason_code initiated_at evidence_due_by
            evidence_sent_on finalized_on
            customer customer.id customer.created_at billing_address billing_address.country_code
            shipping_address shipping_address.country_code
            fulfillment_event.id fulfillment_event.fulfillment_id fulfillment_event.order_id fulfillment_event.city
            fulfillment_event.status fulfillment_event.happened_at fulfillment_event.updated_at
            fulfillment_events.id fulfillment_events.fulfillment_id fulfillment_events.order_id
            fulfillment_events.city fulfillment_events.status fulfillment_events.happened_at
            fulfillment_events.updated_at
        """,
        "stripe": """
            object id type data created status currency amount amount_captured captured charge payment_intent
            latest_charge invoice subscription default_payment_method refunds payment_method_details card.checks
            card card.case_type card.network_reason_code card.country card.exp_year card.exp_month
            address_line1_check address_postal_code_check cvc_check billing_details shipping outcome risk_level
            reason last_payment_error decline_code evidence_details due_by open closed_reason items price
            unit_amount lookup_key quantity current_period_end start_date ended_at pause_collection behavior parent
            subscription_details amount_due due_date effective_at status_transitions paid_at attempt_count
            next_payment_attempt
            customer customer.id metadata metadata.order_id address address.country
            billing_details.address shipping.address
        """,
        "woocommerce": """
            orders refunds id order_key parent_id status currency total total_tax amount customer_id
            date_created_gmt date_modified_gmt date_paid_gmt date_completed_gmt line_items sku variation_id
            product_id quantity payment_method refunded_by refunded_payment
            billing billing.country shipping shipping.country
        """,
        "tracking": """
            object id event event_id result msg data tracker trackers tracking trackings shipment shipments
            shipment_id reference metadata carrier carrier_detail carrier_detail.service slug shipment_type
            tracking_code tracking_number tag subtag status status_detail status_date tracking_status
            tracking_history tracking_details datetime created_at updated_at last_updated_at is_return order_id
            order_number
            servicelevel servicelevel.name substatus substatus.code location location.city tracking_location
            tracking_location.city checkpoints checkpoints.checkpoint_time checkpoints.tag checkpoints.subtag
            checkpoints.city
        """,
    }.items()
}
"""Names that stay, wherever they stand; of what has names of its own after a full stop, those alone."""
EMPTIED = frozenset({"order_key"})
"""By these a payload is known for what it is, and their values open a door."""
CUSTOMERS = frozenset({"customer", "customer_id"})


def nameless(source: str, content: Any, inside: str = "") -> Any:
    """A content without the people in it; ids stay, also the customer's.

    Args:
        source: the kind of source that reads it.
        inside: the name that it stands under.
    """
    if isinstance(content, list):
        return [nameless(source, each, inside) for each in content]
    if not isinstance(content, dict):
        return content
    stays = _staying(source, inside)
    return {
        name: "" if name in EMPTIED else nameless(source, value, name)
        for name, value in content.items()
        if name in stays
    }


@lru_cache
def _staying(source: str, inside: str) -> frozenset[str]:
    own = {name.removeprefix(f"{inside}.") for name in STAYS[source] if inside and name.startswith(f"{inside}.")}
    return frozenset(own) or STAYS[source]


def renamed(content: Any, instead: str) -> Any:
    """A content in which every customer is called otherwise; a guest stays one."""
    if isinstance(content, list):
        return [renamed(each, instead) for each in content]
    if not isinstance(content, dict):
        return content
    return {
        name: _called(value, instead) if name in CUSTOMERS else renamed(value, instead)
        for name, value in content.items()
    }


def _called(customer: Any, instead: str) -> Any:
    if isinstance(customer, dict):
        return {**customer, "id": instead} if customer.get("id") else customer
    return customer if str(customer) in ("", "0", "None") else instead
