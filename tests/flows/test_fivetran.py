"""Shopify's tables as fivetran keeps them, both generations: what they lack is unknown, and no finding pretends."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.watch_fulfilment import watch_fulfilment
from flows.watch_returns import watch_returns
from tests.flows.conftest import data

pytestmark = pytest.mark.slow

MOMENTS = {
    "fivetran_shopify": datetime(2025, 5, 5, 15, tzinfo=UTC),
    "fivetran_shopify_gql": datetime(2025, 7, 19, 10, tzinfo=UTC),
}


@pytest.fixture
def export() -> Path:
    return data("fixtures_dbt_shopify")


def said(tower: Any, report: Any) -> dict[tuple[str, str], str]:
    found = tower.kept(report, "judge")
    return {(row.subject, row.kind): row.answer for row in found.itertuples()}


def counts(*rows: int) -> dict[str, int]:
    tables = ("orders", "order_lines", "payments", "fulfillments", "shipment_events", "refunds")
    return dict(zip(tables, rows, strict=True))


@pytest.mark.parametrize(
    ("mapping", "rows"),
    [("fivetran_shopify", counts(8, 3, 5, 3, 5, 0)), ("fivetran_shopify_gql", counts(4, 10, 4, 10, 5, 10))],
)
def test_every_row_is_accepted_or_set_aside_and_what_is_absent_is_named(
    tower: Any, export: Path, mapping: str, rows: dict[str, int]
) -> None:
    report = watch_fulfilment(f"folder:{export}", mapping, as_of=MOMENTS[mapping], dry_run=True)
    assert {table: report.accepted[table] + report.quarantined[table] for table in rows} == rows
    assert set(report.absent) == {"promises", "holds", "support_contacts", "reviews"}
    # Scans of the second generation name a parcel; those whose parcel is not on file are of no order.
    assert report.quarantined == dict.fromkeys(rows, 0) | {"shipment_events": 5 if mapping.endswith("gql") else 0}


@pytest.mark.parametrize("mapping", MOMENTS)
def test_without_promises_and_holds_nothing_is_late_and_nothing_is_fine(tower: Any, export: Path, mapping: str) -> None:
    report = watch_fulfilment(f"folder:{export}", mapping, as_of=MOMENTS[mapping], dry_run=True)
    facts = tower.kept(report, "detect").set_index("order_id")
    absent = ("ship_by", "deliver_by", "on_hold", "shipped_on_hold", "hours_past_ship_by", "days_late")
    assert facts[list(absent)].isna().all(axis=None)
    answers = said(tower, report)
    paid = [order for order, row in facts.iterrows() if row.status == "approved"]
    assert paid and facts.loc[paid, "approved"].all(), "Shopify says that it is paid"
    for order in paid:
        assert answers[order, "stuck_order"] == "unknown"
        assert answers[order, "contradiction"] == "unknown"
    assert {kind for kind, found in report.findings.items() if found.yes} == set()
    sent = facts.index[(facts["status"] == "shipped")]
    assert facts.loc[sent, ["handed_over", "on_its_way"]].isna().all(axis=None), (
        "called shipped, and no parcel is on file"
    )
    assert report.proposals == {}


def test_returns_without_a_date_or_a_reason_are_unknown_and_move_no_money(tower: Any, export: Path) -> None:
    mapping = "fivetran_shopify_gql"
    report = watch_returns(f"folder:{export}", mapping, as_of=MOMENTS[mapping], dry_run=True)
    assert report.accepted["returns"] + report.quarantined["returns"] == 10
    assert report.absent == ("inspections", "support_contacts", "reviews")
    answers = said(tower, report)
    facts = tower.kept(report, "entitle").set_index("return_id")
    assert (
        facts[["requested_at", "days_held", "reason", "condition", "return_window", "entitled_amount"]]
        .isna()
        .all(axis=None)
    )
    # Each order has a refund, and none says which of its lines it repays.
    assert facts["refunded_amount"].isna().all()
    refused = set(facts.index[facts["status"] == "rejected"])
    for each in facts.index:
        for kind in ("refund_above_paid", "refund_without_receipt", "duplicate_refund", "reason_spike"):
            assert answers[each, kind] == "unknown", kind
        outside = answers.get((each, "return_outside_window"), "no")
        assert outside == ("no" if each in refused else "unknown"), "what was refused was looked at"
    assert "yes" not in answers.values()
    assert report.proposals == {}


def test_the_first_generation_has_no_returns_and_says_so(tower: Any, export: Path) -> None:
    from control_tower.errors import SourceError

    with pytest.raises(SourceError, match="no table returns"):
        watch_returns(f"folder:{export}", "fivetran_shopify", as_of=MOMENTS["fivetran_shopify"], dry_run=True)


def written(folder: Path, file: str, like: Path, *rows: dict[str, str]) -> None:
    """Rows in a file with the columns that fivetran's has."""
    with (like / file).open(newline="", encoding="utf-8-sig") as source:
        columns = next(csv.reader(source))
    with (folder / file).open("w", newline="") as target:
        writer = csv.DictWriter(target, columns)
        writer.writeheader()
        writer.writerows(rows)


def test_what_the_tables_do_tell_is_believed(tower: Any, export: Path, tmp_path: Path) -> None:
    """In fivetran's shape, with rows that belong together: paid and cancelled, shipped, moving, never tracked."""
    at, seen = "2025-05-01 08:00:00.000", {"_fivetran_synced": "2025-05-05 14:00:00.000 "}
    later = {"cancelled_at": "2025-05-02 08:00:00"}
    common = {"currency": "USD", "total_price": "20.00", "created_at": at, "financial_status": "paid", "test": "FALSE"}
    orders = {"1": {}, "2": later, "3": later, "4": {"fulfillment_status": "fulfilled"},
              "5": {"financial_status": "pending"}, "6": {"test": "TRUE"}}  # fmt: skip
    line = {"order_id": "1", "id": "1-1", "price": "11", "quantity": "2", "total_discount": "2.00", "variant_id": "v"}
    sale = {"amount": "20.00", "currency": "USD", "kind": "sale", "status": "success", "processed_at": at}
    sales = [{"id": f"t{name}", "order_id": name} | sale for name in "1234"]
    void = {"id": "void", "order_id": "1"} | sale | {"kind": "void"}
    back = {"id": "back", "order_id": "4"} | sale | {"kind": "refund", "amount": "5.00"}
    parcel = {"status": "success", "created_at": at}
    untracked = {"id": "f3", "order_id": "3"} | parcel
    moving = {"id": "f4", "order_id": "4", "shipment_status": "in_transit", "tracking_number": "Z1"} | parcel
    scan = {"id": "e", "fulfillment_id": "f4", "order_id": "4", "status": "delayed", "happened_at": at}
    for file, rows in {
        "order": [{"id": name} | common | told for name, told in orders.items()],
        "order_line": [line],
        "transaction": [*sales, void, back],
        "fulfillment": [untracked, moving],
        "fulfillment_event": [scan],
    }.items():
        written(tmp_path, f"shopify_{file}_data.csv", export, *(row | seen for row in rows))
    moment = MOMENTS["fivetran_shopify"]
    report = watch_fulfilment(f"folder:{tmp_path}", "fivetran_shopify", as_of=moment, dry_run=True)
    assert report.quarantined == dict.fromkeys(report.quarantined, 0)
    facts = tower.kept(report, "detect").set_index("order_id").astype(object)
    assert sorted(facts.index) == ["1", "2", "3", "4", "5"], "a test order is no order"
    assert (facts.loc["1", "approved"], facts.loc["4", "approved"], facts.loc["5", "approved"]) == (True, True, False)
    assert facts["approved"].isna()[["2", "3"]].all(), "that it was cancelled hides whether it was paid"
    assert facts.loc["1", "order_amount"] == 2000 and facts.loc["1", "paid_amount"] == 2000
    assert facts.loc["4", "refundable_amount"] == 1500
    assert (facts.loc["1", "handed_over"], facts.loc["4", "handed_over"]) == (False, True)
    assert facts["handed_over"].isna()["3"] and facts["first_scan"].isna()["3"], (
        "fulfilled, and nobody says whether it left"
    )
    answers = said(tower, report)
    assert answers["5", "unpaid_order"] == "yes"
    assert answers["3", "refund_due"] == "unknown", "it may have left"
    assert report.proposals == {}
