"""The evidence form of a dispute: every field is filled from evidence or listed as missing, and nothing is made up."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_tower.errors import SourceError
from tasks.dispute_evidence import FORM, about, dispute_evidence
from tasks.disputed import disputed
from tests.flows.conftest import data

pytestmark = pytest.mark.slow

FILES = {
    "cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation", "receipt",
    "refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file",
}  # fmt: skip


def at(day: int) -> datetime:
    return datetime(2026, 3, day, 10, tzinfo=UTC)


def row(name: str, **told: Any) -> dict[str, Any]:
    return {"source_id": name, "order_id": "1001", "payment_id": None} | told


WHOLE: dict[str, list[dict[str, Any]]] = {
    "disputes": [row("d", payment_id="p")],
    "orders": [row("1001", placed_at=at(1))],
    "order_lines": [row("l1", sku="lamp", quantity=2), row("l2", sku="book", quantity=1)],
    "payments": [row("p", payment_id="p", amount=4990, currency="EUR", paid_at=at(1), method="card")],
    "refunds": [row("r", amount=990, currency="EUR", refunded_at=at(9))],
    "fulfillments": [
        row("void", status="cancelled", carrier="falke", tracking_code="F0"),
        row("f", status="delivered", carrier="adler", tracking_code="A1", handed_over_at=at(3), delivered_at=at(5)),
    ],
    "shipment_events": [row("e", code="delivered", occurred_at=at(5))],
    "risk_signals": [row("s", cvv="match", avs="no_match", recorded_at=at(1))],
    "subscriptions": [row("sub", cancelled_at=at(8))],
    "buyers": [row("b", customer_name="Ana", customer_email="ana@example.com", purchase_ip="203.0.113.7",
                   billing_address="Ring 1", shipping_address="Ring 2")],
}  # fmt: skip


def fixture_dispute() -> dict[str, Any]:
    with gzip.open(data("fixtures_stripe") / "fixtures3.json.gz", "rt") as file:
        return dict(json.load(file)["resources"]["dispute"])


def test_the_form_asks_for_what_the_providers_own_object_asks_for() -> None:
    assert set(FORM) == set(fixture_dispute()["evidence"]) - {"enhanced_evidence"}


def test_everything_that_evidence_tells_is_filled_and_names_its_rows() -> None:
    filled, missing = dispute_evidence(WHOLE)
    said = {one.field: one for one in filled}
    assert said["product_description"].text == "2 x lamp, 1 x book"
    assert said["shipping_carrier"].text == "adler" and said["shipping_tracking_number"].text == "A1", (
        "a voided parcel is none"
    )
    assert said["shipping_date"].text == "2026-03-03" and said["shipping_date"].rests_on == ("fulfillments:f",)
    assert said["duplicate_charge_explanation"].text == "Order 1001 was paid once: EUR 49.90 on 2026-03-01."
    assert (
        said["cancellation_rebuttal"].text
        == "The charge was on 2026-03-01; the subscription was cancelled on 2026-03-08."
    )
    assert said["uncategorized_text"].text.splitlines() == [
        "2026-03-01: EUR 49.90 was paid by card.",
        "2026-03-01: Order 1001 was placed.",
        "2026-03-01: The issuer confirmed the security code.",
        "2026-03-03: The parcel was handed to the carrier.",
        "2026-03-05: The carrier's scan says delivered.",
        "2026-03-05: The parcel was delivered.",
        "2026-03-09: EUR 9.90 was refunded.",
    ]
    assert {one.field for one in missing} == FILES | {
        "access_activity_log", "cancellation_policy_disclosure", "refund_policy_disclosure", "service_date",
        "duplicate_charge_id",
    }  # fmt: skip


@given(st.data())
def test_every_field_is_there_once_and_rests_on_rows_that_are_there(drawn: st.DataObject) -> None:
    def some(one: dict[str, Any]) -> dict[str, Any]:
        always = ("source_id", "order_id")
        return {name: value if name in always or drawn.draw(st.booleans()) else None for name, value in one.items()}

    tables = {table: rows for table, rows in WHOLE.items() if drawn.draw(st.booleans())}
    kept = {table: [some(one) for one in rows if drawn.draw(st.booleans())] for table, rows in tables.items()}
    filled, missing = dispute_evidence(kept)
    assert sorted([*(one.field for one in filled), *(one.field for one in missing)]) == sorted(FORM)
    there = {f"{table}:{one['source_id']}" for table, rows in kept.items() for one in rows}
    whole = {one.field: set(one.text.splitlines()) for one in dispute_evidence(WHOLE)[0]}
    for one in filled:
        assert one.rests_on and set(one.rests_on) <= there
        if one.field in ("customer_name", "shipping_carrier", "shipping_address", "refund_refusal_explanation"):
            assert set(one.text.splitlines()) <= whole[one.field], "less evidence never says something new"
        assert one.field not in FILES, "a sentence is no file"
    assert all(one.needs and one.owner for one in missing)


def test_nothing_is_known_of_a_dispute_that_names_neither_order_nor_payment() -> None:
    nameless = {"source_id": "x", "order_id": None, "payment_id": None}
    found = about({"orders": [nameless, row("1001")], "payments": [nameless]}, nameless)
    assert found == {"orders": [], "payments": [], "disputes": [nameless]}
    filled, missing = dispute_evidence(found)
    assert filled == () and len(missing) == len(FORM)


def test_buyers_who_differ_are_no_answer_and_a_second_payment_is_named() -> None:
    twice = WHOLE | {
        "buyers": [row("b1", customer_name="Ana"), row("b2", customer_name="Ben")],
        "payments": [*WHOLE["payments"], row("q", payment_id="q", amount=4990, currency="EUR", paid_at=at(2))],
    }
    said = {one.field: one.text for one in dispute_evidence(twice)[0]}
    assert "customer_name" not in said and "duplicate_charge_explanation" not in said
    assert said["duplicate_charge_id"] == "q"


def test_a_label_is_no_shipment() -> None:
    labelled = {"fulfillments": [row("f", status="label", carrier="adler", label_created_at=at(2))],
                "shipment_events": [row("e", code="pre_transit", occurred_at=at(2))]}  # fmt: skip
    assert "shipping_date" not in {one.field for one in dispute_evidence(labelled)[0]}


def test_a_dispute_of_stripe_fills_what_it_can_and_names_the_rest() -> None:
    source, dispute = f"stripe:{data('fixtures_stripe')}", fixture_dispute()["id"]
    filled, missing = dispute_evidence(disputed(source, None, dispute))
    assert {one.field: one.text for one in filled} == {
        "customer_name": "Jenny Rosen",
        "uncategorized_text": "2009-02-13: The issuer confirmed the security code.",
    }
    assert len(filled) + len(missing) == len(FORM) == 27
    with pytest.raises(SourceError, match=f"no dispute.*did you mean '{dispute}'"):
        disputed(source, None, dispute[:-1])


def test_a_dispute_of_shopify_fills_what_its_order_tells(tmp_path: Path) -> None:
    folder = data("fixtures_shopify_api")
    for each in json.loads((folder / "disputes.json").read_text())["disputes"]:
        filled, missing = dispute_evidence(disputed(f"shopify:{folder}", None, str(each["id"])))
        assert not filled and len(missing) == len(FORM), "the fixture's disputes are of orders that are not in it"
    for name in ("order.json", "refund.json", "fulfillment.json", "dispute.json"):
        shutil.copy(folder / name, tmp_path)
    of_order = (tmp_path / "dispute.json").read_text().replace('"order_id": null', '"order_id": 450789469')
    (tmp_path / "dispute.json").write_text(of_order)
    filled, _ = dispute_evidence(disputed(f"shopify:{tmp_path}", None, "1052608616"))
    assert {one.field for one in filled} == {
        "billing_address", "customer_email_address", "customer_name", "product_description", "shipping_address",
        "refund_refusal_explanation", "uncategorized_text",
    }  # fmt: skip


def test_reading_for_the_form_keeps_nothing_of_the_buyer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWER_HOME", str(tmp_path / "home"))
    disputed(f"stripe:{data('fixtures_stripe')}", None, fixture_dispute()["id"])
    kept = [file for file in (tmp_path / "home").rglob("*") if file.is_file()]
    assert [file.name for file in kept] == ["identity.key"]
