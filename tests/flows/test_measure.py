"""Every measure against a worked example of a dozen orders, by hand: the window, and each thing it is told by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy.stats import t as student
from sqlalchemy import insert

from control_tower.ledger.tables import CaseRow, EffectRow, ProposalRow, RulingRow
from flows.measure import measure_shop
from policies.measures import measures
from tasks.measure import By, Measurement, sections_of
from tasks.measured import Measured
from tests.flows.conftest import AS_OF, own_tower

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGIN = AS_OF - 20 * DAY


def moments(**days: float) -> dict[str, datetime]:
    return {name: BEGIN + day * DAY for name, day in days.items()}


def a_shop(folder: Path) -> None:
    """Twelve orders of 100.00 EUR each, placed a day apart; what is true of each is said beside it.

    The even ones are of two chairs and go with bolt, the odd ones of a lamp and go with acme. Five more were paid
    before, so that there is a month to settle in.
    """
    orders, lines, payments, promises, parcels, contacts, refunds, returns, inspections, disputes = (
        [] for _ in range(10)
    )
    for n in range(12):
        id, placed = f"o{n}", BEGIN + n * DAY
        cancelled = n in (10, 11)
        late = {2: 2.0, 3: 30.0}.get(n, -6.0)  # hours after its ship-by, two days after it was placed
        held = n == 4 or n == 10  # 4 is still here, 10 was cancelled before it left; 11 was cancelled on its way
        orders.append({"order_id": id, "customer_id": f"c{n}", "status": "cancelled" if cancelled else "approved",
                       "placed_at": placed, "approved_at": placed + HOUR, "currency": "EUR", "total_amount": 10000,
                       "cancelled_at": placed + 3 * DAY if cancelled else None})  # fmt: skip
        of, count = ("lamp", 1) if n % 2 else ("chair", 2)
        lines.append({"line_id": f"{id}-1", "order_id": id, "sku": of, "quantity": count, "final_sale": False,
                      "unit_amount": 10000 // count, "currency": "EUR", "warehouse_id": "W1"})  # fmt: skip
        payments.append({"payment_id": f"p{n}", "order_id": id, "amount": 10000, "currency": "EUR", "method": "card",
                         "paid_at": placed + HOUR})  # fmt: skip
        promises += [
            {"promise_id": f"{id}-s", "order_id": id, "kind": "ship_by", "due_at": placed + 2 * DAY, "by_day": False,
             "made_at": placed},
            {"promise_id": f"{id}-d", "order_id": id, "kind": "deliver_by", "due_at": placed + 5 * DAY,
             "by_day": False, "made_at": placed},
        ]  # fmt: skip
        if not held:
            over = placed + 2 * DAY + late * HOUR
            parcels.append({"fulfillment_id": f"f{n}", "order_id": id, "status": "in_transit",
                            "carrier": "acme" if n % 2 else "bolt", "warehouse_id": "W2" if n in (8, 9) else "W1",
                            "label_created_at": over - HOUR, "handed_over_at": over,
                            "delivered_at": placed + 4 * DAY if n in (0, 1, 6, 7) else None})  # fmt: skip
    # Settled a month before: three of five, for one was paid at the bank, and one two months ago.
    for n, (days, method) in enumerate(((40, "card"), (39, "card"), (38, None), (40, "bank_transfer"), (75, "card"))):
        id, paid = f"before{n}", AS_OF - days * DAY
        orders.append({"order_id": id, "customer_id": f"b{n}", "status": "approved", "placed_at": paid - HOUR,
                       "approved_at": paid, "currency": "EUR", "total_amount": 10000})  # fmt: skip
        payments.append({"payment_id": f"q{n}", "order_id": id, "amount": 10000, "currency": "EUR", "method": method,
                         "paid_at": paid})  # fmt: skip
    # Order 5's customer asks after the promise, and order 6's before it, and order 7's about a bill.
    for n, after, topic, text in ((5, 6, "delivery", None), (6, 4, "delivery", None), (7, 6, "payment", "my invoice?"),
                                  (8, 6, None, "I have not received my order")):  # fmt: skip
        contacts.append({"contact_id": f"k{n}", "order_id": f"o{n}", "channel": "mail", "topic": topic, "text": text,
                         "contacted_at": BEGIN + (n + after) * DAY})  # fmt: skip
    # Return 0: asked on day 8, here on 10, looked at on 11, repaid on 13. Return 1: asked on day 9, repaid on 12,
    # and here on 19. Return 2: used, so half of its 100.00 is owed, and 80.00 were repaid. Return 3: 25.00 were
    # repaid twice, and 10.00 between. Order 3 was repaid 60.00 and 60.00 of its 100.00, of no return.
    for n, order, of, at in (
        (0, "o0", "chair", moments(requested_at=8, approved_at=8, received_at=10, closed_at=13)),
        (1, "o1", "lamp", moments(requested_at=9, approved_at=9, received_at=19)),
        (2, "o6", "chair", moments(requested_at=12, approved_at=12, received_at=13, closed_at=15)),
        (3, "o7", "lamp", moments(requested_at=12, approved_at=12, received_at=15, closed_at=18)),
    ):
        returns.append({"return_id": f"r{n}", "order_id": order, "line_id": f"{order}-1", "sku": of, "gift": False,
                        "quantity": 2 if of == "chair" else 1, "reason": "unwanted" if n > 1 else None,
                        "status": "refunded" if "closed_at" in at else "received", **at})  # fmt: skip
    for n, order, condition, day in ((0, "o0", "as_new", 11), (2, "o6", "used", 14), (3, "o7", "as_new", 16.5)):
        inspections.append({"inspection_id": f"i{n}", "return_id": f"r{n}", "order_id": order, "condition": condition,
                            "disposition": "restock", **moments(inspected_at=day)})  # fmt: skip
    for id, order, back, amount, day in (
        ("a", "o0", "r0", 10000, 13),
        ("b", "o1", "r1", 4000, 12),
        ("c", "o3", None, 6000, 5),
        ("d", "o3", None, 6000, 5.2),
        ("e", "o6", "r2", 8000, 15),
        ("f", "o7", "r3", 2500, 17),
        ("h", "o7", "r3", 1000, 17.5),
        ("g", "o7", "r3", 2500, 18),
    ):
        refunds.append({"refund_id": id, "order_id": order, "return_id": back, "amount": amount, "currency": "EUR",
                        "method": "original", **moments(refunded_at=day)})  # fmt: skip
    disputes.append({"dispute_id": "d0", "order_id": "o9", "reason": "fraudulent", **moments(opened_at=18)})
    levels = [
        {"level_id": f"{of}{day}", "sku": of, "warehouse_id": "W1", "available": left, "counted_at": BEGIN + day * DAY}
        for of, day, left in (("lamp", 0, 2), ("lamp", 5, 0), ("lamp", 10, 3), ("chair", 0, 100))
    ]
    tables = {
        "orders": orders,
        "order_lines": lines,
        "payments": payments,
        "promises": promises,
        "fulfillments": parcels,
        "support_contacts": contacts,
        "refunds": refunds,
        "returns": returns,
        "inspections": inspections,
        "disputes": disputes,
        "inventory_levels": levels,
    }
    folder.mkdir()
    for name, rows in tables.items():
        frame = pd.DataFrame(rows).assign(observed_at=AS_OF)
        for column in [each for each in frame if str(each).endswith("_at")]:
            frame[column] = pd.to_datetime(frame[column], utc=True)
        frame.to_parquet(folder / f"{name}.parquet", index=False)


def a_book(tower: Any, shop: str) -> None:
    """Six cases, closed after 12, 36, 30 and 40 hours, or still open; two proposals ruled on, one expired."""

    def case(
        id: str, lane: str, order: str, kinds: list[str], opened: datetime, closed: datetime | None
    ) -> dict[str, Any]:
        team = "fraud-review" if lane == "fraud" else "warehouse"
        return {"id": id, "lane": lane, "shop": shop, "pivot": f"order:{order}", "title": id, "material": "m",
                "standing": "closed" if closed else "open", "severity": "sev2", "team": team, "owner": "",
                "amount": 10000, "currency": "EUR", "priority": 1.0, "due_at": opened, "opened_at": opened,
                "seen_as_of": opened, "closed_at": closed, "body": {"orders": [order], "kinds": kinds}}  # fmt: skip

    late = BEGIN + 4 * DAY  # order 2's ship-by
    cases = [
        case("0a" * 6, "fulfilment", "o2", ["stuck_order"], late + 3 * HOUR, late + 15 * HOUR),
        case("1b" * 6, "fulfilment", "o4", ["stuck_order"], BEGIN + 6 * DAY + 5 * HOUR, None),
        case("2c" * 6, "fraud", "o9", ["identity_burst"], BEGIN + 9 * DAY, BEGIN + 10.5 * DAY),
        case("05" * 6, "fraud", "o3", ["identity_burst"], BEGIN + 3.5 * DAY, BEGIN + 3.5 * DAY + 30 * HOUR),
        case("3d" * 6, "fraud", "o0", ["identity_burst"], AS_OF - 9 * HOUR, None),
        case("4e" * 6, "fraud", "o8", ["identity_burst"], BEGIN + 13.5 * DAY, BEGIN + 13.5 * DAY + 40 * HOUR),
    ]
    proposals = [
        {"digest": d * 64, "case_id": c, "order_id": o, "standing": s, "opened_at": BEGIN + 9 * DAY,
         "body": {"action": a}}
        for d, c, o, s, a in (("a", "2c" * 6, "o9", "done", "hold"), ("b", "0a" * 6, "o2", "rejected", "reship"),
                              ("c", "1b" * 6, "o4", "expired", "reship"))
    ]  # fmt: skip
    rulings = [
        {"proposal": d * 64, "round": 1, "verdict": v, "approver": who, "reason": "", "via": "command",
         "ruled_at": BEGIN + 9 * DAY + h * HOUR, "covered": {}}
        for d, v, who, h in (("a", "approve", "ana", 2), ("b", "reject", "ben", 8))
    ]  # fmt: skip
    effects = [
        {"key": "e" * 64, "action": "reship", "order_id": "o3", "state": "confirmed", "lane": "fulfilment",
         "shop": shop, "prior": {},
         "intended_at": BEGIN + 12 * DAY, "changed_at": BEGIN + 12 * DAY},
        {"key": "f" * 64, "action": "reship", "order_id": "o5", "state": "unknown", "lane": "fulfilment",
         "shop": shop, "prior": {},
         "intended_at": BEGIN + 12 * DAY, "changed_at": BEGIN + 12 * DAY},
    ]  # fmt: skip
    with tower.ledger.write() as session:
        for row, rows in ((CaseRow, cases), (ProposalRow, proposals), (RulingRow, rulings), (EffectRow, effects)):
            session.execute(insert(row), rows)


@pytest.fixture(scope="module")
def dozen(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[str]:
    """The dozen orders as a source, in a tower whose book has the six cases."""
    with own_tower(tmp_path_factory.mktemp("worked"), deployed) as tower:
        folder = tmp_path_factory.mktemp("dozen") / "shop"
        a_shop(folder)
        from control_tower.sources import open_source

        a_book(tower, open_source(f"folder:{folder}", None, tower.settings).shop.id)
        yield f"folder:{folder}"


@pytest.fixture(scope="module")
def worked(dozen: str) -> Measurement:
    return measure_shop(dozen, as_of=AS_OF, weeks=4)


def one(found: Measurement, name: str) -> Measured:
    (told,) = (each for each in found.together if each.measure == name)
    return told


@pytest.mark.parametrize(
    ("name", "n", "value"),
    [
        # due in the window and not cancelled by then: all 12; handed over too late: 2 and 3; not at all: 4 and 10
        ("stuck_orders", 12, 4 / 12),
        # handed over: all but 4 and 10; late: 2 and 3
        ("late_shipments", 10, 2 / 10),
        # of those, asked after the promise and before it came: 5, and 8 in plain words
        ("late_shipment_contacts", 10, 2 / 10),
        # one is open since 9 hours, so five are left: 4/5 last longer than 12, 3/5 than 30, and of the three that then
        # are left, one is over at 36: 3/5·2/3 = 2/5. The other open one has lasted for 13 days.
        ("exception_time", 6, 36.0),
        # 3 and 5 hours after the promise
        ("detection_lag", 2, 3.0),
        # 24, 48, 72 and 240 hours
        ("return_receipt", 4, 48.0),
        # 24, 24 and 36 hours, and one waits since 24: half are over
        ("return_inspection", 4, 24.0),
        # 48, 24 and, to the first of its two refunds, 12 hours
        ("return_refund", 3, 24.0),
        # 120, 72, 72 and 120 hours
        ("return_processing", 4, 72.0),
        # one confirmed: a label of 5.90, ten minutes of 25.00, and half of 100.00; the unknown one is not counted
        ("reshipment_cost", 12, 590 + 2500 / 6 + 5000),
        # b came before its goods; c and d are 20.00 above what was paid; e is 30.00 above the half that its policy owes
        # for what was used; g is f again. Nothing is wrong with a, f and h.
        ("refund_leakage", 8, 4000 + 2000 + 3000 + 2500),
        # 10 before it left; 11 was on its way
        ("cancellations", 12, 1 / 12),
        # lamps: counted 2, 0 and 3; none on the five days from the second count to the third. Chairs: 100 on all twenty
        ("stockout_days", 40, 5 / 40),
        # six lamps and twelve chairs were sold: a day without lamps weighs half of a day without chairs
        ("stockout_demand", 40, 5 * 6 / (20 * 6 + 20 * 12)),
        # lamps of the orders 1, 3, 5, 7, 9, 11: 2 left for 1 and 3; none for 5, 7 and 9; 3 for 11; chairs for all
        ("oversold_lines", 12, 3 / 12),
        # ruled on after 2 hours, closed without a ruling after 30 and 40, open since 9: 3/4, then 3/4·1/2
        ("fraud_review_time", 4, 30.0),
        # order 9 was ruled on and order 3 closed before their promise; 8 was closed after it, and 0 waits past it
        ("fraud_before_cut_off", 4, 2 / 4),
        ("chargebacks_visa", 12, 1 / 12),
        # one dispute in the window, three card payments of a month before
        ("chargebacks_mastercard", 3, 1 / 3),
        # order 8's customer wrote while its case was open; nobody else did
        ("contact_after_exception", 6, 1 / 6),
        # ruled after 2 and 8 hours, and never: half are over at 8
        ("time_to_rule", 3, 8.0),
        ("overrides", 2, 1 / 2),
        ("expiries", 3, 1 / 3),
    ],
)
def test_a_measure_of_a_dozen_orders_is_what_it_comes_to_by_hand(
    worked: Measurement, name: str, n: int, value: float
) -> None:
    told = one(worked, name)
    assert (told.n, told.value) == (n, pytest.approx(value)), told


def test_the_slowest_tenth_of_fraud_reviews_is_told_with_the_open_one_censored(worked: Measurement) -> None:
    """After 2 hours 3/4 last, after 30 3/8, after 40 none. Were the open one taken for over, the median would be 9."""
    told = one(worked, "fraud_review_time")
    assert (told.value, told.p90, told.open) == (30.0, 40.0, 1)


def test_the_slowest_tenth_is_not_told_while_too_many_are_open(worked: Measurement) -> None:
    """After 40 hours 2/5·1/2 = 1/5 last, and of what is open since 13 days nobody knows more."""
    told = one(worked, "exception_time")
    assert (told.value, told.p90, told.open) == (36.0, None, 2)


def test_each_kind_of_leakage_is_told_in_its_week(worked: Measurement) -> None:
    """Above what was paid; before anything arrived; above what the policy promised, and twice."""
    weeks = {each.group: each.value for each in worked.weeks if each.measure == "refund_leakage"}
    assert weeks == {"2026-10-12": 2000, "2026-10-19": 4000, "2026-10-26": 3000 + 2500}


@pytest.mark.parametrize(
    ("by", "group", "name", "n", "value"),
    [
        # closed after 36, 30 and 40 hours, open since 9: 2/3 last longer than 30, 1/3 than 36
        ("lane", "fraud", "exception_time", 4, 36.0),
        # of the warehouse's two cases one is over after 12 hours
        pytest.param("owner", "warehouse", "exception_time", 2, 12.0, marks=pytest.mark.large),
        # bolt took the orders 0, 2, 6 and 8, and 2 was late
        pytest.param("carrier", "bolt", "late_shipments", 4, 1 / 4, marks=pytest.mark.large),
        # all but 8 and 9 are W1's; 2 and 3 left late, 4 and 10 not at all
        pytest.param("warehouse", "W1", "stuck_orders", 10, 4 / 10, marks=pytest.mark.large),
        # a and e are of chairs: 80.00 where half of 100.00 was owed
        pytest.param("product", "chair", "refund_leakage", 2, 3000, marks=pytest.mark.large),
        # the promises of the orders 4 to 10 fell between this Monday and the next; 4 and 10 were not kept
        pytest.param("week", "2026-10-19", "stuck_orders", 7, 2 / 7, marks=pytest.mark.large),
        # ana approved, ben rejected
        pytest.param("approver", "ben", "overrides", 1, 1.0, marks=pytest.mark.large),
    ],
)
def test_a_measure_told_by_something_is_what_it_comes_to_by_hand(
    dozen: str, worked: Measurement, by: By, group: str, name: str, n: int, value: float
) -> None:
    found = worked if by == "lane" else measure_shop(dozen, as_of=AS_OF, weeks=4, by=by)
    (told,) = (each for each in found.groups if (each.measure, each.group) == (name, group))
    assert (told.n, told.value) == (n, pytest.approx(value)), told


def test_a_measure_by_approver_shows_who_carries_the_load(worked: Measurement) -> None:
    load = {each.group: each.n for each in worked.approvers if each.measure == "overrides"}
    assert load == {"ana": 1, "ben": 1}


def test_without_a_holdout_no_margin_is_claimed(worked: Measurement) -> None:
    told = one(worked, "gross_margin_impact")
    assert told.value is None and told.missing == ("a holdout",)


@pytest.mark.slow
def test_with_a_holdout_the_margin_is_what_it_comes_to_by_hand(dozen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every twentieth case by its id: those of the orders 2 and 3. Nothing was lost on 2; on 3 two refunds of 60.00 and
    a reship. Of the four others 100.00 were lost on order 9, by a dispute, and on 0, 4 and 8 nothing since.
    """
    paper = measures()
    held = paper.model_copy(update={"holdout": paper.holdout.model_copy(update={"share": 0.05})})
    monkeypatch.setattr("tasks.book.measures", lambda: held)
    told = one(measure_shop(dozen, as_of=AS_OF, weeks=4), "gross_margin_impact")
    lost = 2 * 6000 + 590 + 2500 / 6 + 5000
    apart = lost / 2 - 10000 / 4
    assert (told.n, told.over, told.value) == (4, 2, pytest.approx(4 * apart))
    # Welch 1947, by hand: the squared standard errors of two means, and his degrees of freedom.
    held_out, rest = lost**2 / 2 / 2, (7500**2 + 3 * 2500**2) / 3 / 4
    freedom = (held_out + rest) ** 2 / (held_out**2 / 1 + rest**2 / 3)
    wide = student(freedom).ppf(0.975) * (held_out + rest) ** 0.5
    assert (told.low, told.high) == (pytest.approx(4 * (apart - wide)), pytest.approx(4 * (apart + wide)))


def test_every_measure_on_paper_is_made_of_rows_and_none_else() -> None:
    from flows.measure import EVIDENCE

    _, queries = sections_of(EVIDENCE.signals)
    assert set(queries) == {each.id for each in measures().measures}


@pytest.mark.slow
def test_what_a_shop_does_not_tell_of_is_not_measured_and_not_nought(tower: Any, tmp_path: Path) -> None:
    a_shop(tmp_path / "shop")
    for table in ("support_contacts", "inventory_levels", "disputes"):
        (tmp_path / "shop" / f"{table}.parquet").unlink()
    found = measure_shop(f"folder:{tmp_path / 'shop'}", as_of=AS_OF, weeks=4)
    lacking = {each.measure: each.missing for each in found.together if each.missing}
    assert lacking["stockout_days"] == ("inventory_levels",)
    assert lacking["late_shipment_contacts"] == ("support_contacts",)
    assert all(one(found, name).value is None for name in lacking)
