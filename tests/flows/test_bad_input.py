"""Bad input: a clear error or a quarantined row, and nothing lost."""

from __future__ import annotations

import csv
import gzip
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from control_tower.errors import ContractBreach, MappingError, SourceError
from control_tower.stores.generator import parquet

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 400 orders as CSV files of canonical tables."""
    folder = tmp_path_factory.mktemp("parquet")
    parquet(folder, orders=400, seed=5, as_of=AS_OF)
    plain = tmp_path_factory.mktemp("csv")
    for file in folder.glob("*.parquet"):
        pd.read_parquet(file).to_csv(plain / f"{file.stem}.csv", index=False)
    shutil.copy(folder / "shop.yaml", plain)
    return plain


@pytest.fixture
def folder(healthy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(healthy, tmp_path / "export"))


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as source:
        return list(csv.DictReader(source))


def write(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def spoil(folder: Path, table: str, number: int, **values: str) -> None:
    """Change cells of one row."""
    rows = rows_of(folder / f"{table}.csv")
    rows[number].update(values)
    write(folder / f"{table}.csv", rows)


def watch(tower: Any, folder: Path) -> Any:
    return tower.watch(source=f"folder:{folder}", dry_run=True)


def quarantined(tower: Any, folder: Path, table: str) -> tuple[int, set[str]]:
    """Rows set aside from a table and the rules that they broke; checks that no row was lost."""
    with (folder / f"{table}.csv").open("rb") as file:
        file.readline()
        total = sum(1 for _ in file)
    report = watch(tower, folder)
    aside = tower.kept(report, "validate", f"result.quarantine.{table}")
    assert report.accepted[table] + report.quarantined[table] == total
    assert report.quarantined[table] == len(aside)
    return len(aside), {rule for rules in aside["broken_rules"] for rule in rules.split(", ")}


def test_the_export_of_a_healthy_shop_loses_nothing(tower: Any, folder: Path) -> None:
    report = watch(tower, folder)
    assert sum(report.quarantined.values()) == 0
    assert report.accepted["orders"] == 400


def test_an_empty_folder_is_said_to_be_empty(tower: Any, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(SourceError, match="is empty"):
        watch(tower, tmp_path / "nothing")


def test_a_truncated_gzip_is_refused_whole(tower: Any, folder: Path) -> None:
    plain = folder / "payments.csv"
    packed = gzip.compress(plain.read_bytes())
    (folder / "payments.csv.gz").write_bytes(packed[: len(packed) // 2])
    plain.unlink()
    with pytest.raises(SourceError, match=r"payments\.csv\.gz: can't be read"):
        watch(tower, folder)


def test_a_column_that_is_gone_stops_the_lane_and_names_the_owner(tower: Any, folder: Path) -> None:
    rows = rows_of(folder / "orders.csv")
    write(folder / "orders.csv", [{k: v for k, v in row.items() if k != "placed_at"} for row in rows])
    with pytest.raises(ContractBreach, match="placed_at") as breach:
        watch(tower, folder)
    assert breach.value.owner == "commerce-platform"


def test_a_date_in_three_formats_is_never_guessed(tower: Any, folder: Path) -> None:
    for number, text in enumerate(("2026-10-01T10:00:00", "01/10/2026", "Oct 1, 2026")):
        spoil(folder, "orders", number, placed_at=text)
    assert quarantined(tower, folder, "orders") == (2, {"orders.readable", "orders.placed_at_present"})


@pytest.mark.large
def test_two_currencies_in_one_order_set_the_odd_row_aside(tower: Any, folder: Path) -> None:
    spoil(folder, "payments", 3, currency="USD")
    assert quarantined(tower, folder, "payments") == (1, {"payments.currency_of_the_order"})


def test_of_two_rows_with_one_id_neither_is_believed(tower: Any, folder: Path) -> None:
    rows = rows_of(folder / "payments.csv")
    write(folder / "payments.csv", [*rows, rows[0]])
    assert quarantined(tower, folder, "payments") == (2, {"payments.payment_id_unique"})


@pytest.mark.large
def test_a_negative_amount_is_no_payment(tower: Any, folder: Path) -> None:
    spoil(folder, "payments", 0, amount="-500")
    assert quarantined(tower, folder, "payments") == (1, {"payments.amount_above_zero"})


@pytest.mark.large
def test_a_cell_of_fifty_megabytes_is_one_bad_row(tower: Any, folder: Path) -> None:
    spoil(folder, "holds", 0, reason="x" * (50 << 20))
    number, rules = quarantined(tower, folder, "holds")
    assert (number, rules) == (1, {"holds.text_length"})


def test_bytes_that_are_not_utf8_are_one_bad_row(tower: Any, folder: Path) -> None:
    file = folder / "order_lines.csv"
    content = file.read_bytes().splitlines(keepends=True)
    sku = rows_of(file)[4]["sku"].encode()
    content[5] = content[5].replace(sku, b"caf\xe9")
    file.write_bytes(b"".join(content))
    assert quarantined(tower, folder, "order_lines") == (1, {"order_lines.readable"})


@pytest.mark.large
def test_a_nul_is_one_bad_row(tower: Any, folder: Path) -> None:
    file = folder / "order_lines.csv"
    content = file.read_bytes().splitlines(keepends=True)
    sku = rows_of(file)[4]["sku"].encode()
    content[5] = content[5].replace(sku, b"SKU\x00 1")
    file.write_bytes(b"".join(content))
    assert quarantined(tower, folder, "order_lines") == (1, {"order_lines.no_control_characters"})


@pytest.mark.large
def test_a_time_after_it_was_observed_is_one_bad_row(tower: Any, folder: Path) -> None:
    spoil(folder, "orders", 0, placed_at="2031-01-01T00:00:00Z")
    assert quarantined(tower, folder, "orders") == (1, {"orders.not_after_observed"})


@pytest.mark.large
def test_a_row_with_too_few_cells_is_kept_and_set_aside(tower: Any, folder: Path) -> None:
    with (folder / "refunds.csv").open("a") as file:
        file.write("only,three,cells\n")
    number, rules = quarantined(tower, folder, "refunds")
    assert number == 1
    assert "refunds.readable" in rules


def test_hostile_text_stays_text(tower: Any, folder: Path) -> None:
    hostile = "'; DROP TABLE orders; -- <script>alert(1)</script> {{ 7*7 }} ../../etc/passwd"
    spoil(folder, "orders", 0, customer_id=hostile)
    report = watch(tower, folder)
    assert report.accepted["orders"] == 400


def test_a_mapping_that_names_a_missing_file_or_column_offers_the_nearest(
    tower: Any, folder: Path, tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.yaml"
    text = (
        "shop: {id: s, time_zone: UTC, country: US, currency: USD}\n"
        "files: {orders: FILE}\n"
        "tables:\n  orders:\n    file: orders\n    columns:\n      order_id: COLUMN\n"
        "      status: status\n      placed_at: placed_at\n      currency: currency\n"
    )
    mapping.write_text(text.replace("FILE", "order.csv").replace("COLUMN", "order_id"))
    with pytest.raises(MappingError, match=r"'order\.csv'.*did you mean 'orders\.csv'"):
        tower.watch(source=f"folder:{folder}", mapping=str(mapping), dry_run=True)
    mapping.write_text(text.replace("FILE", "orders.csv").replace("COLUMN", "ordr_id"))
    with pytest.raises(MappingError, match=r"'ordr_id', which orders\.csv does not have.*did you mean 'order_id'"):
        tower.watch(source=f"folder:{folder}", mapping=str(mapping), dry_run=True)
    mapping.write_text(
        text.replace("FILE", "orders.csv").replace("COLUMN", "order_id").replace("placed_at:", "placd_at:")
    )
    with pytest.raises(MappingError, match=r"orders has no column 'placd_at'.*did you mean 'placed_at'"):
        tower.watch(source=f"folder:{folder}", mapping=str(mapping), dry_run=True)


def test_a_breach_is_told_to_the_channel_and_touches_no_case(tower: Any, folder: Path) -> None:
    rows = rows_of(folder / "payments.csv")
    for row in rows[: len(rows) // 4]:
        row["amount"] = "0"
    write(folder / "payments.csv", rows)
    with pytest.raises(ContractBreach, match="more than 5%"):
        tower.watch(source=f"folder:{folder}")
    from control_tower.ledger.cases import queue
    from control_tower.slack.outbox import Outbox

    assert not queue(tower.ledger)
    import sqlite3

    with sqlite3.connect(tower.settings.ledger.removeprefix("sqlite:///")) as book:
        told = book.execute("SELECT text FROM outbox").fetchall()
    assert Outbox(tower.ledger.engine).pending() == []
    assert "payments@1.0.0 is broken" in told[0][0]
