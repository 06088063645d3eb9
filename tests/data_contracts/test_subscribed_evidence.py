"""Subscriptions as the tower reads them: what happened later is not seen, and what is owed is never read in part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

import data_contracts
from control_tower.keeping.step import open_archive
from control_tower.settings import Settings, settings
from control_tower.stores.generator import Truth, generate
from data_contracts import Checked
from tasks.gather import Gathered, read_tables
from tasks.validate import with_context
from tests.data_contracts.test_tables import check, rules_by_row

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TABLES = ("subscriptions", "invoices", "orders", "fulfillments", "holds")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Truth]:
    """A tower with a shop of its own, made for a moment."""
    folder = tmp_path_factory.mktemp("tower")
    truth = generate(folder / "shop.db", orders=3000, seed=5, as_of=AS_OF)
    update = {"shop_url": f"sqlite:///{folder / 'shop.db'}", "artifacts_url": (folder / "artifacts").as_uri()}
    return settings().model_copy(update=update), truth


def gathered(tower: Settings, as_of: datetime = AS_OF, orders: tuple[str, ...] = ()) -> Gathered:
    return read_tables("shop", None, TABLES, as_of, orders, False, tower)


def frame(tower: Settings, evidence: Gathered, table: str) -> pd.DataFrame:
    return open_archive(tower.artifacts).frame(evidence.frames[table])


def checked(tower: Settings, evidence: Gathered, table: str) -> Checked:
    contract = data_contracts.load(table)
    return data_contracts.check(contract, with_context(contract, evidence, tower), evidence.as_of)


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=9, hours=3), timedelta(days=40)])
def test_a_generated_shop_keeps_the_contracts_but_for_what_was_planted(
    made: tuple[Settings, Truth], ago: timedelta
) -> None:
    tower, truth = made
    evidence = gathered(tower, AS_OF - ago)
    assert checked(tower, evidence, "subscriptions").failures.empty
    failures = checked(tower, evidence, "invoices").failures
    assert set(failures.rule) <= {"invoices.paid_after_it_was_made"}
    if not ago:
        wrong = frame(tower, evidence, "invoices").subscription_id.iloc[failures.row]
        assert set(wrong) == set(truth.planted["subscriptions"]["subscription_contradiction"])


def test_what_happened_to_a_subscription_later_is_not_seen(made: tuple[Settings, Truth]) -> None:
    tower, _ = made
    now, then = gathered(tower), gathered(tower, AS_OF - timedelta(days=9))
    known, before = frame(tower, now, "invoices"), frame(tower, then, "invoices")
    assert len(before) == len(known), "rows in are rows out"
    for event in ("paid_at", "last_attempt_at"):
        later = known[event] > then.as_of
        assert later.any() and before[event].isna().equals(known[event].isna() | later)
    assert before.next_attempt_at.equals(known.next_attempt_at), "a plan is never masked"
    assert not before.status_known[(known.paid_at > then.as_of)].any()
    cancelled = frame(tower, now, "subscriptions").cancelled_at > then.as_of
    assert cancelled.any() and frame(tower, then, "subscriptions").cancelled_at[cancelled].isna().all()


def test_one_order_is_looked_at_again_with_everything_that_is_owed(made: tuple[Settings, Truth]) -> None:
    """The unpaid invoice is of an earlier box: reading only what names the order would find it paid."""
    tower, _ = made
    order = frame(tower, gathered(tower), "subscriptions").next_order_id.dropna().iloc[0]
    again = gathered(tower, orders=(order,))
    assert set(frame(tower, again, "orders").order_id) == {order}
    for table in ("subscriptions", "invoices"):
        assert len(frame(tower, again, table)) == len(frame(tower, gathered(tower), table))


@pytest.mark.parametrize(
    ("table", "row", "rule", "bad"),
    [
        ("subscriptions", {"status": "lapsed"}, "subscriptions.status_known_word", 1),
        ("subscriptions", {"method_kind": "visa"}, "subscriptions.method_known_word", 1),
        ("subscriptions", {"cancelled_at": "2026-01-06T09:59:59Z"}, "subscriptions.cancelled_after_start", 0),
        ("invoices", {"attempts": -1}, "invoices.attempts_counted", 1),
        ("invoices", {"subscription_currency": "USD"}, "invoices.currency_of_the_subscription", 1),
        ("invoices", {"last_attempt_at": "2026-03-05T09:59:59Z"}, "invoices.tried_after_it_was_made", 0),
    ],
)
def test_a_contradiction_is_marked_and_what_nobody_understands_is_set_aside(
    table: str, row: dict[str, Any], rule: str, bad: int
) -> None:
    found = check(table, {}, row)
    assert rules_by_row(found) == {1: {rule}}
    assert found.bad_rows == bad


@pytest.mark.parametrize(
    ("table", "without"),
    [
        ("subscriptions", {"method_kind": None, "method_expires_at": None, "method_country": None, "plan": None}),
        ("subscriptions", {"next_ship_at": None, "next_order_id": None, "cancelled_at": None, "amount": None}),
        ("invoices", {"order_id": None, "paid_at": None, "next_attempt_at": None, "decline_code": None}),
        ("invoices", {"attempts": None, "last_attempt_at": None, "subscription_currency": None}),
    ],
)
def test_what_a_subscription_leaves_open_breaks_nothing(table: str, without: dict[str, Any]) -> None:
    assert rules_by_row(check(table, {}, without)) == {}
