"""Carriers' trackers as a source: `tracking:PATH`, a folder of what EasyPost, AfterShip or Shippo gave or sent.

A tracker is one parcel, and each of its events is one scan. The same tracker sent twice is one parcel, and events that
came late or out of order stand where their times put them. A tracker knows an order by what the shop told the vendor:
the reference of EasyPost's shipment, AfterShip's order_id or order_number, Shippo's metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from control_tower.sources.carrier_words import UNKNOWN, says_nothing, scan_code
from control_tower.sources.payloads import Payload, PayloadSource, Rows, at, iso, text

SHOWN = 40
Seen = tuple["Tracker", datetime]


@dataclass(frozen=True)
class Scan:
    """One event of a tracker, as its vendor wrote it."""

    time: Any
    status: Any
    detail: Any = None
    place: Any = None


@dataclass(frozen=True)
class Tracker:
    """A parcel, as its vendor wrote it; `scans` is no list where the vendor sent something else."""

    vendor: str
    name: Any
    order: Any
    carrier: Any
    service: Any
    code: Any
    status: Any
    detail: Any
    created: Any
    updated: Any
    scans: Any


def open_tracking(folder: str | Path, key: bytes) -> PayloadSource:
    """The source of a folder of trackers: lists, single ones, shipments, or webhooks' envelopes."""
    return PayloadSource(folder, "tracking", adapt, key)


def adapt(rows: Rows, contents: Sequence[tuple[Any, datetime]]) -> None:
    """Put trackers into parcels and scans; of two views of one parcel the newer says what it is now."""
    shipments = {
        str(one["id"]): one.get("reference") for content, _ in contents for one in objects(content, is_shipment)
    }
    parcels: dict[str, list[Seen]] = {}
    for content, seen in contents:
        for one in objects(content, is_tracker):
            tracker = read_tracker(one, shipments)
            name = str(tracker.name) if tracker.name else f"nameless {len(parcels)}"
            parcels.setdefault(name, []).append((tracker, seen))
    for views in parcels.values():
        views.sort(key=lambda view: _moment(view[0].updated) or datetime.min.replace(tzinfo=UTC))
        _parcel(rows, views)


def objects(content: Any, wanted: Callable[[Payload], bool]) -> Iterator[Payload]:
    """Every object of a kind, wherever it stands."""
    if isinstance(content, dict) and wanted(content):
        yield content
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from objects(inner, wanted)


def is_shipment(one: Payload) -> bool:
    """Whether an object is a shipment of EasyPost's."""
    return one.get("object") == "Shipment" and isinstance(one.get("id"), str)


def is_tracker(one: Payload) -> bool:
    """A label for a parcel that comes back is no parcel of ours on its way to a customer."""
    known = one.get("object") == "Tracker" or "tracking_history" in one
    return (known or ("checkpoints" in one and "tracking_number" in one)) and one.get("is_return") is not True


def read_tracker(one: Payload, shipments: Payload) -> Tracker:
    """A vendor's object as a tracker; a cell that is not there is None, and nothing is read yet.

    Args:
        one: EasyPost's Tracker, AfterShip's tracking, or Shippo's track.
        shipments: the references of EasyPost's shipments, by id.
    """
    if one.get("object") == "Tracker":
        return _easypost(one, shipments)
    return _shippo(one) if "tracking_history" in one else _aftership(one)


def _easypost(one: Payload, shipments: Payload) -> Tracker:
    return Tracker(
        "easypost", one.get("id") or _by_code(one, "carrier", "tracking_code"),
        shipments.get(str(one.get("shipment_id"))), one.get("carrier"),
        at(one, "carrier_detail", "service"), one.get("tracking_code"), one.get("status"), one.get("status_detail"),
        one.get("created_at"), one.get("updated_at"),
        _each(one.get("tracking_details"), lambda event: Scan(
            at(event, "datetime"), at(event, "status"), at(event, "status_detail"),
            at(event, "tracking_location", "city"),
        )),
    )  # fmt: skip


def _aftership(one: Payload) -> Tracker:
    return Tracker(
        "aftership", one.get("id") or _by_code(one, "slug"), one.get("order_id") or one.get("order_number"),
        one.get("slug"), one.get("shipment_type"), one.get("tracking_number"), one.get("tag"), one.get("subtag"),
        one.get("created_at"), one.get("updated_at") or one.get("last_updated_at"),
        _each(one.get("checkpoints"), lambda event: Scan(
            at(event, "checkpoint_time"), at(event, "tag"), at(event, "subtag"), at(event, "city"),
        )),
    )  # fmt: skip


def _shippo(one: Payload) -> Tracker:
    now = one.get("tracking_status")

    def scan(event: Any) -> Scan:
        detail = at(event, "substatus", "code") or at(event, "substatus")
        return Scan(at(event, "status_date"), at(event, "status"), detail, at(event, "location", "city"))

    last = scan(now)
    return Tracker(
        "shippo", _by_code(one, "carrier"), one.get("metadata"), one.get("carrier"), at(one, "servicelevel", "name"),
        one.get("tracking_number"), last.status, last.detail, None, last.time, _each(one.get("tracking_history"), scan),
    )  # fmt: skip


def _by_code(one: Payload, carrier: str, code: str = "tracking_number") -> str | None:
    return f"{one.get(carrier)}-{one.get(code)}" if one.get(code) else None


def _each(events: Any, scan: Callable[[Any], Scan]) -> Any:
    return [scan(event) for event in events] if isinstance(events, list) else events or []


def _parcel(rows: Rows, views: Sequence[Seen]) -> None:
    """One parcel and its scans, from all that was sent of it; the last view says what it is now."""
    rows.tell("fulfillments", "shipment_events")
    newest, seen = views[-1]
    told = [(scan, when) for tracker, when in views for scan in _scans(tracker)]
    for scan, when in told:
        _scan(rows, newest, scan, when)
    dated = [(scan_code(newest.vendor, scan.status, scan.detail), _moment(scan.time)) for scan, _ in told]
    known = [moment for moment in (_moment(newest.created), *(moment for _, moment in dated)) if moment]
    arrived = [moment for code, moment in dated if moment and code == "delivered"]
    now = _status(newest, {code for code, _ in dated}) if isinstance(newest.scans, list) else {"events": newest.scans}
    rows.add(
        "fulfillments", newest.name, seen,
        order_id=(newest.order, text), status=(now, text), carrier=(newest.carrier, text),
        service=(newest.service, text), tracking_code=(newest.code, text),
        # A label was there when its tracker was made, and before anybody scanned it.
        label_created_at=(min(known, default=None), _same), delivered_at=(min(arrived, default=None), _same),
    )  # fmt: skip


def _scans(tracker: Tracker) -> list[Scan]:
    """A tracker's events, and what it says now where no event of its says so."""
    scans = list(tracker.scans) if isinstance(tracker.scans, list) else []
    now = scan_code(tracker.vendor, tracker.status, tracker.detail)
    said = {scan_code(tracker.vendor, scan.status, scan.detail) for scan in scans}
    if now in said or says_nothing(tracker.vendor, tracker.status):
        return scans
    return [*scans, Scan(tracker.updated, tracker.status, tracker.detail)]


def _status(tracker: Tracker, said: set[str]) -> str:
    """What a parcel is: by its tracker's own word, or else by its scans; one of which nothing is known has a label."""
    if str(tracker.status).casefold() == "cancelled":
        return "cancelled"
    now = scan_code(tracker.vendor, tracker.status, tracker.detail)
    if now == "delivered" or (now == UNKNOWN and "delivered" in said):
        return "delivered"
    return "in_transit" if {now, *said} - {UNKNOWN, "pre_transit", "delivered"} else "label"


def _scan(rows: Rows, parcel: Tracker, scan: Scan, seen: datetime) -> None:
    """An event has no id of its own: what it says, when and where is what makes it itself."""
    told = sha256(repr((scan.time, scan.status, scan.detail, scan.place)).encode()).hexdigest()
    rows.add(
        "shipment_events", f"{parcel.name}-{str(scan.status)[:SHOWN]}-{told[:16]}", seen,
        fulfillment_id=(parcel.name, text), order_id=(parcel.order, text),
        code=(scan_code(parcel.vendor, scan.status, scan.detail), text), occurred_at=(scan.time, iso),
        place=(scan.place, text),
    )  # fmt: skip


def _moment(value: Any) -> datetime | None:
    try:
        return iso(value)
    except (ValueError, OverflowError):
        return None


def _same(moment: datetime) -> datetime:
    return moment
