"""Shopify's export of orders, as three generations wrote it: the same orders, and what each can't tell is named."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_contracts
from control_tower.errors import MappingError
from control_tower.sources.folder import FolderSource
from tests.thorough import up_to

EXPORTS = Path(__file__).parent / "exports"
GENERATIONS = ("oldest", "fulfillment_date", "newest")


def read(folder: Path, table: str) -> list[dict[str, Any]]:
    source = FolderSource(folder, "shopify_csv")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = source.relation(connection, table, data_contracts.load(table).duckdb_types())
        return connection.sql(relation).to_arrow_table().to_pylist()


def export(folder: Path, *rows: dict[str, str], without: Iterable[str] = ()) -> Path:
    """The newest generation's header, and rows of our own."""
    with (EXPORTS / "shopify_csv_newest" / "orders_export_1.csv").open(newline="") as newest:
        names = [name for name in next(csv.reader(newest)) if name not in without]
    with (folder / "orders_export_1.csv").open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return folder


ORDER = {
    "Name": "#7", "Financial Status": "paid", "Paid at": "2026-03-02 09:15:30 -0500", "Currency": "USD",
    "Total": "20.00", "Created at": "2026-03-02 09:15:00 -0500", "Lineitem quantity": "1", "Lineitem name": "Lamp",
    "Lineitem price": "20.00", "Refunded Amount": "0.00",
}  # fmt: skip


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_generation_tells_the_same_orders_lines_and_payments(generation: str) -> None:
    folder = EXPORTS / f"shopify_csv_{generation}"
    orders = {row["order_id"]: row for row in read(folder, "orders")}
    assert {name: row["status"] for name, row in orders.items()} == {
        "#1001": "shipped", "#1002": "approved", "#1003": "created", "#1004": "cancelled", "#1005": "approved",
    }  # fmt: skip
    assert orders["#1001"]["placed_at"].isoformat() == "2026-03-02T08:15:00+00:00", "its offset is +0100"
    assert orders["#1001"]["status_at"].isoformat() == "2026-03-03T15:00:00+00:00", "since it was fulfilled"
    assert orders["#1001"]["total_amount"] == 6240
    assert orders["#1003"]["approved_at"] is None and orders["#1004"]["cancelled_at"] is not None
    lines = read(folder, "order_lines")
    assert [(row["line_id"], row["sku"], row["unit_amount"], row["currency"]) for row in lines][5:] == [
        ("#1005-001", "lamp-oak", 1990, "EUR"), ("#1005-002", "lamp-ash", 1990, "EUR"),
        ("#1005-003", "Gift wrap", 1990, "EUR"),
    ], "rows after the first repeat only a name, and one has no article number"  # fmt: skip
    assert {row["order_id"]: row["amount"] for row in read(folder, "payments")} == {
        "#1001": 6240, "#1002": 4990, "#1004": 2500, "#1005": 5970,
    }  # fmt: skip
    assert not [
        row for table in ("orders", "order_lines", "payments") for row in read(folder, table) if row["unreadable"]
    ]


def test_what_was_refunded_is_told_by_the_later_generations_and_by_the_oldest_only_where_it_was_all() -> None:
    told = {
        gen: {row["order_id"]: row["amount"] for row in read(EXPORTS / f"shopify_csv_{gen}", "refunds")}
        for gen in GENERATIONS
    }
    assert told["newest"] == told["fulfillment_date"] == {"#1004": 2500, "#1005": 1990}
    assert told["oldest"] == {"#1004": 2500, "#1005": None}, "how much of it, nobody knows: the contract sets it aside"
    for row in read(EXPORTS / "shopify_csv_newest", "refunds"):
        assert row["refunded_at"] == row["observed_at"], "known since the export was written"


def test_a_generation_that_never_says_when_it_was_fulfilled_leaves_that_unknown(tmp_path: Path) -> None:
    folder = export(tmp_path, ORDER | {"Fulfillment Status": "fulfilled"}, without=["Fulfilled at"])
    (row,) = read(folder, "orders")
    assert (row["status"], row["status_at"], row["unreadable"]) == ("shipped", None, None)


@pytest.mark.parametrize("column", ["Name", "Total", "Cancelled at", "Lineitem price"])
def test_an_export_without_a_column_that_all_have_is_refused_by_name(tmp_path: Path, column: str) -> None:
    folder = export(tmp_path, ORDER, without=[column])
    with pytest.raises(MappingError, match=f"column '{column}', which orders_export_1.csv does not have"):
        for table in ("orders", "order_lines"):
            read(folder, table)


def test_two_exports_in_one_folder_are_not_guessed_between(tmp_path: Path) -> None:
    export(tmp_path, ORDER)
    (tmp_path / "orders_export_2.csv").write_bytes((tmp_path / "orders_export_1.csv").read_bytes())
    with pytest.raises(MappingError, match=r"orders_export_1.csv, orders_export_2.csv could all be 'rows'.*leave one"):
        FolderSource(tmp_path, "shopify_csv")


def test_a_folder_without_the_export_is_refused_and_names_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("a\n1\n")
    with pytest.raises(MappingError, match=r"orders_export\*\.csv"):
        FolderSource(tmp_path, "shopify_csv")


@pytest.mark.slow
@pytest.mark.parametrize("amount", ["1.234,56", "1,234.56", "$20.00", "20.005", "NaN", "--5", "٢٠", "20.00 USD"])
def test_an_amount_that_could_mean_two_things_is_set_aside_with_its_cell(tmp_path: Path, amount: str) -> None:
    folder = export(tmp_path, ORDER | {"Total": amount, "Refunded Amount": amount, "Lineitem price": amount})
    (placed,), (line,), (paid,), (back,) = (
        read(folder, table) for table in ("orders", "order_lines", "payments", "refunds")
    )
    assert placed["unreadable"] == f"total_amount: {amount}" and placed["total_amount"] is None
    assert line["unreadable"] == f"unit_amount: {amount}"
    assert amount in paid["unreadable"] and amount in back["unreadable"]


def test_money_counts_in_the_units_of_the_orders_own_currency(tmp_path: Path) -> None:
    folder = export(
        tmp_path,
        *(
            ORDER | {"Name": code, "Currency": code, "Total": "100", "Lineitem price": "100"}
            for code in ("JPY", "EUR", "KWD")
        ),
    )
    for table, column in (("orders", "total_amount"), ("order_lines", "unit_amount"), ("payments", "amount")):
        assert {row["currency"]: row[column] for row in read(folder, table)} == {
            "JPY": 100,
            "EUR": 10_000,
            "KWD": 100_000,
        }


def test_a_broken_row_is_kept_and_named_and_takes_no_other_with_it(tmp_path: Path) -> None:
    folder = export(tmp_path, ORDER)
    with (folder / "orders_export_1.csv").open("a", encoding="utf-8") as file:
        file.write("#8,short\n")
    orders = read(folder, "orders")
    assert [row["order_id"] for row in orders if not row["unreadable"]] == ["#7"]
    assert next(row["unreadable"] for row in orders if row["order_id"] is None).startswith("2 cells where")


def test_a_line_of_no_order_is_kept_without_a_currency(tmp_path: Path) -> None:
    """Its order row was cut off: the contract sets both aside, for a currency is required."""
    folder = export(
        tmp_path, {"Name": "#9", "Lineitem quantity": "1", "Lineitem name": "Lamp", "Lineitem price": "1.00"}
    )
    (line,), (order,) = read(folder, "order_lines"), read(folder, "orders")
    assert (line["currency"], order["currency"], order["placed_at"]) == (None, None, None)


@pytest.mark.slow
@settings(max_examples=up_to(40), deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=10**11), min_size=1, max_size=20))
def test_money_written_in_cents_is_read_as_those_cents(tmp_path_factory: Any, cents: list[int]) -> None:
    folder = tmp_path_factory.mktemp("money")
    rows = [ORDER | {"Name": f"#{n}", "Total": f"{each // 100}.{each % 100:02}"} for n, each in enumerate(cents)]
    export(folder, *rows)
    assert [row["total_amount"] for row in read(folder, "orders")] == cents


@pytest.mark.slow
@settings(max_examples=up_to(40), deadline=None)
@given(
    st.lists(
        st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00\r\n"), max_size=12),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_stands_in_a_cell_of_money_it_is_read_or_told(tmp_path_factory: Any, cells: list[str]) -> None:
    folder = tmp_path_factory.mktemp("cells")
    export(folder, *(ORDER | {"Name": f"#{n}", "Total": cell} for n, cell in enumerate(cells)))
    rows = read(folder, "orders")
    assert len(rows) == len(cells)
    for row, cell in zip(rows, cells, strict=True):
        if row["total_amount"] is None:
            blank = all(unicodedata.category(sign) == "Zs" for sign in cell)  # spaces of every alphabet
            assert bool(row["unreadable"]) != blank, cell
