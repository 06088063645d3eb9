"""The signals of the inventory lane, from evidence that is written out: demand, cover, and who is served."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, chi2, false_discovery_control, gamma

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)
STEADY = [2, 3, 1, 2, 4, 2, 2, 3] * 7
"""Units a day, yesterday first, for eight weeks."""


def ago(days: float) -> str:
    return (AS_OF - timedelta(days=days)).isoformat()


class Book:
    """Evidence, a line at a time."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.orders = 0

    def add(self, table: str, **row: Any) -> None:
        key = {"inventory_levels": "level_id", "purchase_orders": "po_id", "product_signals": "signal_id",
               "product_states": "state_id"}.get(table)  # fmt: skip
        rows = self.tables.setdefault(table, [])
        rows.append(({key: f"{table}-{len(rows):04}"} if key else {}) | row | {"observed_at": ago(-20)})

    def sold(self, sku: str, days: float, units: int, *, shipped: bool = True, **order: Any) -> str:
        """One order of so many units, so many days ago."""
        self.orders += 1
        name = f"{self.orders:05}"
        self.add(
            "orders",
            **{"order_id": name, "status": "approved", "placed_at": ago(days), "approved_at": ago(days),
               "currency": "EUR", "total_amount": units * 1000} | order,
        )  # fmt: skip
        self.add("order_lines", line_id=f"{name}-1", order_id=name, sku=sku, quantity=units, unit_amount=1000,
                 currency="EUR")  # fmt: skip
        if shipped:
            self.add("fulfillments", fulfillment_id=f"f-{name}", order_id=name, status="in_transit",
                     handed_over_at=ago(days - 0.1))  # fmt: skip
        return name

    def sells(self, sku: str, by_day: list[int]) -> None:
        for number, units in enumerate(by_day, 1):
            if units:
                self.sold(sku, number, units)

    def lies(self, sku: str, available: int | None, committed: int = 0, days: float = 0.1, **more: Any) -> None:
        """A look at a product's stock so many days ago."""
        self.add(
            "inventory_levels",
            **{"sku": sku, "warehouse_id": "BER", "counted_at": ago(days), "available": available,
               "committed": committed, "safety_stock": 4, "storefront_available": available,
               "warehouse_count": (available or 0) + committed, "lead_days": 14} | more,
        )  # fmt: skip

    def ordered(self, sku: str, quantity: int, expected: float | None, **more: Any) -> None:
        """More of a product, expected in so many days."""
        self.add(
            "purchase_orders",
            **{"sku": sku, "quantity": quantity, "ordered_at": ago(30), "status": "shipped",
               "expected_at": ago(-expected) if expected is not None else None} | more,
        )  # fmt: skip


def book() -> Book:
    known = Book()
    known.sells("steady", STEADY)
    known.lies("steady", 44, days=0.1)
    known.lies("steady", 4000, days=3)  # an older look
    known.lies("steady", 9000, days=-1)  # one that nobody has had yet
    known.ordered("steady", 100, 25)
    known.ordered("steady", 100, 5, status="received", received_at=ago(0.5))
    known.ordered("steady", 100, 2, status="cancelled", cancelled_at=ago(0.5))
    # One order of sixty units a week ago, and five of one: one customer is no speed.
    known.sells("lumpy", [0] * 6 + [60] + [0] * 5 + [1] + [0] * 9 + [1] + [0] * 9 + [1] + [0] * 9 + [1] + [0] * 9 + [1])
    known.sold("lumpy", 60, 1)
    known.lies("lumpy", 34)
    known.sells("new", [3, 0, 2])
    known.lies("new", 10)
    known.sells("uncounted", STEADY)
    known.sold("today", 0.1, 5, shipped=True)
    known.lies("today", 10)
    known.lies("shelf", 10)
    known.lies("halves", 6, 3, storefront_available=10)
    known.lies("halves", 8, 2, storefront_available=5, warehouse_id="HAM")
    known.lies("half-known", 6)
    known.lies("half-known", None, warehouse_id="HAM", warehouse_count=None)
    known.ordered("late", 30, -7)  # expected on Monday of last week, which was Whit Monday in Germany
    known.ordered("undated", 30, None)
    # Five are there, who came first is served first, and three more arrive tomorrow.
    for name, units in (("first", 3), ("second", 2), ("third", 2), ("fourth", 2), ("fifth", 1)):
        order = known.sold("queue", {"first": 5, "second": 4, "third": 3, "fourth": 2, "fifth": 1}[name], units,
                           shipped=False, customer_id=name)  # fmt: skip
        if name != "fifth":
            known.add("promises", promise_id=f"p-{order}", order_id=order, kind="ship_by", due_at=ago(-2),
                      by_day=False, made_at=ago(1))  # fmt: skip
    known.sold("queue", 6, 9, shipped=False, approved_at=None)  # nobody paid for it
    known.sold("queue", 6, 9, shipped=False, status="cancelled", cancelled_at=ago(2))
    known.lies("queue", -5, 10)
    known.ordered("queue", 3, 1)
    # One order lacks four products: one may be sold on backorder, of one it is not known whether it arrives in time.
    order = known.sold("lacks-1-backorder", 1, 1, shipped=False)
    for number, sku in enumerate(("lacks-1-backorder", "lacks-2-undated", "lacks-3", "lacks-4")):
        if number:
            known.add("order_lines", line_id=f"{order}-{number + 1}", order_id=order, sku=sku, quantity=1,
                      unit_amount=1000, currency="EUR")  # fmt: skip
        known.lies(sku, -1, 1)
        known.add("product_states", sku=sku, backorder="deny" if number else "allow", set_at=ago(9))
    known.ordered("lacks-2-undated", 3, None)
    for sku in ("asked", "always", "calm"):
        known.add("product_signals", sku=sku, kind="view", count=100, counted_at=ago(100))
        for day in range(1, 70):
            count = {"asked": 2 if day < 14 else day % 8 == 0, "always": 1, "calm": day % 30 == 0}[sku]
            known.add("product_signals", sku=sku, kind="availability_question", count=int(count), counted_at=ago(day))
    known.add("product_signals", sku="asked", kind="preorder_cancellation", count=3, counted_at=ago(2))
    known.add("product_signals", sku="unheard", kind="availability_question", count=5, counted_at=ago(2))
    known.add("product_states", sku="asked", recommended=True, ranking=3, message="In stock", ads=True,
              backorder="deny", set_at=ago(9))  # fmt: skip
    known.add("product_states", sku="asked", recommended=False, ranking=9, message="Gone", ads=False,
              backorder="allow", set_at=ago(-1))  # fmt: skip
    for sku, first, last in (("asked", 9, -3), ("calm", 9, 1), ("always", -1, -9)):
        known.add("campaigns", campaign_id=f"c-{sku}", name="Spring", sku=sku, starts_at=ago(first), ends_at=ago(last))
    return known


def looked(folder: Path, tower: Any, without: tuple[str, ...] = ()) -> pd.DataFrame:
    from flows.watch_inventory import watch_inventory

    folder.mkdir()
    for table, rows in book().tables.items():
        if table not in without:
            columns = list(dict.fromkeys(name for row in rows for name in row))
            with (folder / f"{table}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    (folder / "shop.yaml").write_text("id: small\ntime_zone: Europe/Berlin\ncountry: DE\ncurrency: EUR\n")
    report = watch_inventory(source=f"folder:{folder}", as_of=AS_OF, dry_run=True)
    tower.report = report
    return tower.kept(report, "detect").set_index("promise_id")


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[pd.DataFrame]:
    from tests.flows.conftest import own_tower

    with own_tower(tmp_path_factory.mktemp("tower"), deployed) as tower:
        yield looked(tmp_path_factory.mktemp("evidence") / "export", tower)


def test_a_steady_seller_goes_at_its_mean_between_two_ends(facts: pd.DataFrame) -> None:
    """Its days scatter less than a Poisson count would, so the ends are those of the count: Garwood's, exactly."""
    units = sum(STEADY)
    mine = facts.loc["steady"]
    assert (mine.units_sold, mine.demand_days, mine.demand_class) == (units, 56, "smooth")
    assert mine.velocity == pytest.approx(units / 56)
    assert mine.velocity_low == pytest.approx(chi2.ppf(0.05, 2 * units) / 2 / 56)
    assert mine.velocity_high == pytest.approx(chi2.ppf(0.95, 2 * units + 2) / 2 / 56)


def test_cover_is_what_may_be_sold_less_what_is_kept_back_at_both_ends(facts: pd.DataFrame) -> None:
    mine = facts.loc["steady"]
    assert mine.available == 44, "the newest look that was had counts"
    assert mine.cover_days == pytest.approx(40 / mine.velocity)
    assert mine.cover_days_low == pytest.approx(40 / mine.velocity_high)
    assert mine.cover_days_high == pytest.approx(40 / mine.velocity_low)
    assert mine.days_to_inbound == pytest.approx(25), "what arrived or was called off is not awaited"


def test_one_large_order_is_no_speed(facts: pd.DataFrame) -> None:
    """By its mean it would be gone before more arrives; by Teunter, Syntetos and Babai's estimate it is not."""
    mine = facts.loc["lumpy"]
    sales = {7: 60, 13: 1, 23: 1, 33: 1, 43: 1, 53: 1}
    chance, size = len(sales) / 56, sum(sales.values()) / len(sales)
    for day in range(56, 0, -1):
        chance += 0.1 * ((day in sales) - chance)
        if day in sales:
            size += 0.1 * (sales[day] - size)
    assert (mine.demand_class, mine.intermittent) == ("lumpy", True)
    assert mine.velocity == pytest.approx(chance * size)
    scatter = np.var([sales.get(day, 0) for day in range(1, 57)], ddof=1) / (sum(sales.values()) / 56)
    high = scatter * gamma.ppf(0.95, sum(sales.values()) / scatter + 1) / 56
    assert mine.velocity_high == pytest.approx(max(high, mine.velocity))
    assert mine.cover_days_low < mine.days_to_inbound < mine.cover_days


def test_a_product_is_measured_from_its_first_sale_and_todays_sales_are_yet_to_be_counted(facts: pd.DataFrame) -> None:
    assert facts.loc["new", ["history_days", "units_sold", "demand_days"]].tolist() == [3, 5, 2]
    assert pd.isna(facts.loc["today", "velocity"]) and pd.isna(facts.loc["today", "cover_days"])
    shelf = facts.loc["shelf"]
    assert (shelf.units_sold, shelf.velocity, shelf.cover_days) == (0, 0, 1000)


def test_without_a_stock_row_nothing_is_known_of_stock(facts: pd.DataFrame) -> None:
    unknown = ["available", "on_hand", "cover_days", "cover_days_low", "short_units", "mismatch_units", "lead_days"]
    assert facts.loc["uncounted", unknown].isna().all()
    assert facts.loc["half-known", ["available", "cover_days", "short_units"]].isna().all()
    assert facts.loc["uncounted", "velocity"] > 0


def test_warehouses_that_differ_do_not_cancel_out(facts: pd.DataFrame) -> None:
    mine = facts.loc["halves"]
    assert (mine.storefront_available, mine.warehouse_count, mine.available) == (15, 19, 14)
    assert (mine.mismatch_units, mine.warehouse_id) == (7, "BER")


def test_what_is_late_is_late_by_business_days(facts: pd.DataFrame) -> None:
    assert facts.loc["late", ["business_days_overdue", "late_units"]].tolist() == [5, 30]
    assert facts.loc["steady", "business_days_overdue"] == 0
    assert pd.isna(facts.loc["undated", "business_days_overdue"])
    assert pd.isna(facts.loc["undated", "days_to_inbound"])


def test_who_came_first_is_served_first_and_what_arrives_in_time_is_kept(facts: pd.DataFrame) -> None:
    mine = facts[(facts["sku"] == "queue")]
    product, orders = mine.loc["queue"], mine[mine["of_order"]]
    assert (product.awaiting_units, product.on_hand, product.short_units) == (10, 5, 5)
    # Five are there for the first two, and three arrive for the third; the fourth lacks one of two even so.
    assert len(orders) == 2
    fourth, fifth = orders.sort_values("order_id").itertuples()
    assert fourth.short_units == 2
    assert fifth.short_units == 1, "five are lacking up to it, and three arrive: whatever its promise, it is not kept"
    assert orders["first_of_order"].all()


def test_an_order_is_held_once_for_what_may_not_be_wanting_whatever_else_it_lacks(facts: pd.DataFrame) -> None:
    lacking = facts[facts["of_order"] & facts["sku"].str.startswith("lacks-")].set_index("sku")
    assert lacking["short_units"].isna().to_dict() == {
        "lacks-1-backorder": False, "lacks-2-undated": True, "lacks-3": False, "lacks-4": False,
    }  # fmt: skip
    assert lacking.index[lacking["first_of_order"]].tolist() == ["lacks-3"]


def test_a_rise_is_what_the_statistics_say_of_the_products_own_past(facts: pd.DataFrame) -> None:
    """The same numbers, worked out once more from the evidence by scipy's own test and its own correction."""
    asked = pd.DataFrame(book().tables["product_signals"])
    asked = asked[asked["kind"] == "availability_question"]
    days = (AS_OF - pd.to_datetime(asked["counted_at"])) / timedelta(days=1)
    rows = []
    for sku in ("always", "asked", "calm"):
        of = asked["sku"] == sku
        recent, everything = asked["count"][of & (days < 14)].sum(), asked["count"][of & (days < 70)].sum()
        rows.append((sku, recent, binomtest(recent, everything, 14 / 70, alternative="greater").pvalue))
    wanted = pd.DataFrame(rows, columns=["sku", "count", "p"]).set_index("sku")
    wanted["q"] = false_discovery_control(wanted["p"])
    assert facts.loc["asked", "question_count"] == wanted.loc["asked", "count"] == 26
    for sku in ("always", "asked"):
        assert facts.loc[sku, "question_q"] == pytest.approx(wanted.loc[sku, "q"])
    assert facts.loc["asked", "question_q"] < 0.001 < 0.05 < facts.loc["always", "question_q"]
    assert pd.isna(facts.loc["unheard", "question_q"]), "it has no past to compare with"
    assert facts.loc["shelf", "question_q"] == 1.0, "nobody asks about it"


def test_what_happens_later_is_not_seen(facts: pd.DataFrame) -> None:
    assert facts.loc["asked", ["recommended", "ranking", "message", "backorder"]].tolist() == [
        True,
        3,
        "In stock",
        "deny",
    ]
    assert facts.loc[["asked", "calm", "always"], "promoted"].tolist() == [True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "unknown"),
    [
        ("purchase_orders", ["days_to_inbound", "inbound_ordered", "business_days_overdue"]),
        pytest.param(
            "product_signals", ["question_count", "question_q", "preorder_cancellations"], marks=pytest.mark.large
        ),
        pytest.param("campaigns", ["promoted"], marks=pytest.mark.large),
        pytest.param("fulfillments", ["awaiting_units", "short_units"], marks=pytest.mark.large),
        ("inventory_levels", ["available", "cover_days", "short_units", "mismatch_units"]),
        pytest.param(
            "product_states", ["recommended", "ranking", "message", "ads", "backorder"], marks=pytest.mark.large
        ),
    ],
)
def test_what_a_source_does_not_tell_of_is_unknown_and_proposes_nothing(
    tower: Any, tmp_path: Path, without: str, unknown: list[str]
) -> None:
    facts = looked(tmp_path / "export", tower, (without,))
    assert facts.loc["steady", unknown].isna().all()
    assert tower.report.proposals == {}
