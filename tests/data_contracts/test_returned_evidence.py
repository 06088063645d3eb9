"""Returns as the tower reads them: what happened after the moment is not seen, and joined rows are held together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import data_contracts
from control_tower.keeping.step import open_archive
from control_tower.settings import Settings, settings
from control_tower.stores.generator import generate
from data_contracts import Checked
from tasks.gather import Gathered, read_tables
from tasks.validate import with_context

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TABLES = ("returns", "orders", "order_lines", "inspections", "refunds")


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A tower with a shop of its own, made for a moment."""
    folder = tmp_path_factory.mktemp("tower")
    generate(folder / "shop.db", orders=3000, seed=5, as_of=AS_OF)
    return settings().model_copy(
        update={"shop_url": f"sqlite:///{folder / 'shop.db'}", "artifacts_url": (folder / "artifacts").as_uri()}
    )


def gathered(tower: Settings, as_of: datetime = AS_OF, orders: tuple[str, ...] = ()) -> Gathered:
    return read_tables("shop", None, TABLES, as_of, orders, False, tower)


def frame(tower: Settings, evidence: Gathered, table: str) -> pd.DataFrame:
    return open_archive(tower.artifacts).frame(evidence.frames[table])


def checked(tower: Settings, evidence: Gathered, table: str) -> Checked:
    contract = data_contracts.load(table)
    return data_contracts.check(contract, with_context(contract, evidence, tower), evidence.as_of)


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=9, hours=3), timedelta(days=30)])
def test_a_generated_shop_keeps_the_contracts_of_its_returns_at_any_moment(tower: Settings, ago: timedelta) -> None:
    evidence = gathered(tower, AS_OF - ago)
    for table in TABLES:
        result = checked(tower, evidence, table)
        assert not result.breaches
        assert result.failures.empty, f"{table}: {result.failures.rule.unique()}"


def test_what_happened_to_a_return_later_is_not_seen(tower: Settings) -> None:
    now, then = gathered(tower), gathered(tower, AS_OF - timedelta(days=9))
    known, before = frame(tower, now, "returns"), frame(tower, then, "returns")
    assert len(before) == len(known), "rows in are rows out"
    later = known.requested_at > then.as_of
    assert later.any() and (before.visible == ~later).all()
    for event in ("approved_at", "received_at", "closed_at"):
        unknown_yet = known[event] > then.as_of
        assert unknown_yet.any()
        assert before[event].isna().equals(known[event].isna() | unknown_yet)
    closed_before = (before.status == "refunded") & before.closed_at.notna()
    assert before.status_known[closed_before].all()
    assert not before.status_known[~closed_before & (before.status == "refunded")].any()
    seen = frame(tower, then, "inspections")
    assert (seen.visible == (seen.inspected_at <= then.as_of)).all()


def test_a_return_that_names_no_purchase_is_read_with_any_order(tower: Settings) -> None:
    returns = frame(tower, gathered(tower), "returns")
    order = returns.order_id.dropna().iloc[0]
    for table in ("returns", "inspections", "refunds"):
        read = frame(tower, gathered(tower, orders=(order,)), table)
        assert set(read.order_id.dropna()) <= {order}
        assert read.order_id.isna().sum() == frame(tower, gathered(tower), table).order_id.isna().sum() > 0


def test_contradictions_between_a_return_and_its_inspection_are_marked(tmp_path: Path, tower: Settings) -> None:
    import sqlite3

    from control_tower.stores.shop import sqlite_file

    copy = tmp_path / "shop.db"
    copy.write_bytes(sqlite_file(tower.shop).read_bytes())
    with sqlite3.connect(copy) as shop:
        inspected, other = (
            row for (row,) in shop.execute("SELECT return_id FROM inspections ORDER BY return_id LIMIT 2")
        )
        shop.execute("UPDATE returns SET received_at = received_at + 864000000000 WHERE return_id = ?", (inspected,))
        shop.execute("UPDATE refunds SET order_id = 'another' WHERE return_id = ?", (other,))
    spoilt = tower.model_copy(update={"shop_url": f"sqlite:///{copy}"})
    evidence = gathered(spoilt)
    for table, rule, ids in (
        ("inspections", "inspections.inspected_after_receipt", {inspected}),
        ("refunds", "refunds.order_of_the_return", {other}),
    ):
        result = checked(spoilt, evidence, table)
        assert (result.failures.rule == rule).all() and (result.failures.severity == "warning").all()
        assert set(frame(spoilt, evidence, table).return_id.iloc[result.failures.row]) == ids
