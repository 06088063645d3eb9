"""WooCommerce's orders and refunds: amounts are text, times are UTC, and nobody says where a parcel is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, strategies
from hypothesis import settings as tries

import data_contracts
from control_tower.errors import SourceError
from control_tower.settings import settings
from control_tower.sources import open_source
from control_tower.sources.payloads import Rows
from control_tower.sources.woocommerce import adapt
from tests.thorough import up_to

EXPORT = Path(__file__).parent / "exports" / "woocommerce"


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    source = open_source(f"woocommerce:{folder}", None, settings())
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = source.relation(connection, table, data_contracts.load(table).duckdb_types())
        return connection.sql(relation).to_arrow_table().to_pylist()


def order(**told: Any) -> dict[str, Any]:
    return {
        "id": 1, "order_key": "k", "status": "processing", "currency": "EUR", "total": "20.00",
        "date_created_gmt": "2026-03-02T08:15:00", "date_paid_gmt": "2026-03-02T08:16:00",
    } | told  # fmt: skip


def written(folder: Path, *orders: object) -> Path:
    (folder / "orders.json").write_text(json.dumps(orders))
    return folder


def test_orders_have_our_words_and_a_word_of_a_plugin_stays_for_the_contract_to_refuse() -> None:
    orders = {row["order_id"]: row for row in rows(EXPORT, "orders")}
    assert {name: row["status"] for name, row in orders.items()} == {
        "501": "shipped", "502": "processing", "503": "created", "504": "cancelled", "505": "wc-packed",
        "507": "created",
    }, "a basket is no order; what was refunded before it was completed will not be sent"  # fmt: skip
    assert orders["501"]["placed_at"] == datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
    assert orders["501"]["status_at"] == datetime(2026, 3, 3, 15, tzinfo=UTC)
    assert (orders["501"]["customer_id"], orders["502"]["customer_id"]) == ("12", None), "a guest has no account"
    assert orders["503"]["approved_at"] is None and orders["501"]["total_amount"] == 5490


def test_a_piece_costs_what_was_paid_for_it_with_tax_and_no_more() -> None:
    lines = [row for row in rows(EXPORT, "order_lines") if row["order_id"] in ("501", "502")]
    paid = {row["sku"]: row["unit_amount"] for row in lines}
    assert paid == {"chair-oak": 4990, "candle": 250, "lamp-oak": 666}


def test_a_refund_is_told_by_its_order_and_dated_by_itself() -> None:
    refunds = {row["refund_id"]: row for row in rows(EXPORT, "refunds")}
    assert {name: (row["order_id"], row["amount"]) for name, row in refunds.items()} == {
        "604": ("504", 2500),
        "605": ("505", 500),
    }
    assert (
        refunds["605"]["refunded_at"] == datetime(2026, 3, 7, 9, tzinfo=UTC) and refunds["605"]["method"] == "original"
    )
    assert refunds["604"]["refunded_at"] == refunds["604"]["observed_at"], "known since the order was read"


def test_a_payment_is_what_has_a_date_and_there_is_no_tracking() -> None:
    assert {row["order_id"]: row["amount"] for row in rows(EXPORT, "payments")} == {
        "501": 5490, "502": 2000, "504": 2500, "505": 3000,
    }  # fmt: skip
    tables = open_source(f"woocommerce:{EXPORT}", None, settings()).tables()
    assert tables == {"orders", "order_lines", "payments", "refunds", "risk_signals", "buyers"}


@pytest.mark.parametrize("amount", ["1.234,56", "20,00", "€20.00", "20.005", "NaN", True, ["20.00"], {}])
def test_an_amount_that_can_not_be_read_is_told(tmp_path: Path, amount: object) -> None:
    folder = written(tmp_path, order(total=amount, line_items=[{"id": 1, "quantity": 1, "sku": "a", "total": amount}]))
    (placed,), (paid,), (line,) = (rows(folder, table) for table in ("orders", "payments", "order_lines"))
    assert placed["total_amount"] is None and placed["unreadable"].startswith("total_amount: ")
    assert paid["unreadable"].startswith("amount: ") and line["unreadable"].startswith("unit_amount: ")


def test_of_an_order_that_is_there_twice_the_newer_counts(tmp_path: Path) -> None:
    newer = order(status="completed", date_modified_gmt="2026-03-04T00:00:00")
    folder = written(tmp_path, newer, order(date_modified_gmt="2026-03-03T00:00:00"))
    (placed,) = rows(folder, "orders")
    assert placed["status"] == "shipped"


def test_a_refund_of_an_order_that_is_not_there_names_none(tmp_path: Path) -> None:
    folder = written(tmp_path, order(), {"id": 9, "amount": "5.00", "refunded_by": 1})
    (back,) = rows(folder, "refunds")
    assert (back["order_id"], back["amount"]) == (None, 500), "the contract sets it aside by name"


def test_what_is_no_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds nothing that woocommerce would send"):
        rows(written(tmp_path, {"code": "rest_forbidden", "data": {"status": 401}}), "orders")


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("id: 5\ntime_zone: Mars\n", "id: "),
        ("[", ""),
        ("", "it: "),
        ("id: a\ntime_zone: Mars\ncountry: DE\ncurrency: EUR\n", "Mars"),
    ],
)
def test_a_shop_that_is_badly_told_is_refused_with_what_it_needs(tmp_path: Path, said: str, fault: str) -> None:
    (written(tmp_path, order()) / "shop.yaml").write_text(said)
    with pytest.raises(SourceError, match=rf"shop.yaml: can't be read.*{fault}.*id, time_zone, country and currency"):
        rows(tmp_path, "orders")


def test_half_an_order_is_refused_with_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "webhooks.jsonl").write_text(json.dumps(order()) + '\n{"id": 2, "order_k')
    with pytest.raises(SourceError, match=r"webhooks.jsonl:2: is no JSON.*fetch it again"):
        rows(tmp_path, "orders")


leaves = strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats()
cells = strategies.recursive(
    leaves | strategies.text(max_size=6),
    lambda inner: strategies.lists(inner, max_size=2) | strategies.dictionaries(strategies.text(), inner),
    max_leaves=4,
)


@tries(max_examples=up_to(200), deadline=None)
@given(
    strategies.dictionaries(
        strategies.sampled_from([
            "id", "status", "currency", "total", "date_created_gmt", "date_paid_gmt", "line_items", "refunds",
            "billing",
            "shipping", "customer_id", "customer_ip_address", "date_modified_gmt",
        ]),
        cells,
    )
)  # fmt: skip
def test_whatever_is_in_an_order_it_is_a_row(told: dict[str, Any]) -> None:
    shop = open_source(f"woocommerce:{EXPORT}", None, settings()).shop
    found = Rows(shop, "woocommerce", b"key")
    adapt(found, [(order(**told), datetime(2026, 3, 9, tzinfo=UTC))])
    assert len(found.tables["orders"]) == 1
