"""A generated shop is believable, the same for the same seed, and its truth is the truth.

The rules here are written from the words of the business, over the rows that the shop's own source
gives; they share nothing with the generator but the numbers of the default policy.
"""

from __future__ import annotations

import hashlib
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

from control_tower.errors import NotFound, SettingError, StoreError
from control_tower.stores.generator import KINDS, WORD_KINDS, Rates, Truth, generate, parquet
from control_tower.stores.shop import EmbeddedShop
from control_tower.stores.tables import kinds_of

BERLIN = "Europe/Berlin"
MOMENTS = {
    "a Wednesday morning": datetime(2026, 3, 4, 8, 30, tzinfo=UTC),
    "a Sunday night on which the clocks go forward": datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    "Easter Monday": datetime(2026, 4, 6, 16, 45, tzinfo=UTC),
    "the day after New Year": datetime(2026, 1, 2, 6, 0, tzinfo=UTC),
    "just before the carriers come at noon": datetime(2026, 6, 17, 9, 40, tzinfo=UTC),
    "while the carriers are at the door": datetime(2026, 6, 17, 15, 20, 0, 123456, tzinfo=UTC),
    "just after midnight in Berlin, the clocks gone back": datetime(2025, 10, 26, 23, 10, tzinfo=UTC),
}


def moments(*of_every_suite: str) -> list[ParameterSet]:
    """All of them; those that not every suite looks at are marked large."""
    return [
        pytest.param(moment, id=name, marks=() if name in of_every_suite else pytest.mark.large)
        for name, moment in MOMENTS.items()
    ]


ALLOWED = {"express": 2, "standard": 5, "economy": 7}
CLOSED = np.array(sorted(holidays.country_holidays("DE", years=range(2024, 2028))), "datetime64[D]")

NEVER_CAME = "never received|not received|did not arrive|não (?:recebi|chegou)|no he recibido|no me llegó"

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
    """Working days after the day of a moment, today included: the calendar's ordinals."""
    return _counted(first, now, 1, 1)


def from_that_day(first: pd.Series, now: datetime) -> pd.Series:
    """Working days from the day of a moment, today excluded: NumPy's own count."""
    return _counted(first, now, 0, 0)


def _counted(first: pd.Series, now: datetime, skip: int, include: int) -> pd.Series:
    today = np.datetime64(now.astimezone(ZoneInfo(BERLIN)).date())
    known = first.notna().to_numpy()
    day = np.where(known, days(first), today)
    count = np.busday_count(day + skip, today + include, holidays=CLOSED)
    return pd.Series(np.where(known, count, np.nan), index=first.index)


def facts_of(frames: Frames) -> pd.DataFrame:
    """One row for each order: its promises, its parcel, its scans, its money and its holds."""
    orders = frames["orders"].set_index("order_id")
    due = frames["promises"].pivot(index="order_id", columns="kind", values="due_at")
    parcels = frames["fulfillments"]
    assert not parcels.order_id.duplicated().any()
    parcel = parcels[parcels.status != "cancelled"].set_index("order_id").add_prefix("parcel_")
    scans = frames["shipment_events"]
    moving = scans[scans.code != "pre_transit"].groupby("order_id").occurred_at
    arrived = scans[scans.code == "delivered"].groupby("order_id").occurred_at
    restless = scans[scans.code == "in_transit"].groupby("order_id").occurred_at
    facts = orders.join(due).join(parcel)
    facts["paid"] = frames["payments"].groupby("order_id").amount.sum().reindex(orders.index)
    facts["refunded"] = frames["refunds"].groupby("order_id").amount.sum().reindex(orders.index).fillna(0)
    facts["first_scan"] = moving.min().reindex(orders.index)
    facts["last_scan"] = scans.groupby("order_id").occurred_at.max().reindex(orders.index)
    facts["arrived_scan"] = arrived.min().reindex(orders.index)
    facts["last_in_transit"] = restless.max().reindex(orders.index)
    held = frames["holds"].merge(parcels[["order_id", "handed_over_at"]], on="order_id")
    over = (held.placed_at <= held.handed_over_at) & ~(held.released_at <= held.handed_over_at)
    letters = pd.concat(
        [
            frames["reviews"].rename(columns={"written_at": "at"})[["order_id", "at", "text"]],
            frames["support_contacts"].rename(columns={"contacted_at": "at"})[["order_id", "at", "text"]],
        ]
    )
    letters = letters[letters.text.fillna("").str.contains(NEVER_CAME, case=False)]
    letters["came"] = letters.order_id.map(facts.parcel_delivered_at)
    known = letters[letters.came.notna()]
    facts["said_missing"] = facts.index.isin(known[days(known["at"]) >= days(known.came)].order_id)
    facts["left_on_hold"] = facts.index.isin(held[over].order_id)
    return facts


def holding(
    frames: Frames,
    now: datetime,
    working_days: Callable[[pd.Series, datetime], pd.Series] = after_that_day,
    believe_the_status: bool = True,
) -> Truths:
    """Every (order, kind) that holds, by the rules as a person would read them."""
    o = facts_of(frames)
    approved, off = o.approved_at.notna(), o.status.isin(["cancelled", "unavailable"])
    handed_over, said = o.parcel_handed_over_at.notna(), o.parcel_status == "delivered"
    delivered = o.parcel_delivered_at.notna() | (said & believe_the_status)
    label_age, scan_age = working_days(o.parcel_label_created_at, now), working_days(o.last_scan, now)
    too_long = scan_age > o.parcel_service.map(ALLOWED).fillna(99)
    no_scan = o.first_scan.isna() & (label_age > 2)
    promised_day, arrived_day = days(o.deliver_by - pd.Timedelta(1, "us")), days(o.parcel_delivered_at)
    found = {
        "stuck_order": approved & ~handed_over & ~off & (o.ship_by < now),
        "unpaid_order": ~approved & ~off & (o.placed_at < now - timedelta(hours=48)),
        "lost_shipment": handed_over & ~delivered & ~off & (o.deliver_by < now),
        "silent_shipment": ~off & ~delivered & (no_scan | (handed_over & too_long)),
        "late_delivery": ~off & o.parcel_delivered_at.notna() & (arrived_day > promised_day),
        "disputed_delivery": ~off & o.parcel_delivered_at.notna() & o.said_missing,
        "refund_due": off & approved & ~handed_over & (o.refunded < o.paid.fillna(0)),
        "cancelled_in_transit": (o.cancelled_at > o.parcel_handed_over_at),
        "contradiction": (said & o.parcel_delivered_at.isna())
        | (o.parcel_delivered_at.notna() & ~handed_over)
        | (o.parcel_handed_over_at < o.approved_at)
        | (o.parcel_handed_over_at < o.placed_at)
        | (o.parcel_delivered_at < o.parcel_handed_over_at)
        | (o.last_in_transit > o.arrived_scan)
        | o.left_on_hold,
    }
    return {(order, kind) for kind, holds in found.items() for order in o.index[holds.fillna(False)]}


def pairs(truth: Truth) -> Truths:
    return set(truth.pairs.itertuples(index=False, name=None))


def made(folder: Path, as_of: datetime, orders: int = 2500, seed: int = 3, **rest: object) -> tuple[Frames, Truth]:
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
    params=moments("a Sunday night on which the clocks go forward", "while the carriers are at the door"),
)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(*made(tmp_path_factory.mktemp("shop"), request.param, orders=5000))


@pytest.mark.slow
def test_what_the_rules_find_is_exactly_what_was_planted(shop: Made) -> None:
    assert holding(shop.frames, shop.as_of) == pairs(shop.truth)
    assert all(shop.truth.kinds[kind] for kind in (*KINDS, *WORD_KINDS)), "every kind is planted"


@pytest.mark.slow
def test_no_fair_reading_of_the_rules_and_no_clock_some_hours_out_makes_a_difference(shop: Made) -> None:
    frames, as_of, planted = shop.frames, shop.as_of, pairs(shop.truth)
    assert holding(frames, as_of, from_that_day) == planted
    assert holding(frames, as_of, believe_the_status=False) == planted
    assert holding(frames, as_of + timedelta(hours=6)) == planted
    # Back in time, what happened since is not unhappened, so only what waits is compared.
    waiting = {pair for pair in planted if pair[1] in ("stuck_order", "unpaid_order", "lost_shipment")}
    assert waiting <= holding(frames, as_of - timedelta(hours=6))


@pytest.mark.slow
def test_healthy_orders_are_clear_of_every_boundary(shop: Made) -> None:
    facts = facts_of(shop.frames)
    faulty = {order for order, _ in pairs(shop.truth)}
    o = facts[~facts.index.isin(faulty) & ~facts.status.isin(["cancelled", "unavailable"])]
    half_a_day, now = pd.Timedelta(hours=12), pd.Timestamp(shop.as_of)
    assert (o.approved_at.fillna(now) - o.placed_at <= pd.Timedelta(hours=36)).all()
    shipped = o.parcel_handed_over_at.fillna(now)
    assert (o.ship_by.dropna() - shipped >= half_a_day)[o.ship_by.notna()].all()
    arrived = o.parcel_delivered_at.fillna(now)
    assert (o.deliver_by.dropna() - arrived >= half_a_day)[o.deliver_by.notna()].all()
    late = days(o.parcel_delivered_at) >= days(o.deliver_by - pd.Timedelta(1, "us"))
    assert not late.any(), "delivered a day before the promised one, or earlier"
    under_way = o[o.parcel_handed_over_at.notna() & o.parcel_delivered_at.isna() & o.first_scan.notna()]
    assert len(under_way) > 0
    silence = after_that_day(under_way.last_scan, shop.as_of)
    assert (silence < under_way.parcel_service.map(ALLOWED)).all()
    unscanned = o[o.parcel_label_created_at.notna() & o.first_scan.isna()]
    assert (after_that_day(unscanned.parcel_label_created_at, shop.as_of) <= 1).all()


def test_only_the_planted_groups_look_like_a_missed_pickup(shop: Made) -> None:
    truth = shop.truth
    assert missed(shop.frames) == planted_pickups(truth)
    assert len(truth.missed_pickups) == 3
    assert all(len(pickup.orders) >= 8 for pickup in truth.missed_pickups)
    silent, stuck = set(truth.kinds["silent_shipment"]), set(truth.kinds["stuck_order"])
    assert all(set(pickup.orders) <= silent & stuck for pickup in truth.missed_pickups)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(3), pytest.param(3, marks=pytest.mark.large)])
def test_the_truth_is_the_truth_for_any_seed_and_size(tmp_path: Path, seed: int) -> None:
    as_of = datetime(2026, 5, 12, 14, 5, tzinfo=UTC) + timedelta(hours=31 * seed)
    frames, truth = made(tmp_path, as_of, orders=(40, 200, 700, 6000)[seed], seed=seed)
    assert holding(frames, as_of) == pairs(truth)
    assert missed(frames) == planted_pickups(truth)


def missed(frames: Frames) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Groups of five labels and more of which four in five were never scanned."""
    parcels = frames["fulfillments"].copy()
    scans = frames["shipment_events"]
    parcels["scanned"] = parcels.fulfillment_id.isin(scans[scans.code != "pre_transit"].fulfillment_id)
    parcels["day"] = days(parcels.label_created_at).astype(str)
    found = {}
    for (carrier, day, warehouse), group in parcels.groupby(["carrier", "day", "warehouse_id"]):
        if len(group) >= 5 and (~group.scanned).mean() >= 0.8:
            found[carrier, day, warehouse] = tuple(sorted(group.order_id))
    return found


def planted_pickups(truth: Truth) -> dict[tuple[str, str, str], tuple[str, ...]]:
    return {(m.carrier, m.day.isoformat(), m.warehouse_id): m.orders for m in truth.missed_pickups}


def test_healthy_labels_wait_for_their_first_scan_too(tmp_path: Path) -> None:
    """Else every label without a scan would be a fault, and a wrong rule would look right."""
    frames, truth = made(tmp_path, MOMENTS["while the carriers are at the door"])
    facts = facts_of(frames)
    waiting = facts.parcel_label_created_at.notna() & facts.first_scan.isna()
    assert len(set(facts.index[waiting]) - set(truth.kinds["silent_shipment"])) >= 5


def test_dirty_rows_are_listed_and_without_them_the_truth_holds(tmp_path: Path) -> None:
    as_of = MOMENTS["a Wednesday morning"]
    frames, truth = made(tmp_path, as_of, dirty=True)
    payments, promises, orders = frames["payments"], frames["promises"], frames["orders"]
    of_order = payments.merge(orders[["order_id", "currency"]], on="order_id", suffixes=("", "_of_order"))
    found = {("payment_of_nothing", "payments", id) for id in payments[payments.amount <= 0].payment_id}
    found |= {
        ("mixed_currency", "payments", id)
        for id in of_order[of_order.currency != of_order.currency_of_order].payment_id
    }
    far = (promises.due_at.dt.year - as_of.year).abs() > 2
    found |= {("impossible_ship_by_year", "promises", id) for id in promises[far].promise_id}
    assert {(row.rule, row.table, row.source_id) for row in truth.dirty} == found
    assert len(found) == 9
    aside = {row.source_id for row in truth.dirty}
    frames["payments"] = payments[~payments.payment_id.isin(aside)]
    frames["promises"] = promises[~promises.promise_id.isin(aside)]
    assert holding(frames, as_of) == pairs(truth)


def test_a_clean_shop_has_no_dirty_rows_and_no_planted_faults_when_none_are_asked_for(tmp_path: Path) -> None:
    as_of = MOMENTS["Easter Monday"]
    none = Rates(**(dict.fromkeys(Rates.model_fields, 0)))
    frames, truth = made(tmp_path, as_of, rates=none)
    assert holding(frames, as_of) == pairs(truth) == set()
    assert truth.dirty == () and truth.missed_pickups == ()


def test_many_faults_still_leave_the_truth_exact(tmp_path: Path) -> None:
    as_of = MOMENTS["a Wednesday morning"]
    much = Rates(**(dict.fromkeys(KINDS, 0.05)), missed_pickups=6)
    frames, truth = made(tmp_path, as_of, orders=4000, rates=much)
    assert holding(frames, as_of) == pairs(truth)
    assert missed(frames) == planted_pickups(truth)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    as_of = MOMENTS["a Wednesday morning"]

    def digest(name: str, seed: int) -> str:
        generate(tmp_path / name, orders=500, seed=seed, as_of=as_of)
        parquet(tmp_path / f"{name}-folder", orders=500, seed=seed, as_of=as_of)
        files = [tmp_path / name, *sorted((tmp_path / f"{name}-folder").iterdir())]
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    assert digest("once.db", 1) == digest("again.db", 1) != digest("other.db", 2)


def test_the_folder_of_parquet_is_the_same_shop(tmp_path: Path) -> None:
    as_of = MOMENTS["a Wednesday morning"]
    frames, truth = made(tmp_path, as_of, orders=500)
    assert parquet(tmp_path / "folder", orders=500, seed=3, as_of=as_of) == truth == Truth.of(tmp_path / "folder")
    for table, frame in frames.items():
        frame = frame.drop(columns="unreadable")
        kept = pd.read_parquet(tmp_path / "folder" / f"{table}.parquet")
        assert (kept.source == "shop").all()
        assert (kept.source_id == kept[frame.columns[0]]).all()
        one, other = (each.astype(object).where(each.notna(), None) for each in (kept[frame.columns], frame))
        pd.testing.assert_frame_equal(one, other, check_index_type=False, check_column_type=False)


def test_the_money_of_every_order_adds_up(tmp_path: Path) -> None:
    frames, _ = made(tmp_path, MOMENTS["a Wednesday morning"])
    orders = frames["orders"].set_index("order_id")
    lines = frames["order_lines"]
    assert ((lines.quantity * lines.unit_amount).groupby(lines.order_id).sum() == orders.total_amount).all()
    paid = frames["payments"].groupby("order_id").amount.sum()
    assert (paid == orders.total_amount[orders.approved_at.notna()]).all()
    assert frames["payments"].order_id.duplicated().any(), "some are paid in two parts"
    refunded = frames["refunds"].groupby("order_id").amount.sum()
    assert (refunded <= paid.reindex(refunded.index)).all()
    assert (frames["payments"].amount > 0).all() and (frames["refunds"].amount > 0).all()


def test_nothing_happened_after_the_moment_that_the_shop_was_made_for(tmp_path: Path) -> None:
    as_of = MOMENTS["while the carriers are at the door"]
    frames, _ = made(tmp_path, as_of)
    plans = {
        "due_at",
        "starts_at",
        "ends_at",
        "expected_at",
        "method_expires_at",
        "next_charge_at",
        "next_attempt_at",
        "next_ship_at",
    }
    for table, frame in frames.items():
        for column in frame.columns.difference(plans):
            if isinstance(frame[column].dtype, pd.DatetimeTZDtype):
                assert not (frame[column] > as_of).any(), f"{table}.{column}"
        assert (frame.observed_at == as_of).all()


def test_promises_keep_the_shops_calendar(tmp_path: Path) -> None:
    frames, _ = made(tmp_path, MOMENTS["Easter Monday"])
    promises = frames["promises"].merge(frames["orders"][["order_id", "approved_at"]], on="order_id")
    ship = promises[promises.kind == "ship_by"]
    assert np.is_busday(days(ship.due_at), holidays=CLOSED).all()
    assert (ship.due_at.dt.tz_convert(BERLIN).dt.hour == 18).all() and not ship.by_day.any()
    deliver = promises[promises.kind == "deliver_by"]
    local = deliver.due_at.dt.tz_convert(BERLIN)
    assert (local == local.dt.normalize()).all() and deliver.by_day.all()
    assert np.is_busday(days(deliver.due_at - pd.Timedelta(1, "us")), holidays=CLOSED).all()
    assert (promises.made_at == promises.approved_at).all()


def test_parcels_that_arrived_in_time_have_four_to_six_scans_in_order(tmp_path: Path) -> None:
    frames, truth = made(tmp_path, MOMENTS["a Wednesday morning"])
    faulty = {order for order, _ in pairs(truth)}
    parcels = frames["fulfillments"]
    arrived = parcels[parcels.delivered_at.notna() & ~parcels.order_id.isin(faulty)]
    scans = frames["shipment_events"].sort_values(["fulfillment_id", "event_id"])
    scans = scans[scans.fulfillment_id.isin(arrived.fulfillment_id)]
    assert scans.groupby("fulfillment_id").size().between(4, 6).all()
    gaps = scans.groupby("fulfillment_id").occurred_at.diff().dropna()
    assert (gaps > pd.Timedelta(0)).all()
    assert (scans.groupby("fulfillment_id").code.first() == "pre_transit").all()
    assert (scans.groupby("fulfillment_id").code.last() == "delivered").all()
    assert set(arrived.service) == set(ALLOWED) and arrived.carrier.nunique() >= 3
    assert arrived.warehouse_id.nunique() == 3


def test_the_truth_lies_beside_the_shop_and_never_in_it(tmp_path: Path) -> None:
    _, truth = made(tmp_path, MOMENTS["a Wednesday morning"], orders=200)
    assert Truth.of(tmp_path / "shop.db") == truth
    assert b"stuck_order" not in (tmp_path / "shop.db").read_bytes()
    assert not any("truth" in table for table in EmbeddedShop(f"sqlite:///{tmp_path / 'shop.db'}").tables())
    with pytest.raises(NotFound, match="no truth"):
        Truth.of(tmp_path / "nowhere.db")


def test_a_shop_with_orders_is_never_overwritten(tmp_path: Path) -> None:
    as_of = MOMENTS["a Wednesday morning"]
    path = tmp_path / "shop.db"
    EmbeddedShop(f"sqlite:///{path}")  # opened, and empty
    generate(f"sqlite:///{path}", orders=50, seed=1, as_of=as_of)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="has orders already"):
        generate(path, orders=50, seed=2, as_of=as_of)
    assert path.read_bytes() == before
    (tmp_path / "letter.txt").write_text("dear customer")
    with pytest.raises(StoreError, match="is no shop"):
        generate(tmp_path / "letter.txt", orders=50, seed=1, as_of=as_of)


def test_a_shop_of_no_orders_or_of_no_moment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="needs an order"):
        generate(tmp_path / "shop.db", orders=0, seed=1, as_of=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(SettingError, match="time zone"):
        generate(tmp_path / "shop.db", orders=5, seed=1, as_of=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.large
def test_a_hundred_thousand_orders_are_made_and_read_in_seconds(tmp_path: Path) -> None:
    as_of = MOMENTS["a Wednesday morning"]
    started = datetime.now(UTC)
    frames, truth = made(tmp_path, as_of, orders=100_000)
    assert (datetime.now(UTC) - started).total_seconds() < 40
    assert holding(frames, as_of) == pairs(truth)
    assert missed(frames) == planted_pickups(truth)
