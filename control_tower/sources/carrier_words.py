"""What carriers' trackers say, as the one vocabulary of scans: the table for each vendor, and how it is read.

A detail decides before its status, for "in transit, returning to its sender" is on its way back. What a vendor itself
calls unknown, and a word that stands in no table, are `unknown`: kept, counted, and proof of nothing.
"""

from __future__ import annotations

from typing import Any

UNKNOWN = "unknown"
CODES = (
    "pre_transit", "in_transit", "out_for_delivery", "available_for_pickup", "delivered", "return_to_sender", "failure",
    UNKNOWN,
)  # fmt: skip
STATUSES: dict[str, dict[str, str]] = {
    "easypost": {
        "pre_transit": "pre_transit", "in_transit": "in_transit", "out_for_delivery": "out_for_delivery",
        "available_for_pickup": "available_for_pickup", "delivered": "delivered",
        "return_to_sender": "return_to_sender", "failure": "failure", "unknown": UNKNOWN, "cancelled": UNKNOWN,
        "error": UNKNOWN,
    },
    "aftership": {
        "inforeceived": "pre_transit", "intransit": "in_transit", "outfordelivery": "out_for_delivery",
        # Nobody was at home: the parcel is still with the carrier, who comes again.
        "attemptfail": "in_transit", "availableforpickup": "available_for_pickup", "delivered": "delivered",
        "exception": "failure", "pending": UNKNOWN, "expired": UNKNOWN,
    },
    "shippo": {
        "pre_transit": "pre_transit", "transit": "in_transit", "delivered": "delivered",
        "returned": "return_to_sender", "failure": "failure", "unknown": UNKNOWN,
    },
}  # fmt: skip
DETAILS: dict[str, dict[str, str]] = {
    "easypost": {
        "return": "return_to_sender", "arrived_at_pickup_location": "available_for_pickup", "lost": "failure",
        "damaged": "failure", "refused": "failure",
    },
    "aftership": {
        # Customs, weather, a late flight: an exception that is a delay, and moves on.
        "exception_004": "in_transit", "exception_005": "in_transit", "exception_016": "in_transit",
        "exception_017": "in_transit", "exception_019": "in_transit",
        "exception_010": "return_to_sender", "exception_011": "return_to_sender", "exception_020": UNKNOWN,
    },
    "shippo": {
        "out_for_delivery": "out_for_delivery", "pickup_available": "available_for_pickup",
        "return_to_sender": "return_to_sender", "package_lost": "failure", "package_damaged": "failure",
    },
}  # fmt: skip


def scan_code(vendor: str, status: Any, detail: Any = None) -> str:
    """The code of a vendor's status and detail; `unknown` for whatever is in no table, of any type.

    Args:
        vendor: easypost, aftership or shippo.
        status: what the tracker, or one event of it, says.
        detail: what it adds: EasyPost's status_detail, AfterShip's subtag, the code of Shippo's substatus.
    """
    by_detail = DETAILS.get(vendor, {}).get(str(detail).casefold())
    return by_detail or STATUSES.get(vendor, {}).get(str(status).casefold(), UNKNOWN)


def says_nothing(vendor: str, status: Any) -> bool:
    """Whether a vendor says by a word of its own that it knows nothing of the parcel, or says no word at all."""
    return not status or STATUSES.get(vendor, {}).get(str(status).casefold()) == UNKNOWN
