"""The returns of a generated shop are believable, and what is planted in them is the truth and all of it.

The rules here are written from the words of the business, over the rows that the shop's own source
gives; they share nothing with the generator but the numbers of the returns and refunds policies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import holidays
import numpy as np
import pandas as pd
import pytest
from _pytest.mark import ParameterSet
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, false_discovery_control

from control_tower.stores.generator import KINDS, RETURN_KINDS, Rates, Truth, generate
from control_tower.stores.generator.spikes import discoveries
from control_tower.stores.shop import EmbeddedShop
from control_tower.stores.tables import kinds_of

BERLIN = "Europe/Berlin"
MOMENTS = {
    "a Wednesday morning": datetime(2026, 3, 4, 8, 30, tzinfo=UTC),
    "a Sunday night on which the clocks go forward": datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    "Easter Monday": datetime(2026, 4, 6, 16, 45, tzinfo=UTC),
    "the day after New Year": datetime(2026, 1, 2, 6, 0, tzinfo=UTC),
    "in the last days of the holiday season's returns": datetime(2026, 1, 28, 10, 0, tzinfo=UTC),
    "when the season's returns are over": datetime(2026, 2, 12, 10, 0, tzinfo=UTC),
    "in the middle of an ordinary autumn": datetime(2026, 11, 2, 9, 30, 0, 123456, tzinfo=UTC),
}


def moments(*of_every_suite: str) -> list[ParameterSet]:
    """All of them; those that not every suite looks at are marked large."""
    return [
        pytest.param(moment, id=name, marks=() if name in of_every_suite else pytest.mark.large)
        for name, moment in MOMENTS.items()
    ]


CLOSED = np.array(sorted(holidays.country_holidays("DE", years=range(2024, 2028))), "datetime64[D]")
OURS = ["not_as_described", "defective", "damaged_in_transit", "missing_parts", "wrong_item"]
DECIDED = ["refunded", "rejected", "cancelled"]
FORTNIGHT, MONTH = timedelta(days=14), timedelta(days=30)

Frames = dict[str, pd.DataFrame]
Truths = set[tuple[str, str]]


def frames_of(path: Path) -> Frames:
    """Every table as the shop's own source gives it."""
    shop = EmbeddedShop(f"sqlite:///{path}")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return {table: connection.sql(shop.relation(connection, table, kinds_of(table))).df() for table in shop.tables()}


def days(moments: pd.Series) -> np.ndarray:
    """Berlin's calendar days; NaT stays NaT."""
    return moments.dt.tz_convert(BERLIN).dt.tz_localize(None).to_numpy().astype("datetime64[D]")


def after_that_day(first: pd.Series, now: datetime) -> pd.Series:
    """Working days after the day of a moment, today included."""
    return _counted(first, now, 1, 1)


def from_that_day(first: pd.Series, now: datetime) -> pd.Series:
    """Working days from the day of a moment, today excluded."""
    return _counted(first, now, 0, 0)


def _counted(first: pd.Series, now: datetime, skip: int, include: int) -> pd.Series:
    today = np.datetime64(now.astimezone(ZoneInfo(BERLIN)).date())
    known = first.notna().to_numpy()
    day = np.where(known, days(first), today)
    count = np.busday_count(day + skip, today + include, holidays=CLOSED)
    return pd.Series(np.where(known, count, np.nan), index=first.index)


def lines_of(frames: Frames) -> pd.DataFrame:
    """Each order line with who bought it, when, and when it arrived."""
    orders = frames["orders"][["order_id", "customer_id", "placed_at"]]
    arrived = frames["fulfillments"][["order_id", "delivered_at"]]
    return frames["order_lines"].merge(orders, on="order_id").merge(arrived, on="order_id", how="left")


def facts_of(frames: Frames) -> pd.DataFrame:
    """One row for each return: the line it is of, what was found, and what went back."""
    lines, returns = lines_of(frames), frames["returns"].drop(columns=["observed_at", "unreadable"])
    by_line = returns.merge(
        lines.drop(columns=["customer_id", "sku", "order_id"]), on="line_id", suffixes=("", "_sold")
    )
    of_order = returns[returns.line_id.isna() & returns.order_id.notna()].drop(columns="line_id")
    by_order = of_order.merge(lines.drop(columns="customer_id"), on=["order_id", "sku"], suffixes=("", "_sold"))
    nameless = returns[returns.order_id.isna()].drop(columns=["order_id", "line_id"])
    by_customer = nameless.merge(lines, on=["customer_id", "sku"], suffixes=("", "_sold"))
    by_customer = by_customer[by_customer.placed_at < by_customer.requested_at]
    by_customer = by_customer.sort_values("placed_at").drop_duplicates("return_id", keep="last")
    facts = pd.concat([by_line, by_order, by_customer]).set_index("return_id").sort_index()
    assert facts.index.tolist() == returns.return_id.tolist(), "each return is of one line, and tells which"
    facts["inspected_at"] = frames["inspections"].set_index("return_id").inspected_at
    refunds = frames["refunds"].dropna(subset="return_id").groupby("return_id")
    facts["repaid"] = refunds.amount.sum().reindex(facts.index).fillna(0)
    facts["first_refund_at"] = refunds.refunded_at.min()
    facts["paid"] = facts.quantity * facts.unit_amount
    return facts


def in_season(moments: pd.Series) -> np.ndarray:
    """Bought from 1 November to Christmas Eve."""
    local = moments.dt.tz_convert(BERLIN)
    return ((local.dt.month == 11) | ((local.dt.month == 12) & (local.dt.day <= 24))).to_numpy()


def end_of_january(moments: pd.Series) -> pd.Series:
    """The end of the 31 January after."""
    years = moments.dt.tz_convert(BERLIN).dt.year + 1
    return pd.to_datetime(years.astype(str) + "-02-01").dt.tz_localize(BERLIN)


def paid_twice(frames: Frames) -> set[str]:
    """Two refunds of a return of one amount, or of an order within a day; parts that differ are none."""
    refunds = frames["refunds"].sort_values("refunded_at")
    found: set[str] = set()
    for who, within in (("return_id", timedelta(days=3650)), ("order_id", timedelta(days=1))):
        known = refunds.dropna(subset=[who])
        gap = known.groupby([who, "amount"]).refunded_at.diff()
        found |= set(known[gap <= within].return_id.dropna())
    return found


def repeat_returners(frames: Frames) -> set[str]:
    facts, lines = facts_of(frames), lines_of(frames)
    bought = lines.groupby("customer_id").agg(lines=("line_id", "count"), orders=("order_id", "nunique"))
    bought["back"] = facts.groupby("customer_id").size().reindex(bought.index).fillna(0)
    share = bought.back / bought.lines
    return set(bought.index[((bought.orders >= 3) & (share >= 0.4)) | (bought.back >= 5)])


def sold_lately(lines: pd.DataFrame, now: datetime) -> pd.Series:
    """Of the pieces of a product, the share that was sold in the month before the fortnight, and in it."""
    then = lines[lines.placed_at >= now - FORTNIGHT - MONTH].groupby("sku").quantity.sum()
    earlier = lines[lines.placed_at < now - FORTNIGHT].groupby("sku").quantity.sum()
    return then / (then + earlier)


def days_lately(lines: pd.DataFrame, now: datetime) -> pd.Series:
    """Of the days on which a piece can come back, six weeks for each, the share in the fortnight."""
    until = (lines.placed_at + timedelta(days=45)).clip(upper=now)
    recent = (until - lines.placed_at.clip(lower=now - FORTNIGHT)).clip(lower=timedelta(0))
    both = ((until - lines.placed_at) * lines.quantity).groupby(lines.sku).sum()
    return (recent * lines.quantity).groupby(lines.sku).sum() / both


def spikes(frames: Frames, now: datetime, lately: Callable[..., pd.Series] = sold_lately) -> set[tuple[str, str]]:
    """Products and reasons with more returns in the last fortnight than chance explains.

    Args:
        lately: what share of the returns of a product would fall into the fortnight by chance.
    """
    facts = facts_of(frames)
    recently = facts.requested_at >= now - FORTNIGHT
    recent = facts[recently].groupby(["sku", "reason"]).size()
    before = facts[~recently].groupby(["sku", "reason"]).size().reindex(recent.index).fillna(0)
    share = lately(lines_of(frames), now).reindex(recent.index.get_level_values("sku")).to_numpy()
    assert ((share > 0) & (share < 1)).all(), "what is returned now has a past to be compared with"
    chance = binom.sf(recent - 1, recent + before, share)
    return set(recent.index[false_discovery_control(chance) < 0.1]) if len(recent) else set()


def holding(
    frames: Frames, now: datetime, working_days: Callable[[pd.Series, datetime], pd.Series] = after_that_day
) -> Truths:
    """Every (return, kind) that holds, by the rules as a person would read them."""
    r = facts_of(frames)
    returners, spiked = repeat_returners(frames), spikes(frames, now)
    open_, held = ~r.status.isin(DECIDED), r.requested_at - r.delivered_at
    over = (held > MONTH) & ~(in_season(r.placed_at) & (r.requested_at < end_of_january(r.placed_at)))
    inspected, repaid = r.inspected_at.notna(), r.repaid > 0
    found = {
        "return_outside_window": over & ~r.reason.isin(OURS) & ~r.status.isin(["rejected", "cancelled"]),
        "return_not_inspected": open_ & ~inspected & (working_days(r.received_at, now) > 3),
        "late_refund": inspected & ~repaid & (r.status != "rejected") & (working_days(r.inspected_at, now) > 5),
        "refund_above_paid": r.repaid > r.paid,
        "refund_without_receipt": repaid & ~(r.received_at <= r.first_refund_at),
        "duplicate_refund": r.index.isin(paid_twice(frames)),
        "repeat_returner": r.customer_id.isin(returners),
        "reason_spike": (r.requested_at >= now - FORTNIGHT)
        & pd.MultiIndex.from_frame(r[["sku", "reason"]]).isin(spiked),
    }
    return {(each, kind) for kind, holds in found.items() for each in r.index[np.asarray(holds, bool)]}


def pairs(truth: Truth) -> Truths:
    return set(truth.return_pairs.itertuples(index=False, name=None))


def made(folder: Path, as_of: datetime, orders: int = 5000, seed: int = 3, **rest: object) -> tuple[Frames, Truth]:
    path = folder / "shop.db"
    truth = generate(path, orders=orders, seed=seed, as_of=as_of, **rest)  # type: ignore[arg-type]
    return frames_of(path), truth


@dataclass(frozen=True)
class Made:
    """A shop that was generated once for several tests."""

    frames: Frames
    truth: Truth

    @property
    def as_of(self) -> datetime:
        return self.truth.as_of


@pytest.fixture(
    scope="module",
    params=moments(
        "in the last days of the holiday season's returns",
        "in the middle of an ordinary autumn",
    ),
)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(*made(tmp_path_factory.mktemp("shop"), request.param))


@pytest.mark.slow
def test_what_the_rules_find_is_exactly_what_was_planted(shop: Made) -> None:
    assert holding(shop.frames, shop.as_of) == pairs(shop.truth)
    late = shop.truth.planted["returns"]["return_outside_window"]
    assert all(shop.truth.planted["returns"][kind] for kind in RETURN_KINDS if kind != "return_outside_window")
    in_january = shop.as_of.month == 1  # when nearly all that arrived a month ago may still come back
    assert late or in_january


@pytest.mark.slow
def test_no_fair_reading_of_the_rules_and_no_clock_some_hours_out_makes_a_difference(shop: Made) -> None:
    planted = pairs(shop.truth)
    assert holding(shop.frames, shop.as_of, from_that_day) == planted
    assert holding(shop.frames, shop.as_of + timedelta(hours=6)) == planted


def test_a_spike_is_one_whatever_it_is_compared_with(shop: Made) -> None:
    assert spikes(shop.frames, shop.as_of, days_lately) == spikes(shop.frames, shop.as_of, sold_lately)
    products = facts_of(shop.frames).loc[list(shop.truth.planted["returns"]["reason_spike"])]
    assert products.groupby("reason").sku.nunique().to_dict() == {"size_too_small": 1, "damaged_in_transit": 1}
    assert products.sku.nunique() == 2
    assert set(products[products.reason == "size_too_small"].category) <= {"shirts", "shoes"}


def test_repeat_returners_are_far_from_everybody_else(shop: Made) -> None:
    facts, lines = facts_of(shop.frames), lines_of(shop.frames)
    planted = set(facts.loc[list(shop.truth.planted["returns"]["repeat_returner"])].customer_id)
    bought = lines.groupby("customer_id").agg(
        lines=("line_id", "count"), arrived=("delivered_at", "count"), orders=("order_id", "nunique")
    )
    bought["back"] = facts.groupby("customer_id").size().reindex(bought.index).fillna(0)
    returners, others = bought.loc[sorted(planted)], bought.drop(planted)
    assert (returners.orders >= 5).all() and (returners.back / returners.lines >= 0.6).all()
    assert (others.back <= 3).all()
    assert (others.back / others.arrived)[others.orders >= 3].max() <= 1 / 3
    last_order = lines.groupby("customer_id").placed_at.max()
    theirs = facts[facts.customer_id.isin(planted)]
    assert (theirs.requested_at > last_order.loc[theirs.customer_id].to_numpy()).all()


def test_healthy_returns_are_clear_of_every_boundary(shop: Made) -> None:
    facts = facts_of(shop.frames)
    r = facts.drop(index=list({each for each, _ in pairs(shop.truth)}))
    held = r.requested_at - r.delivered_at
    declined = r.status == "rejected"
    longer = held > timedelta(days=28, hours=1)
    assert (held > timedelta(0)).all()
    assert (in_season(r.placed_at) | declined)[longer].all()
    assert (r.requested_at < end_of_january(r.placed_at) - timedelta(hours=12))[longer & ~declined].all()
    waiting = r.received_at.notna() & r.inspected_at.isna()
    assert (after_that_day(r.received_at, shop.as_of)[waiting] <= 2).all()
    unpaid = r.inspected_at.notna() & (r.repaid == 0) & ~declined
    assert (after_that_day(r.inspected_at, shop.as_of)[unpaid] <= 3).all()
    assert unpaid.any() and waiting.any()
    repaid = r[r.repaid > 0]
    assert (repaid.first_refund_at > repaid.inspected_at).all() and (repaid.inspected_at > repaid.received_at).all()


def test_what_was_bought_for_christmas_comes_back_in_january(tmp_path: Path) -> None:
    frames, truth = made(tmp_path, MOMENTS["in the last days of the holiday season's returns"])
    facts = facts_of(frames)
    held = facts.requested_at - facts.delivered_at
    long_held = facts.index[(held > timedelta(days=31)) & (facts.status == "refunded")]
    assert len(long_held) >= 10
    assert not set(long_held) & set(truth.planted["returns"]["return_outside_window"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(5), pytest.param(5, marks=pytest.mark.large)])
def test_the_truth_is_the_truth_for_any_seed_and_size(tmp_path: Path, seed: int) -> None:
    as_of = datetime(2026, 5, 12, 14, 5, tzinfo=UTC) + timedelta(hours=31 * seed)
    frames, truth = made(tmp_path, as_of, orders=(1, 40, 200, 700, 1500, 20_000)[seed], seed=seed)
    assert holding(frames, as_of) == pairs(truth)


@pytest.mark.slow
def test_the_truth_of_a_year_of_orders_is_the_truth(tmp_path: Path) -> None:
    as_of = MOMENTS["in the middle of an ordinary autumn"]
    frames, truth = made(tmp_path, as_of, orders=6000, days=365)
    assert holding(frames, as_of) == pairs(truth)
    assert all(truth.planted["returns"].values())
    assert frames["orders"].placed_at.min() < as_of - timedelta(days=360)


def test_none_are_planted_when_none_are_asked_for_and_some_come_back_all_the_same(tmp_path: Path) -> None:
    none = Rates(**(dict.fromkeys(Rates.model_fields, 0)))
    frames, truth = made(tmp_path, MOMENTS["Easter Monday"], rates=none)
    assert holding(frames, truth.as_of) == pairs(truth) == set()
    assert 0.04 < frames["returns"].order_id.nunique() / 5000 < 0.15


@pytest.mark.slow
def test_many_faults_still_leave_the_truth_exact(tmp_path: Path) -> None:
    much = Rates(**(dict.fromkeys(RETURN_KINDS, 0.02) | {"repeat_returner": 0.005}))
    frames, truth = made(tmp_path, MOMENTS["a Wednesday morning"], rates=much)
    assert holding(frames, truth.as_of) == pairs(truth)
    assert len(truth.return_pairs) > 600


def test_returns_touch_nothing_that_orders_are_judged_by(shop: Made) -> None:
    """Whatever comes back, the same orders are late, lost or unpaid."""
    faulty = {each for kind in KINDS for each in shop.truth.planted["fulfilment"][kind]}
    facts = facts_of(shop.frames)
    assert not faulty & set(facts.order_id)
    orders = shop.frames["orders"].set_index("order_id").loc[facts.order_id]
    assert (orders.status == "delivered").all() and orders.cancelled_at.isna().all()


def test_nobody_gets_back_more_than_the_order_cost_and_the_healthy_what_they_are_owed(shop: Made) -> None:
    facts = facts_of(shop.frames)
    by_order = facts.groupby("order_id").repaid.sum()
    total = shop.frames["orders"].set_index("order_id").total_amount
    assert (by_order <= total.loc[by_order.index]).all()
    condition = shop.frames["inspections"].set_index("return_id").condition.reindex(facts.index)
    opened = (condition == "opened") & ~facts.reason.isin(OURS)
    owed = facts.paid.where(~opened, facts.paid * 85 // 100)
    healthy = facts.drop(index=list({each for each, _ in pairs(shop.truth)})).index
    repaid = facts.repaid.loc[healthy]
    assert (repaid == owed.loc[healthy])[repaid > 0].all()
    assert (shop.frames["refunds"].amount > 0).all()
    wrong = facts.index[condition == "not_the_item"]
    assert len(wrong) and (facts.loc[wrong].status == "rejected").all() and (facts.loc[wrong].repaid == 0).all()


def test_some_are_repaid_in_parts_some_whole_orders_come_back_and_some_name_no_purchase(shop: Made) -> None:
    refunds, returns = shop.frames["refunds"], shop.frames["returns"]
    doubled = set(shop.truth.planted["returns"]["duplicate_refund"])
    twice = set(refunds[refunds.return_id.duplicated() & refunds.return_id.notna()].return_id)
    assert doubled < twice
    back = facts_of(shop.frames).groupby("order_id").size()
    lines = shop.frames["order_lines"].groupby("order_id").size()
    assert (back == lines.loc[back.index])[back > 1].sum() >= 5
    assert 0 < returns.order_id.isna().sum() < 0.1 * len(returns)
    assert (returns.line_id.isna() & returns.order_id.notna()).any()
    of = refunds.dropna(subset="return_id").merge(returns, on="return_id", suffixes=("", "_of_return"))
    assert of.order_id.isna().equals(of.order_id_of_return.isna())
    assert of.order_id.dropna().equals(of.order_id_of_return.dropna())


def test_what_was_sold_as_final_stays_sold_and_faults_of_ours_are_shown(shop: Made) -> None:
    facts = facts_of(shop.frames)
    assert not facts.final_sale.any() and shop.frames["order_lines"].final_sale.any()
    photos = facts.photos.fillna("")
    assert (photos.str.contains("photo-") == facts.reason.isin(OURS)).all()
    assert (facts[facts.gift].method_wanted == "store_credit").all() and facts.gift.any()
    sized = facts.reason.isin(["size_too_small", "size_too_large"])
    assert set(facts[sized].category) <= {"shirts", "shoes"}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_rate_of_false_discoveries_is_the_one_in_the_books(chances: list[float]) -> None:
    np.testing.assert_allclose(discoveries(np.array(chances)), false_discovery_control(chances))


def test_a_status_is_what_the_events_say(shop: Made) -> None:
    r = facts_of(shop.frames)
    refunded = r.status == "refunded"
    assert (refunded == (r.repaid > 0)).all()
    assert (r.closed_at.notna() == r.status.isin(DECIDED)).all()
    assert (r[refunded].closed_at == r[refunded].first_refund_at).all()
    assert r[r.status == "inspected"].inspected_at.notna().all()
    received = r[r.status == "received"]
    assert received.received_at.notna().all() and received.inspected_at.isna().all()
    assert r[r.status.isin(["requested", "approved", "in_transit"])].received_at.isna().all()
    assert set(r.status) == {
        "requested", "approved", "in_transit", "received", "inspected", "refunded", "rejected", "cancelled",
    }  # fmt: skip
