"""The signals of the fraud lane: counted as they were known then, for any evidence; and a burst, written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import data_contracts
from control_tower.nouns import Shop
from flows.watch_fraud import LANE
from policies import judge, load
from tasks.signals import vocabulary
from tests.thorough import up_to

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHOP = Shop(id="small", time_zone="Europe/Berlin", country="DE", currency="EUR")
DRAWN = settings(max_examples=up_to(8), deadline=None, suppress_health_check=list(HealthCheck))
MINUTE = timedelta(minutes=1)

Row = dict[str, Any]
Evidence = Mapping[str, Sequence[Row]]


def facts(evidence: Evidence, as_of: datetime = AS_OF) -> pd.DataFrame:
    """What the lane's SQL makes of rows that are written out, by order; tables that are not named are empty."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in LANE.tables:
            kinds = data_contracts.load(table).duckdb_types()
            kinds |= {"status_known": "BOOLEAN"} if "status" in kinds else {}
            columns = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
            connection.execute(f"CREATE TABLE {table} ({columns})")
            rows = [[row.get(name) for name in kinds] for row in evidence.get(table, ())]
            if rows:
                marks = ", ".join("?" * len(kinds))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        vocabulary(connection, SHOP, as_of, LANE.tables)
        return connection.execute(LANE.signals).df().set_index("order_id")


def order(name: str, placed: datetime, **told: Any) -> Row:
    total, customer = told.pop("total", 5000), told.pop("customer", f"customer-{name}")
    return {
        "order_id": name, "customer_id": customer, "status": "approved", "status_known": True, "placed_at": placed,
        "currency": "EUR", "total_amount": total,
    }  # fmt: skip


def signal(name: str, placed: datetime, at: datetime | None = None, **told: Any) -> Row:
    own = {
        "email_hash": f"e-{name}", "card_fingerprint": f"c-{name}", "device_id": f"d-{name}", "ip_hash": f"i-{name}",
        "shipping_hash": f"a-{name}", "billing_hash": f"a-{name}", "billing_country": "DE", "shipping_country": "DE",
        "avs": "match", "cvv": "match", "payment_attempts": 1, "provider_level": "low",
    }  # fmt: skip
    return {
        "signal_id": f"s-{name}-{at or placed}", "order_id": name, "recorded_at": at or placed, **own, **told,
    }  # fmt: skip


# Any evidence

moments = st.integers(-3 * 24 * 60, 60).map(lambda minutes: AS_OF + minutes * MINUTE)
few = st.sampled_from(["x", "y", None])


@st.composite
def evidence(draw: st.DrawFn, prefix: str, since: datetime | None = None) -> dict[str, list[Row]]:
    """Some orders, of a few people, and what was written down about them; all of it at or after a moment, if given."""
    found: dict[str, list[Row]] = {table: [] for table in LANE.tables}
    for number in range(draw(st.integers(1, 7))):
        name, placed = f"{prefix}{number}", draw(moments)
        placed = max(placed, since) if since else placed
        later = st.integers(0, 3000).map(lambda minutes, first=placed: first + minutes * MINUTE)
        given_total = draw(st.sampled_from([5000, 7000]))
        found["orders"].append(order(name, placed, customer=draw(few), total=given_total))
        told = {each: draw(few) for each in ("email_hash", "card_fingerprint", "device_id", "ip_hash", "shipping_hash")}
        found["risk_signals"].append(signal(name, placed, **told))
        if draw(st.booleans()):
            at = draw(later)
            found["disputes"].append(
                {"dispute_id": f"q-{name}", "order_id": name, "reason": "fraudulent", "opened_at": at}
            )
        if draw(st.booleans()):
            found["address_changes"].append(
                {
                    "change_id": f"k-{name}",
                    "order_id": name,
                    "from_hash": "1",
                    "to_hash": "2",
                    "changed_at": draw(later),
                }
            )
        if draw(st.booleans()):
            found["support_contacts"].append(
                {"contact_id": f"m-{name}", "order_id": name, "matches_order": False, "contacted_at": draw(later)}
            )
        if draw(st.booleans()):
            found["holds"].append(
                {"hold_id": f"h-{name}", "order_id": name, "reason": "x", "handle": "x", "placed_at": draw(later)}
            )
    return found


BORN = {
    "orders": "placed_at", "risk_signals": "recorded_at", "disputes": "opened_at", "address_changes": "changed_at",
    "support_contacts": "contacted_at", "holds": "placed_at",
}  # fmt: skip


def before(known: Evidence, moment: datetime) -> dict[str, list[Row]]:
    """The rows that were there before a moment, as a shop of that moment held them."""
    return {
        table: [row for row in rows if table not in BORN or row[BORN[table]] < moment] for table, rows in known.items()
    }


def together(*several: Evidence) -> dict[str, list[Row]]:
    return {table: [row for one in several for row in one.get(table, ())] for table in LANE.tables}


@DRAWN
@given(known=evidence("k"), later=evidence("n", since=AS_OF), about=st.data())
def test_whatever_happens_at_or_after_the_moment_changes_no_feature(
    known: Evidence, later: Evidence, about: Any
) -> None:
    """New orders of the same people, and new rows about the orders that there are."""
    names = [row["order_id"] for row in known["orders"]]
    more = {
        table: [row | {"order_id": about.draw(st.sampled_from(names))} for row in rows]
        for table, rows in later.items()
        if table != "orders"
    }
    then = facts(known)
    now = facts(together(known, later, {t: rows for t, rows in more.items() if t in BORN}))
    pd.testing.assert_frame_equal(now, then)


@DRAWN
@given(known=evidence("k"), earlier=st.integers(0, 3 * 24 * 60))
def test_a_replay_at_an_old_moment_is_what_was_computed_then(known: Evidence, earlier: int) -> None:
    moment = AS_OF - earlier * MINUTE
    pd.testing.assert_frame_equal(facts(known, moment), facts(before(known, moment), moment))


@DRAWN
@given(known=evidence("k"))
def test_an_order_is_no_part_of_its_own_evidence(known: Evidence) -> None:
    """Written down twice it counts the same; and with nothing before it, it counts nothing."""
    twice = [row | {"signal_id": f"{row['signal_id']}-again"} for row in known["risk_signals"]]
    once = facts(known)
    pd.testing.assert_frame_equal(facts(together(known, {"risk_signals": twice})), once)
    counts = [name for name in once.columns if name.startswith("orders_by_") or name == "same_orders_day"]
    first = once.loc[once["placed_at"] == once["placed_at"].min(), counts]
    assert (first.fillna(0) == 0).all().all()


@settings(DRAWN, max_examples=up_to(5))
@given(known=evidence("k"))
def test_an_order_counts_only_those_before_it(known: Evidence) -> None:
    """Without the orders that were placed with it or later, but for itself, every count is the same."""
    found = facts(known)
    counts = [name for name in found.columns if "_by_" in name or name == "same_orders_day"]
    for name, placed in found["placed_at"].items():
        rows = [row for row in known["orders"] if row["placed_at"] < placed or row["order_id"] == name]
        alone = facts(known | {"orders": rows})
        pd.testing.assert_series_equal(alone.loc[name, counts], found.loc[name, counts], check_dtype=False)


# Written out


def burst(orders: int, *, start: datetime, over: timedelta, **shared: Any) -> dict[str, list[Row]]:
    """Orders that come evenly over a time and share something."""
    found: dict[str, list[Row]] = {"orders": [], "risk_signals": []}
    for number in range(orders):
        placed, name = start + over * number / orders, f"{start:%d}-{number:03}"
        found["orders"].append(order(name, placed))
        found["risk_signals"].append(signal(name, placed, **shared))
    return found


def found_in(known: pd.DataFrame, kind: str) -> set[str]:
    said = judge(load("fraud", AS_OF), known.reset_index(), AS_OF)
    return set(said.loc[(said["kind"] == kind) & (said["answer"] == "yes"), "subject"])


def test_two_hundred_orders_of_one_device_in_ten_minutes_share_one_cause() -> None:
    one = burst(200, start=AS_OF - timedelta(days=1), over=timedelta(minutes=10), device_id="d")
    known = facts(one)
    assert known["burst_orders"].unique().tolist() == [200]
    assert known["burst_identity"].unique().tolist() == ["device d since 2026-05-31T12:00:00Z"]
    assert found_in(known, "identity_burst") == set(known.index)


def test_a_burst_that_changes_its_device_half_way_and_keeps_its_network_is_still_one() -> None:
    start = AS_OF - timedelta(days=1)
    first = burst(30, start=start, over=timedelta(minutes=5), device_id="d1", ip_hash="i1")
    second = burst(
        30, start=start + timedelta(minutes=5, days=0), over=timedelta(minutes=5), device_id="d2", ip_hash="i1"
    )
    for row in (*second["orders"], *second["risk_signals"]):
        row["order_id"] = f"second-{row['order_id']}"
    known = facts(together(first, second))
    assert known["burst_identity"].nunique() == 1 and known["burst_orders"].unique().tolist() == [60]


def test_a_family_that_orders_all_day_is_no_burst() -> None:
    known = facts(burst(30, start=AS_OF - timedelta(days=1), over=timedelta(hours=10), shipping_hash="a"))
    assert known["burst_orders"].unique().tolist() == [0]
    assert found_in(known, "identity_burst") == set()


def test_velocity_counts_the_window_before_the_order_and_its_first_moment() -> None:
    at = AS_OF - timedelta(hours=5)
    rows = [("gone", at - timedelta(minutes=61)), ("edge", at - timedelta(hours=1)), ("near", at - MINUTE), ("own", at)]
    rows.append(("same moment", at))
    known = facts(
        {
            "orders": [order(name, placed, customer="one") for name, placed in rows],
            "risk_signals": [signal(name, placed, card_fingerprint="c") for name, placed in rows],
        }
    )
    assert known.loc[
        "own", ["orders_by_customer_hour", "orders_by_card_minute", "cards_by_customer_hour"]
    ].tolist() == [2, 1, 1]
    assert known.loc["gone", "orders_by_customer_hour"] == 0


@pytest.mark.parametrize(("shares", "disputes"), [("device_id", 1), ("email_hash", 1), ("ip_hash", 0)])
def test_a_dispute_is_linked_by_what_a_person_has_and_not_by_a_network_that_strangers_share(
    shares: str, disputes: int
) -> None:
    moments = {"old": AS_OF - timedelta(days=60), "new": AS_OF - timedelta(days=1), "older": AS_OF - timedelta(days=61)}
    known = facts(
        {
            "orders": [order(name, at) for name, at in moments.items()],
            "risk_signals": [signal(name, at, **{shares: "same"}) for name, at in moments.items()],
            "disputes": [{"dispute_id": "q", "order_id": "old", "reason": "unrecognized", "opened_at": AS_OF - MINUTE}],
        }
    )
    assert known["linked_disputes"].to_dict() == {"new": disputes, "old": 0, "older": 0}


def test_a_dispute_about_a_parcel_that_did_not_come_links_nothing() -> None:
    long_ago, lately = AS_OF - timedelta(days=60), AS_OF - timedelta(days=1)
    known = facts(
        {
            "orders": [order("old", long_ago), order("new", lately)],
            "risk_signals": [signal("old", long_ago, device_id="d"), signal("new", lately, device_id="d")],
            "disputes": [
                {"dispute_id": "q", "order_id": "old", "reason": "product_not_received", "opened_at": AS_OF - MINUTE}
            ],
        }
    )
    assert known["linked_disputes"].tolist() == [0, 0]


def test_what_nobody_wrote_down_is_unknown_and_what_does_not_apply_is_none() -> None:
    lately = AS_OF - timedelta(days=1)
    by_transfer = signal("transfer", lately, card_fingerprint=None, avs="not_applicable", cvv="not_applicable")
    unchecked = signal("unchecked", lately, avs="unavailable", cvv="unavailable")
    known = facts(
        {
            "orders": [order(name, lately) for name in ("silent", "transfer", "unchecked")],
            "risk_signals": [by_transfer, unchecked],
        }
    )
    assert known.loc["silent", ["orders_by_email_hour", "linked_disputes", "avs", "burst_orders"]].isna().all()
    assert known.loc["transfer", "orders_by_card_minute"] == 0
    assert known.loc["unchecked", ["avs", "cvv"]].isna().all()


def test_the_last_that_was_written_down_counts() -> None:
    lately = AS_OF - timedelta(days=1)
    rows = [signal("a", lately, provider_level="high"), signal("a", lately, lately + MINUTE, provider_level="low")]
    known = facts({"orders": [order("a", lately)], "risk_signals": rows})
    assert known.loc["a", "provider_level"] == "low"
    assert (
        facts({"orders": [order("a", lately)], "risk_signals": rows}, lately + MINUTE).loc["a", "provider_level"]
        == "high"
    )
