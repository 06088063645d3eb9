"""The lanes over exports that shops really have: what they tell is believed, what they lack is named and unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.watch_fulfilment import watch_fulfilment

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
