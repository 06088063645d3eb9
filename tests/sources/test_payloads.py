"""Stripe's and Shopify's payloads as sources: every dispute, review and risk is a row; what they lack is unknown."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

import data_contracts
from control_tower.errors import SourceError
from control_tower.settings import settings
from control_tower.sources import open_source
from control_tower.sources.shapes import SHAPES
from tests.flows.conftest import data

STRIPE, SHOPIFY = "fixtures_stripe", "fixtures_shopify_api"


def opened(kind: str, folder: Path) -> Any:
    return open_source(f"{kind}:{folder}", None, settings())


def rows(source: Any, table: str, orders: list[str] | None = None) -> list[dict[str, Any]]:
    columns = data_contracts.load(table).duckdb_types()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(source.relation(connection, table, columns, orders)).to_arrow_table().to_pylist()


def payload(folder: Path, name: str, content: object) -> Path:
    (folder / name).write_text(json.dumps(content))
    return folder


def charge(name: str, **told: Any) -> dict[str, Any]:
    return {
        "object": "charge", "id": name, "status": "succeeded", "captured": True, "amount": 2500,
        "amount_captured": 2500, "currency": "eur", "created": 1_700_000_000, "metadata": {"order_id": "1001"},
    } | told  # fmt: skip


def test_every_fixture_of_stripe_loads_through_its_adapter() -> None:
    source = opened("stripe", data(STRIPE))
    assert {table: len(rows(source, table)) for table in source.tables()} == {
        "payments": 1, "refunds": 1, "disputes": 1, "risk_signals": 3, "buyers": 1, "subscriptions": 1, "invoices": 1,
    }  # fmt: skip
    (dispute,) = rows(source, "disputes")
    assert (dispute["kind"], dispute["reason"], dispute["amount"], dispute["currency"]) == (
        "inquiry", "general", 1000, "USD",
    )  # fmt: skip
    assert dispute["order_id"] is None and dispute["outcome"] is None and dispute["closed_at"] is None
    (paid,) = rows(source, "payments")
    assert paid["paid_at"] is None, "the fixture's charge is authorised and not captured"
    assert paid["payment_id"] == dispute["payment_id"]
    levels = {row["signal_id"]: row["provider_level"] for row in rows(source, "risk_signals")}
    assert levels == {
        paid["payment_id"]: None, "prv_1Pgc79B7WZ01zgkWT6khp5C3": "medium", "issfr_1Pgc79B7WZ01zgkWxwDzEIPX": "high",
    }, "an open review, and the issuer's early warning"  # fmt: skip
    (checked,) = [row for row in rows(source, "risk_signals") if row["signal_id"] == paid["payment_id"]]
    assert (checked["cvv"], checked["avs"], checked["card_fingerprint"]) == ("match", None, "AOB934RVNwzk6xtn")
    assert not [row["unreadable"] for table in source.tables() for row in rows(source, table) if row["unreadable"]]


def test_every_fixture_of_shopify_loads_through_its_adapter() -> None:
    source = opened("shopify", data(SHOPIFY))
    assert {table: len(rows(source, table)) for table in source.tables()} == {
        "orders": 1, "order_lines": 3, "payments": 0, "refunds": 1, "fulfillments": 1, "shipment_events": 1,
        "risk_signals": 3, "disputes": 7, "buyers": 1,
    }  # fmt: skip
    levels = {row["signal_id"]: row["provider_level"] for row in rows(source, "risk_signals")}
    assert levels == {"284138680": "high", "432527878": "high", "order-450789469": None}, "both say: cancel"
    (known,) = [row for row in rows(source, "risk_signals") if row["signal_id"] == "order-450789469"]
    assert (known["billing_country"], known["shipping_country"]) == ("US", "US")
    assert known["email_hash"] and known["billing_hash"] == known["shipping_hash"] is not None
    disputes = {row["dispute_id"]: row for row in rows(source, "disputes")}
    assert disputes["1052608616"]["amount"] == 10_000 and disputes["1052608616"]["order_id"] is None
    assert disputes["670893524"]["kind"] == "inquiry"
    assert {row["outcome"] for row in disputes.values()} == {"won", None}
    (parcel,) = rows(source, "fulfillments")
    assert parcel["status"] == "cancelled", "of two views of one parcel, the one written last counts"
    assert not [row["unreadable"] for table in source.tables() for row in rows(source, table) if row["unreadable"]]


@pytest.mark.parametrize("fixture", [STRIPE, SHOPIFY])
def test_what_has_a_contract_is_accepted_or_set_aside_and_never_lost(fixture: str, tmp_path: Path) -> None:
    from control_tower.keeping.step import open_archive
    from tasks.gather import read_tables
    from tasks.validate import with_context

    folder = data(fixture)
    tower = settings().model_copy(update={"artifacts_url": (tmp_path / "artifacts").as_uri()})
    kind = "stripe" if fixture == STRIPE else "shopify"
    source = opened(kind, folder)
    tables = tuple(sorted(source.tables() & set(data_contracts.names())))
    now = datetime.fromtimestamp(max(file.stat().st_mtime for file in folder.iterdir()), UTC) + timedelta(minutes=1)
    evidence = read_tables(f"{kind}:{folder}", None, tables, now, (), False, tower)
    for table in tables:
        contract = data_contracts.load(table)
        found = data_contracts.check(contract, with_context(contract, evidence, tower), now)
        assert (
            found.rows == len(rows(source, table)) == len(open_archive(tower.artifacts).frame(evidence.frames[table]))
        )
        broken = set(found.failures.loc[found.failures["severity"] == "error", "rule"])
        # A charge that names no order is a payment of none: it is set aside, and not guessed at.
        assert broken <= ({"payments.order_id_present"} if kind == "stripe" else set())


def test_a_charge_names_its_order_itself_or_through_its_payment_intent(tmp_path: Path) -> None:
    payload(tmp_path, "charges.json", {"object": "list", "data": [
        charge("a"), charge("b", metadata={}, payment_intent="pi"), charge("c", metadata={}),
    ]})  # fmt: skip
    payload(tmp_path, "intent.json", {"object": "payment_intent", "id": "pi", "metadata": {"order_id": "1002"}})
    payload(
        tmp_path, "dispute.json", {"object": "dispute", "id": "d", "charge": "b", "amount": 2500, "currency": "eur"}
    )
    source = opened("stripe", tmp_path)
    assert {row["payment_id"]: row["order_id"] for row in rows(source, "payments")} == {
        "a": "1001",
        "b": "1002",
        "c": None,
    }
    assert rows(source, "disputes")[0]["order_id"] == "1002"
    assert [row["payment_id"] for row in rows(source, "payments", ["1001"])] == ["a", "c"]


def test_an_authorisation_and_a_refund_under_way_are_no_money(tmp_path: Path) -> None:
    refund = {"object": "refund", "charge": "a", "amount": 100, "currency": "eur", "created": 1_700_000_000}
    payload(tmp_path, "all.json", [
        charge("a"), charge("held", captured=False), charge("failed", status="failed"),
        refund | {"id": "r", "status": "succeeded"}, refund | {"id": "waits", "status": "pending"},
    ])  # fmt: skip
    source = opened("stripe", tmp_path)
    paid = {row["payment_id"]: row["paid_at"] for row in rows(source, "payments")}
    assert paid["a"] is not None and paid["held"] is None and "failed" not in paid
    assert [row["refund_id"] for row in rows(source, "refunds")] == ["r"]


def test_of_two_events_the_later_counts_whatever_the_files_are_called(tmp_path: Path) -> None:
    def event(created: int, status: str) -> dict[str, Any]:
        return {
            "object": "event",
            "created": created,
            "data": {"object": {"object": "dispute", "id": "d", "status": status}},
        }

    (tmp_path / "a.jsonl").write_text(
        json.dumps(event(2, "won")) + "\n\n" + json.dumps(event(1, "needs_response")) + "\n"
    )
    (row,) = rows(opened("stripe", tmp_path), "disputes")
    assert row["outcome"] == "won"


def test_a_subscription_tells_when_its_card_ends_and_an_invoice_why_it_failed(tmp_path: Path) -> None:
    card = {
        "object": "payment_method",
        "id": "pm",
        "type": "card",
        "card": {"exp_month": 12, "exp_year": 2026, "country": "DE"},
    }
    subscription = {
        "object": "subscription", "id": "s", "status": "past_due", "currency": "eur", "start_date": 1_700_000_000,
        "default_payment_method": "pm",
        "items": {"data": [{"price": {"id": "box", "unit_amount": 1200}, "quantity": 2}]},
    }  # fmt: skip
    invoice = {
        "object": "invoice", "id": "i", "status": "open", "amount_due": 2400, "currency": "eur",
        "created": 1_700_000_000, "attempt_count": 3, "payment_intent": "pi",
        "parent": {"subscription_details": {"subscription": "s"}},
    }  # fmt: skip
    intent = {"object": "payment_intent", "id": "pi", "last_payment_error": {"decline_code": "stolen_card"}}
    payload(tmp_path, "all.json", [card, subscription, invoice, invoice | {"id": "j", "parent": None}, intent])
    source = opened("stripe", tmp_path)
    (made,) = rows(source, "subscriptions")
    assert (made["amount"], made["plan"], made["method_kind"], made["method_country"]) == (2400, "box", "card", "DE")
    assert made["method_expires_at"] == datetime(2027, 1, 1, tzinfo=UTC)
    (billed,) = rows(source, "invoices")
    assert (billed["subscription_id"], billed["attempts"], billed["decline_code"]) == ("s", 3, "stolen_card")


def test_what_can_not_be_read_is_told_and_the_row_is_kept(tmp_path: Path) -> None:
    dispute = {"id": 1, "amount": "1.005", "currency": "USD", "initiated_at": "2026-01-01T10:00:00"}
    payload(tmp_path, "disputes.json", {"disputes": [dispute, {"id": 2, "amount": ["1"], "currency": "JPY"}]})
    first, second = rows(opened("shopify", tmp_path), "disputes")
    assert first["unreadable"] == "amount: 1.005; opened_at: 2026-01-01T10:00:00", "half a cent, and a time of no zone"
    assert second["unreadable"] == "amount: ['1']" and second["amount"] is None


def test_money_is_in_the_units_of_its_currency(tmp_path: Path) -> None:
    payload(
        tmp_path,
        "disputes.json",
        {"disputes": [{"id": n, "amount": "100", "currency": c} for n, c in enumerate(("JPY", "EUR", "KWD"))]},
    )
    assert [row["amount"] for row in rows(opened("shopify", tmp_path), "disputes")] == [100, 10_000, 100_000]


def test_transactions_without_a_payment_still_tell_of_payments(tmp_path: Path) -> None:
    """That nothing was collected is known, which is not the same as not knowing."""
    payload(
        tmp_path, "t.json", {"transactions": [{"id": 1, "order_id": 2, "kind": "authorization", "status": "success"}]}
    )
    assert opened("shopify", tmp_path).tables() == {"payments", "refunds"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{", "is no JSON"),
        ("a.txt", "{}", "holds no JSON"),
        ("a.json", "{}", "holds nothing"),
        ("a.json", "[" * 100_000, "is no JSON"),
    ],
)
def test_a_folder_that_holds_no_payloads_is_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    for kind in ("stripe", "shopify"):
        with pytest.raises(SourceError, match=said):
            opened(kind, tmp_path)


def test_a_gzipped_file_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps([charge("a")] * 50).encode())[:40])
    with pytest.raises(SourceError, match="is no JSON"):
        opened("stripe", tmp_path)


def test_a_shape_names_columns_of_its_contract_and_its_key_first() -> None:
    for table, names in SHAPES.items():
        contract = data_contracts.load(table)
        assert set(names) <= set(contract.columns) and names[0] == contract.key


def test_who_bought_is_hashed_with_a_key_that_its_owner_alone_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(home: str, email: str) -> str:
        monkeypatch.setenv("TOWER_HOME", str(tmp_path / home))
        (tmp_path / "payloads").mkdir(exist_ok=True)
        folder = payload(tmp_path / "payloads", "a.json", [charge("a", billing_details={"email": email})])
        (row,) = rows(opened("stripe", folder), "risk_signals")
        assert "ana" not in str({name: value for name, value in row.items() if name != "source_id"})
        return str(row["email_hash"])

    one = seen("one", "Ana@example.com")
    assert one == seen("one", "ana@example.com ") != seen("one", "anna@example.com")
    assert one != seen("two", "ana@example.com"), "another tower has another key"
    assert (tmp_path / "one" / "identity.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("street", "postcode", "said"),
    [("pass", "pass", "match"), ("pass", "fail", "address_only"), ("fail", "pass", "postcode_only"),
     ("fail", "fail", "no_match"), ("fail", "unchecked", "no_match"), ("unavailable", "unchecked", "unavailable"),
     (None, None, None)],
)  # fmt: skip
def test_what_the_bank_says_of_an_address_is_one_word(
    tmp_path: Path, street: str | None, postcode: str | None, said: str | None
) -> None:
    checks = {"address_line1_check": street, "address_postal_code_check": postcode}
    payload(tmp_path, "a.json", [charge("a", payment_method_details={"card": {"checks": checks}})])
    (row,) = rows(opened("stripe", tmp_path), "risk_signals")
    assert row["avs"] == said


@pytest.mark.parametrize(
    ("kind", "content"),
    [("shopify", {"orders": [{"id": 1, "line_items": [5]}]}), ("stripe", charge("a", payment_method_details="card"))],
)
def test_an_object_of_another_shape_is_refused_or_told_and_crashes_nothing(
    tmp_path: Path, kind: str, content: dict[str, Any]
) -> None:
    folder = payload(tmp_path, "a.json", content)
    try:
        assert rows(opened(kind, folder), "payments")
    except SourceError as fault:
        assert "in a shape that shopify would not send" in str(fault)
