"""The signals of the returns lane, from evidence that is written out: what is matched, counted, unknown, a spike."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)


def ago(days: float) -> str:
    return (AS_OF - timedelta(days=days)).isoformat()


def write(folder: Path, table: str, rows: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / f"{table}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)


class Book:
    """Evidence, a line at a time."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in ("orders", "order_lines", "payments", "fulfillments", "returns", "inspections", "refunds")
        }

    def add(self, table: str, **row: Any) -> None:
        self.tables[table].append(row | {"observed_at": AS_OF.isoformat()})

    def sold(
        self, order: str, customer: str, days: float, *lines: tuple[str, int, int], delivered: float | None
    ) -> None:
        """An order placed so many days ago; lines of sku, quantity and price; delivered so many days ago."""
        self.add(
            "orders", order_id=order, customer_id=customer, status="processing", placed_at=ago(days),
            approved_at=ago(days), currency="EUR", total_amount=sum(q * p for _, q, p in lines),
        )  # fmt: skip
        for number, (sku, quantity, price) in enumerate(lines, 1):
            self.add(
                "order_lines", line_id=f"{order}-{number}", order_id=order, sku=sku, quantity=quantity,
                unit_amount=price, currency="EUR", final_sale=False,
            )  # fmt: skip
        total = sum(q * p for _, q, p in lines)
        if total:
            self.add(
                "payments", payment_id=f"p-{order}", order_id=order, amount=total, currency="EUR", paid_at=ago(days)
            )
        self.add(
            "fulfillments", fulfillment_id=f"f-{order}", order_id=order,
            status="delivered" if delivered else "in_transit", handed_over_at=ago(days - 1),
            delivered_at=ago(delivered) if delivered else None,
        )  # fmt: skip

    def back(self, name: str, days: float, sku: str, **told: Any) -> None:
        """A return that was asked for so many days ago."""
        self.add(
            "returns",
            **{"return_id": name, "sku": sku, "quantity": 1, "status": "requested", "requested_at": ago(days)} | told,
        )

    def repaid(self, name: str, of: str, days: float, amount: int, **told: Any) -> None:
        self.add(
            "refunds",
            **{"refund_id": name, "return_id": of, "amount": amount, "currency": "EUR", "refunded_at": ago(days)}
            | told,
        )


def book() -> Book:
    known = Book()
    # Ana bought the lamp twice and once got it for nothing; what she returns without papers is of the last one paid.
    known.sold("a1", "ana", 90, ("lamp", 1, 4000), ("book", 2, 900), delivered=85)
    known.sold("a2", "ana", 60, ("lamp", 1, 5000), delivered=50)
    known.sold("a3", "ana", 55, ("lamp", 1, 0), delivered=49)
    known.sold("a4", "ana", 5, ("lamp", 1, 6000), delivered=3)
    known.back("r-line", 40, "lamp", order_id="a1", line_id="a1-1", customer_id="ana", reason="unwanted")
    known.back("r-order", 41, "lamp", order_id="a2", customer_id="ana", reason="unwanted")
    known.back("r-customer", 30, "lamp", customer_id="ana", reason="unwanted")
    known.back("r-nobody", 30, "lamp", customer_id="zoe", reason="unwanted")
    known.back("r-early", 4, "lamp", order_id="a4", customer_id="ana", reason="unwanted")
    # Ben's parcel never arrived, so nobody can say how long he held it.
    known.sold("b1", "ben", 20, ("vase", 1, 3000), delivered=None)
    known.back("r-never", 5, "vase", order_id="b1", customer_id="ben", reason="late_delivery")
    known.sold("b2", "ben", 6, ("kite", 1, 3000), delivered=5)
    known.back("r-new", 2, "kite", order_id="b2", customer_id="ben", reason="defective")
    # Money: once, in parts that differ, twice the same, more than was paid, and before it came back.
    known.sold("c1", "cleo", 60, *[("mug", 1, 2000)] * 5, delivered=55)
    for number, name in enumerate(("r-once", "r-parts", "r-twice", "r-more", "r-before"), 1):
        known.back(
            name, 40, "mug", order_id="c1", line_id=f"c1-{number}", customer_id="cleo", reason="color",
            received_at=ago(35), status="refunded",
        )  # fmt: skip
        known.add(
            "inspections", inspection_id=f"i-{name}", return_id=name, order_id="c1", condition="as_new",
            disposition="restock", inspected_at=ago(34),
        )  # fmt: skip
    known.repaid("m1", "r-once", 30, 2000, order_id="c1")
    known.repaid("m2", "r-parts", 30, 1500, order_id="c1")
    known.repaid("m3", "r-parts", 29, 500, order_id="c1")
    known.repaid("m4", "r-twice", 30, 1000, order_id="c1")
    known.repaid("m5", "r-twice", 20, 1000, order_id="c1")
    known.repaid("m6", "r-more", 30, 1700, order_id="c1")
    known.repaid("m7", "r-more", 28, 800, order_id="c1")
    known.repaid("m8", "r-before", 36, 1999, order_id="c1")
    # Dan's pen was a present of the shop; Eve's order came in two parcels, one of them after she asked.
    known.sold("d1", "dan", 50, ("pen", 1, 0), delivered=45)
    known.back("r-free", 20, "pen", customer_id="dan")
    known.sold("e1", "eve", 80, ("desk", 1, 9000), ("chair", 1, 4000), delivered=75)
    known.add(
        "fulfillments", fulfillment_id="f-e1-2", order_id="e1", status="delivered", handed_over_at=ago(9),
        delivered_at=ago(5),
    )  # fmt: skip
    known.back("r-parcels", 20, "desk", order_id="e1", customer_id="eve", photos="photo-1")
    # Fay was refused once, a month after she had asked.
    known.sold("g1", "fay", 90, *[("cup", 1, 700)] * 3, delivered=85)
    for name, days in (("r-refused", 40), ("r-meanwhile", 20), ("r-afterwards", 5)):
        closed = {"status": "rejected", "closed_at": ago(10)} if name == "r-refused" else {}
        known.back(name, days, "cup", order_id="g1", customer_id="fay", **closed)
    # Gus was repaid for one of two hats before it arrived, by a refund that names no order.
    known.sold("h1", "gus", 60, ("hat", 2, 1000), delivered=55)
    known.back("r-hat", 40, "hat", customer_id="gus")
    known.repaid("m9", "r-hat", 30, 1000)
    # Hal was repaid by the desk, and half a day later by somebody who named no return.
    known.sold("i1", "hal", 60, ("bag", 1, 1500), delivered=55)
    known.back("r-bag", 40, "bag", order_id="i1", customer_id="hal", received_at=ago(33))
    known.repaid("m10", "r-bag", 30, 1500, order_id="i1")
    known.repaid("m11", "", 29.5, 1500, order_id="i1")
    # Ida sent a lid and a pot back; 800 was repaid on the order, and nobody said for which.
    known.sold("j1", "ida", 60, ("lid", 1, 800), ("pot", 1, 2500), delivered=55)
    for name, sku in (("r-lid", "lid"), ("r-pot", "pot"), ("r-bowl", "bowl")):
        known.back(
            name, 40, sku, order_id="j1" if sku != "bowl" else "k1", customer_id="ida", received_at=ago(33),
            status="inspected", reason="defective", gift="false", method_wanted="original",
        )  # fmt: skip
        known.add(
            "inspections", inspection_id=f"i-{name}", return_id=name, condition="as_new", disposition="restock",
            inspected_at=ago(32),
        )  # fmt: skip
    known.sold("k1", "ida", 60, ("bowl", 1, 2500), delivered=55)
    known.back("r-lid-later", 3, "lid", order_id="j1", customer_id="ida")
    known.repaid("m12", "r-pot", 29, 2500, order_id="j1")
    known.repaid("m13", "", 29, 800, order_id="j1")
    # A shirt that lately comes back as too small, and a scarf that always did.
    for number in range(200):
        known.sold(
            f"s{number}", f"u{number}", 200 - number, ("shirt", 1, 1000), ("scarf", 1, 1000), delivered=199 - number
        )
    for number in range(20):
        days = 2 + number / 2
        known.back(f"shirt-{number:02}", days, "shirt", order_id=f"s{150 + number}", reason="size_too_small")
    for number in range(4):
        known.back(f"shirt-old-{number}", 60 + number, "shirt", order_id=f"s{100 + number}", reason="size_too_small")
    for number in range(30):
        known.back(
            f"scarf-{number:02}",
            6 * number + 1,
            "scarf",
            order_id=f"s{180 - 6 * number if number < 30 else 0}",
            reason="color",
        )
    known.back("shirt-unsaid", 3, "shirt", order_id="s190")
    return known


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[dict[str, pd.DataFrame]]:
    """What one look kept, by step."""
    from flows.watch_returns import watch_returns
    from tests.flows.conftest import own_tower

    folder = tmp_path_factory.mktemp("evidence")
    for table, rows in book().tables.items():
        write(folder, table, rows)
    (folder / "shop.yaml").write_text("id: small\ntime_zone: Europe/Berlin\ncountry: DE\ncurrency: EUR\n")
    with own_tower(tmp_path_factory.mktemp("tower"), deployed) as tower:
        report = watch_returns(source=f"folder:{folder}", as_of=AS_OF, dry_run=True)
        assert report.quarantined == dict.fromkeys(report.quarantined, 0)
        yield {step: tower.kept(report, step) for step in ("detect", "judge", "recommend")}


@pytest.fixture(scope="module")
def facts(looked: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return looked["detect"].set_index("return_id")


def test_a_return_is_of_its_line_or_of_its_orders_line_or_of_the_customers_last_purchase(facts: pd.DataFrame) -> None:
    assert facts.loc[["r-line", "r-order", "r-customer"], "line_id"].tolist() == ["a1-1", "a2-1", "a2-1"]
    assert facts.loc[["r-line", "r-order", "r-customer"], "paid_amount"].tolist() == [4000, 5000, 5000]


def test_a_return_without_a_purchase_on_file_is_known_to_be_nothing(facts: pd.DataFrame) -> None:
    unmatched = facts.loc["r-nobody", ["order_id", "line_id", "paid_amount", "days_held", "bought_on", "currency"]]
    assert unmatched.isna().all()


def test_days_are_counted_from_delivery_to_the_request(facts: pd.DataFrame) -> None:
    assert facts.loc["r-line", "days_held"] == pytest.approx(45)
    assert facts.loc["r-order", "days_held"] == pytest.approx(9)
    assert facts.loc["r-early", "days_held"] == 0, "what is asked back before it arrives was held for no days"
    assert pd.isna(facts.loc["r-never", "days_held"]), "what never arrived was held by nobody"


def test_a_customer_is_counted_as_of_the_request_and_without_the_return_itself(facts: pd.DataFrame) -> None:
    asked = facts.loc[["r-order", "r-line", "r-customer", "r-early"]]
    assert asked["customer_orders"].tolist() == [3, 3, 3, 4]
    assert asked["customer_returns"].tolist() == [0, 1, 2, 3]
    assert asked["customer_spent_amount"].tolist() == [10800, 10800, 10800, 16800]
    assert facts.loc["r-early", "customer_returns_total"] == 4


def test_what_was_given_away_is_a_purchase_where_there_is_no_other(facts: pd.DataFrame) -> None:
    assert facts.loc["r-free", ["line_id", "paid_amount"]].tolist() == ["d1-1", 0]


def test_of_several_parcels_the_last_that_had_arrived_counts(facts: pd.DataFrame) -> None:
    assert facts.loc["r-parcels", "days_held"] == pytest.approx(55)


def test_a_refusal_counts_from_when_it_was_made(facts: pd.DataFrame) -> None:
    assert facts.loc[["r-refused", "r-meanwhile", "r-afterwards"], "prior_refusals"].tolist() == [0, 0, 1]
    assert facts.loc[["r-refused", "r-meanwhile", "r-afterwards"], "customer_returns"].tolist() == [0, 1, 2]


def test_an_order_came_back_whole_when_every_piece_did(facts: pd.DataFrame) -> None:
    assert facts.loc["r-hat", "customer_full_returns"] == 0, "one of two hats"
    assert facts.loc["r-parcels", "customer_full_returns"] == 0, "a desk without its chair"
    assert facts.loc["r-afterwards", "customer_returns_total"] == 3
    assert facts.loc["r-new", "customer_full_returns"] == 2, "the vase and the kite"


def test_a_refund_that_names_only_its_return_is_of_the_order_of_that_return(facts: pd.DataFrame) -> None:
    hat = facts.loc["r-hat", ["order_id", "order_refunded_amount", "order_refundable_amount"]]
    assert hat.tolist() == ["h1", 1000, 1000]


def test_a_refund_of_what_has_not_arrived_is_before_it_arrived(facts: pd.DataFrame) -> None:
    assert facts.loc["r-hat", ["received", "first_refund_before_received"]].tolist() == [False, True]


def test_the_same_amount_of_one_order_within_a_day_is_twice_where_one_names_no_return(facts: pd.DataFrame) -> None:
    assert facts.loc["r-bag", ["refund_count", "repeated_refund"]].tolist() == [1, True]


def test_no_photo_is_none_where_the_source_tells_of_photos(facts: pd.DataFrame) -> None:
    assert facts.loc[["r-parcels", "r-line"], "has_photos"].tolist() == [True, False]


def test_a_refund_in_parts_is_one_refund_and_the_same_twice_is_two(facts: pd.DataFrame) -> None:
    names = ["r-once", "r-parts", "r-twice", "r-more", "r-before"]
    assert facts.loc[names, "repeated_refund"].tolist() == [False, False, True, True, False]
    assert facts.loc[names, "refunded_amount"].tolist() == [2000, 2000, 2000, 2500, 1999]
    assert facts.loc[names, "first_refund_before_received"].tolist() == [False, False, False, False, True]


def test_a_spike_is_what_the_statistics_say_of_the_products_own_past(facts: pd.DataFrame) -> None:
    """The same numbers, worked out once more from the evidence by scipy's own test and its own correction."""
    from scipy.stats import binomtest, false_discovery_control

    sold = pd.DataFrame(book().tables["order_lines"]).merge(
        pd.DataFrame(book().tables["orders"])[["order_id", "placed_at"]]
    )
    sold["placed"] = pd.to_datetime(sold["placed_at"])
    asked = pd.DataFrame(book().tables["returns"]).dropna(subset="reason")
    asked["at"] = pd.to_datetime(asked["requested_at"])
    recent, past = AS_OF - timedelta(days=14), AS_OF - timedelta(days=194)

    def exposed(sku: str, first: datetime, last: datetime) -> float:
        of = sold[sold["sku"] == sku]
        ends = (of["placed"] + timedelta(days=45)).clip(upper=last)
        return float((of["quantity"] * (ends - of["placed"].clip(lower=first)).dt.total_seconds().clip(lower=0)).sum())

    tested = []
    for (sku, reason), group in asked[(asked["at"] >= past) & (asked["at"] < AS_OF)].groupby(["sku", "reason"]):
        now, before = exposed(sku, recent, AS_OF), exposed(sku, past, recent)
        if now and before:
            count = int((group["at"] >= recent).sum())
            p = binomtest(count, len(group), now / (now + before), alternative="greater").pvalue
            tested.append((sku, reason, count, p))
    wanted = pd.DataFrame(tested, columns=["sku", "reason", "count", "p"])
    wanted["q"] = false_discovery_control(wanted["p"])
    for row in wanted[wanted["count"] > 0].itertuples():
        mine = facts[(facts["sku"] == row.sku) & (facts["reason"] == row.reason) & (facts["requested_at"] >= recent)]
        assert set(mine["spike_count"]) == {row.count}
        assert mine["spike_q"].tolist() == pytest.approx([row.q] * len(mine))


def test_what_lately_comes_back_is_a_spike_and_what_always_did_is_none(facts: pd.DataFrame) -> None:
    assert facts.loc["shirt-00", "spike_q"] < 0.001
    assert facts.loc["scarf-00", "spike_q"] > 0.05
    assert facts.loc["shirt-old-0", "spike_q"] == 1.0, "an older return is no part of the question"


def test_without_a_reason_or_a_past_a_spike_is_unknown(facts: pd.DataFrame) -> None:
    assert pd.isna(facts.loc["shirt-unsaid", "spike_q"])
    assert pd.isna(facts.loc["r-new", "spike_q"]), "the kite was never sold before these days"


def test_a_refund_that_names_no_return_leaves_it_unknown_which_of_the_order_was_repaid(facts: pd.DataFrame) -> None:
    money = ["refunded", "refunded_amount", "refund_count", "first_refund_before_received", "repeated_refund"]
    assert facts.loc["r-lid", money].isna().all(), "it may have been for the lid"
    assert facts.loc["r-pot", ["refunded", "refunded_amount"]].tolist() == [True, 2500], "that was said"
    assert facts.loc["r-lid-later", ["refunded", "refunded_amount"]].tolist() == [False, 0], "asked for afterwards"


def test_nothing_is_proposed_for_what_may_have_been_repaid(looked: dict[str, pd.DataFrame]) -> None:
    late = looked["judge"].query("kind == 'late_refund'").set_index("subject")["answer"]
    assert late[["r-lid", "r-bowl"]].tolist() == ["unknown", "yes"]
    assert looked["recommend"]["subject"].tolist() == ["r-bowl"]
