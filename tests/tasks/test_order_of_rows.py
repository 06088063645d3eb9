"""What is kept is named by its bytes: the same evidence is the same rows in the same order, whoever read it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import data_contracts
import tasks.divide
from control_tower.keeping.step import STEPS
from control_tower.settings import Settings, settings
from control_tower.stores.generator import parquet
from tasks.divide import Divided, Span
from tasks.gather import read_tables
from tasks.validate import with_context

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TABLES = ("orders", "fulfillments", "shipment_events", "holds", "payments", "refunds")
MANY = 300_000  # rows: several threads read a file of so many


@pytest.fixture
def tower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A tower that keeps in a folder of its own."""
    monkeypatch.setenv("TOWER_ARTIFACTS_URL", (tmp_path / "artifacts").as_uri())
    return settings()


def test_a_part_is_the_same_file_in_whatever_order_threads_counted_the_orders(
    tmp_path: Path, tower: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path / "shop", orders=500, seed=6, as_of=AS_OF)
    counted = tasks.divide._home_of_orders

    def divided(by: str) -> list[list[str]]:
        def otherwise(connection: duckdb.DuckDBPyConnection, *given: Any) -> list[Span]:
            spans = counted(connection, *given)
            connection.execute(f"CREATE OR REPLACE TEMP TABLE home AS SELECT * FROM home ORDER BY {by}")
            return spans

        monkeypatch.setattr(tasks.divide, "_home_of_orders", otherwise)
        found: Divided = STEPS["divide"].function(f"folder:{tmp_path / 'shop'}", None, TABLES, AS_OF, 200)
        return [[part.gathered.frames[table].address for table in TABLES] for part in found.parts]

    one, *others = [divided(by) for by in ("order_id", "order_id DESC", "hash(order_id)")]
    assert len(one) > 2 and all(other == one for other in others)


def test_of_rows_of_one_key_always_the_same_is_compared_wherever_they_lie(tmp_path: Path, tower: Settings) -> None:
    """So that a look in parts, whose rows lie otherwise, finds what a look at everything does."""
    seen = {"source": "s", "observed_at": pd.Timestamp(AS_OF)}
    numbers = [f"o{number}" for number in range(MANY // 2)]
    twice = {"order_id": numbers * 2, "currency": ["EUR"] * len(numbers) + ["USD"] * len(numbers)}
    rest = {"customer_id": "c", "status": "open", "placed_at": AS_OF, "total_amount": 1}
    orders = pd.DataFrame({**twice, **rest, "source_id": numbers * 2, **seen})
    paid = numbers[::100]
    told = {"payment_id": paid, "order_id": paid, "amount": 1, "currency": "EUR", "method": "card", "paid_at": AS_OF}
    contract = data_contracts.load("payments")

    def compared(name: str, given: pd.DataFrame) -> list[str]:
        folder = tmp_path / name
        folder.mkdir()
        given.to_parquet(folder / "orders.parquet")
        pd.DataFrame({**told, "source_id": paid, **seen}).to_parquet(folder / "payments.parquet")
        gathered = read_tables(f"folder:{folder}", None, ("orders", "payments"), AS_OF, (), False, tower)
        return with_context(contract, gathered, tower)["order_currency"].tolist()

    first = compared("first", orders)
    assert compared("turned", orders[::-1]) == compared("again", orders) == first and len(first) == len(paid)
