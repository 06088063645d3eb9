"""The lanes over exports that shops really have: what they tell is believed, what they lack is named and unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.watch_fulfilment import watch_fulfilment

pytestmark = pytest.mark.slow

EXPORTS = Path(__file__).parents[1] / "sources" / "exports"


def fetched(*folders: Path) -> datetime:
    """A minute after the newest file was written."""
    written = max(file.stat().st_mtime for folder in folders for file in folder.iterdir())
    return datetime.fromtimestamp(written, UTC) + timedelta(minutes=1)


def answers(tower: Any, report: Any) -> dict[tuple[str, str], str]:
    return {(row.subject, row.kind): row.answer for row in tower.kept(report, "judge").itertuples()}


@pytest.mark.parametrize(("generation", "aside"), [("oldest", 1), ("fulfillment_date", 0), ("newest", 0)])
def test_an_export_of_shopify_feeds_the_lane_and_nothing_is_proposed_on_what_it_lacks(
    tower: Any, generation: str, aside: int
) -> None:
    folder = EXPORTS / f"shopify_csv_{generation}"
    report = watch_fulfilment(f"folder:{folder}", "shopify_csv", as_of=fetched(folder), dry_run=True)
    assert report.accepted == {"orders": 5, "order_lines": 8, "payments": 4, "refunds": 2 - aside}
    assert report.quarantined == {"orders": 0, "order_lines": 0, "payments": 0, "refunds": aside}
    assert set(report.absent) == {
        "promises", "fulfillments", "shipment_events", "holds", "support_contacts", "reviews",
    }  # fmt: skip
    facts = tower.kept(report, "detect").set_index("order_id").astype(object)
    assert facts.loc["#1004", "refundable_amount"] == 0, "all of it went back"
    assert facts["first_scan"].isna().all() and facts["handed_over"].isna().all()
    said = answers(tower, report)
    assert said["#1003", "unpaid_order"] == "yes"
    assert said["#1002", "stuck_order"] == "unknown", "nobody says what was promised or whether a parcel left"
    assert report.proposals == {}


def test_trackers_laid_over_an_export_tell_what_arrived_and_leave_unknown_what_they_do_not_say(tower: Any) -> None:
    orders, trackers = EXPORTS / "shopify_csv_newest", EXPORTS / "tracking"
    source = f"folder:{orders}+tracking:{trackers}"
    report = watch_fulfilment(source, "shopify_csv", as_of=fetched(orders, trackers), dry_run=True)
    assert report.accepted["fulfillments"] == 4
    assert (report.accepted["shipment_events"], report.quarantined["shipment_events"]) == (9, 1), "one has no offset"
    facts = tower.kept(report, "detect").set_index("order_id").astype(object)
    assert facts.loc["#1001", "delivered"] is True and facts.loc["#1001", "contradictions"] == 0
    assert facts.loc["#1002", "first_scan"] is False, "the carrier was told of it, and never had it"
    assert facts.loc["#1005", "first_scan"] is True
    said = answers(tower, report)
    assert said["#1002", "silent_shipment"] == "yes"
    assert ("#1001", "silent_shipment") not in said
    assert set(report.absent) == {"promises", "holds", "support_contacts", "reviews"}
    assert report.proposals == {}


def test_words_that_nobody_understands_leave_it_unknown_whether_a_parcel_was_scanned(
    tower: Any, tmp_path: Path
) -> None:
    event = {"datetime": "2026-03-05T09:00:00Z", "status": "abducted"}
    tracker = {
        "object": "Tracker", "id": "trk", "tracking_code": "Z", "status": "unknown", "shipment_id": "shp",
        "created_at": "2026-03-05T08:00:00Z", "tracking_details": [event],
    }  # fmt: skip
    shipment = {"object": "Shipment", "id": "shp", "reference": "#1002"}
    (tmp_path / "sent.json").write_text(json.dumps([tracker, shipment]))
    orders = EXPORTS / "shopify_csv_newest"
    source = f"folder:{orders}+tracking:{tmp_path}"
    report = watch_fulfilment(source, "shopify_csv", as_of=fetched(orders, tmp_path), dry_run=True)
    facts = tower.kept(report, "detect").set_index("order_id").astype(object)
    assert facts["first_scan"].isna()["#1002"]
    assert answers(tower, report)["#1002", "silent_shipment"] == "unknown"
    assert report.accepted["shipment_events"] == 1


def test_an_export_trackers_and_tickets_together_find_what_the_carrier_delivered_and_nobody_received(
    tower: Any,
) -> None:
    folders = [EXPORTS / name for name in ("shopify_csv_newest", "tracking", "tickets")]
    source = f"folder:{folders[0]}+tracking:{folders[1]}+folder:{folders[2]}"
    report = watch_fulfilment(source, "shopify_csv+tickets", as_of=fetched(*folders), dry_run=True)
    assert (report.accepted["support_contacts"], report.quarantined["support_contacts"]) == (3, 2)
    facts = tower.kept(report, "detect").set_index("order_id").astype(object)
    assert facts.loc["#1001", "said_not_received"] is True
    assert facts.loc["#1001", "contact_text"].startswith("It says delivered")
    assert set(report.absent) == {"promises", "holds", "reviews"}
    assert report.proposals == {}


def test_woocommerces_orders_feed_the_lane_and_a_plugins_status_is_set_aside(tower: Any) -> None:
    folder = EXPORTS / "woocommerce"
    report = watch_fulfilment(f"woocommerce:{folder}", as_of=fetched(folder), dry_run=True)
    assert report.accepted == {"orders": 5, "order_lines": 7, "payments": 4, "refunds": 2}
    assert report.quarantined == {"orders": 1, "order_lines": 0, "payments": 0, "refunds": 0}
    facts = tower.kept(report, "detect").set_index("order_id").astype(object)
    assert facts.loc["504", "refundable_amount"] == 0 and facts.loc["502", "approved"] is True
    said = answers(tower, report)
    assert said["503", "unpaid_order"] == "yes" and said["502", "stuck_order"] == "unknown"
    assert {"fulfillments", "shipment_events", "promises", "holds"} <= set(report.absent)
    assert report.proposals == {}


def test_an_export_with_an_amount_that_means_two_things_stops_no_other_order(tower: Any, tmp_path: Path) -> None:
    rows = (EXPORTS / "shopify_csv_newest" / "orders_export_1.csv").read_text()
    (tmp_path / "orders_export_1.csv").write_text(rows.replace("62.40", '"1.062,40"'))
    report = watch_fulfilment(f"folder:{tmp_path}", "shopify_csv", as_of=fetched(tmp_path), dry_run=True)
    assert (report.accepted["orders"], report.quarantined["orders"]) == (4, 1)
    assert report.quarantined["payments"] == 1, "nobody knows what was paid for it"


def test_a_bulk_export_of_shopify_feeds_two_lanes(tower: Any) -> None:
    from flows.watch_returns import watch_returns

    folder = EXPORTS / "shopify_bulk"
    report = watch_fulfilment(f"shopify:{folder}", as_of=fetched(folder), dry_run=True)
    assert report.accepted == {
        "orders": 3, "order_lines": 3, "payments": 2, "refunds": 1, "fulfillments": 2, "shipment_events": 3,
    }  # fmt: skip
    assert not any(report.quarantined.values())
    facts = tower.kept(report, "detect").set_index("order_id").astype(object)
    assert facts.loc["1001", "delivered"] is True and facts.loc["1001", "refundable_amount"] == 2450
    assert answers(tower, report)["1002", "unpaid_order"] == "yes"
    report = watch_returns(f"shopify:{folder}", as_of=fetched(folder), dry_run=True)
    assert (report.accepted["returns"], report.quarantined["returns"]) == (1, 0)
