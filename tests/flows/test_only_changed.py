"""A tower that looks at what changed has the same book as one that looks at everything each time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from control_tower.ledger import open_ledger
from control_tower.ledger.tables import EventRow
from control_tower.stores.columns import EPOCH, MICROSECOND
from control_tower.stores.generator import parquet
from control_tower.stores.tables import CANONICAL, key_of
from flows import look as looking
from tasks import survey as surveying
from tests.flows.conftest import Tower, own_tower
from tests.flows.test_parts import book, rewritten

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)


@dataclass
class Life:
    """One shop that goes on, and two towers that look at it: one at what changed, one at everything."""

    folder: Path
    flows: dict[UUID, Any]
    now: datetime
    reports: list[Any] = field(default_factory=list)

    @property
    def shop(self) -> str:
        return f"sqlite:///{self.folder / 'shop.db'}"

    def tower(self, name: str, **given: Any) -> Any:
        home = self.folder / name
        home.mkdir(exist_ok=True)
        with own_tower(home, self.flows) as tower, pytest.MonkeyPatch.context() as environment:
            environment.setenv("TOWER_SHOP_URL", self.shop)
            environment.setattr(looking, "datetime", at(self.now))
            return Tower(tower.settings, tower.flows).watch(as_of=None, **given)

    def look(self) -> Any:
        """Both look; what they have in the book must be the same."""
        report = self.tower("changed", only_changed=True)
        self.tower("whole")
        mine, theirs = (open_ledger(f"sqlite:///{self.folder / name / 'ledger.db'}") for name in ("changed", "whole"))
        assert book(mine) == book(theirs)
        assert history(mine) == history(theirs)
        self.reports.append(report)
        return report

    def run(self, sql: str, *values: Any) -> None:
        moments = [(v - EPOCH) // MICROSECOND if isinstance(v, datetime) else v for v in values]
        with closing(sqlite3.connect(self.folder / "shop.db")) as shop, shop:
            shop.execute(sql, moments)

    def all(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.folder / "shop.db")) as shop:
            return [row[0] for row in shop.execute(sql)]

    # What happens in a shop

    def passes(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    def arrives(self, parcel: str) -> None:
        sql = "UPDATE fulfillments SET status = 'delivered', handed_over_at = coalesce(handed_over_at, ?),"
        sql += " delivered_at = ?, observed_at = ? WHERE fulfillment_id = ?"
        self.run(sql, self.now - HOUR, self.now, self.now, parcel)

    def is_cancelled(self, order: str) -> None:
        sql = "UPDATE orders SET status = 'cancelled', cancelled_at = ?, observed_at = ? WHERE order_id = ?"
        self.run(sql, self.now, self.now, order)

    def is_scanned(self, parcel: str, *, late: timedelta = timedelta(0)) -> None:
        number = len(self.all("SELECT event_id FROM shipment_events"))
        sql = "INSERT INTO shipment_events (event_id, fulfillment_id, order_id, code, occurred_at, observed_at)"
        sql += " SELECT ?, fulfillment_id, order_id, 'in_transit', ?, ? FROM fulfillments WHERE fulfillment_id = ?"
        self.run(sql, f"late-{number}", self.now - late - HOUR, self.now - late, parcel)

    def is_refunded(self, order: str) -> None:
        number = len(self.all("SELECT refund_id FROM refunds"))
        sql = (
            "INSERT INTO refunds (refund_id, order_id, amount, currency, refunded_at, observed_at) VALUES (?,?,?,?,?,?)"
        )
        self.run(sql, f"more-{number}", order, 100, "EUR", self.now, self.now)

    def is_misread(self, order: str, currency: str) -> None:
        self.run("UPDATE orders SET currency = ?, observed_at = ? WHERE order_id = ?", currency, self.now, order)

    def is_placed(self) -> None:
        order = f"new-{len(self.all('SELECT order_id FROM orders'))}"
        now = self.now
        sql = "INSERT INTO orders (order_id, customer_id, status, placed_at, approved_at, currency, total_amount,"
        self.run(f"{sql} observed_at) VALUES (?, 'c', 'approved', ?, ?, 'EUR', 4000, ?)", order, now, now, now)
        sql = "INSERT INTO promises (promise_id, order_id, kind, due_at, by_day, made_at, observed_at)"
        self.run(f"{sql} VALUES (?, ?, 'ship_by', ?, 0, ?, ?)", f"p-{order}", order, now + 24 * HOUR, now, now)

    def goes_astray(self, order: str, parcel: str) -> None:
        """A scan that names another order than its parcel does."""
        number = len(self.all("SELECT event_id FROM shipment_events"))
        sql = "INSERT INTO shipment_events (event_id, fulfillment_id, order_id, code, occurred_at, observed_at)"
        self.run(f"{sql} VALUES (?, ?, ?, 'in_transit', ?, ?)", f"astray-{number}", parcel, order, self.now, self.now)


def history(ledger: Any) -> list[tuple[str, str, str]]:
    """What happened to cases and proposals, but for when."""
    from sqlalchemy import select
    from sqlmodel import col

    with ledger.read() as session:
        rows = session.scalars(select(EventRow).where(col(EventRow.subject).startswith("case:")))
        return sorted((row.subject, row.what, row.detail) for row in rows)


def at(moment: datetime) -> Any:
    """The clock of a look, which says what it is told to."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment

    return Clock


@pytest.fixture
def life(tmp_path: Path, deployed: dict[UUID, Any]) -> Iterator[Callable[..., Life]]:
    def begun(name: str, orders: int, seed: int) -> Life:
        from control_tower.stores.generator import generate

        now = (datetime.now(UTC) - timedelta(days=25)).replace(microsecond=0)
        folder = tmp_path / name
        folder.mkdir()
        generate(f"sqlite:///{folder / 'shop.db'}", orders=orders, seed=seed, as_of=now, frozen=False)
        shop = Life(folder, deployed, now)
        for table in CANONICAL:  # written some time ago, and not all in this moment
            shop.run(f"UPDATE {table} SET observed_at = ?", now - 5 * HOUR)
            key = key_of(table)
            shop.run(f"UPDATE {table} SET observed_at = ? WHERE {key} = (SELECT max({key}) FROM {table})", now)
        return shop

    yield begun


def test_what_changed_and_what_time_moved_is_looked_at_and_the_book_is_the_same(life: Callable[..., Life]) -> None:
    shop = life("shop", 200, 21)
    first = shop.look()
    assert first.looked_at is None and first.why_all == "it is the first look"
    parcels = shop.all(
        "SELECT fulfillment_id FROM fulfillments WHERE delivered_at IS NULL AND handed_over_at IS NOT NULL"
    )
    delivered = shop.all("SELECT order_id FROM fulfillments WHERE delivered_at IS NOT NULL ORDER BY order_id")
    shop.passes(0.5)
    shop.is_placed()
    shop.arrives(parcels[0])
    shop.is_misread(delivered[0], "eur")
    some = shop.look()
    assert some.looked_at is not None and 0 < some.looked_at < 100, some.looked_at
    assert some.quarantined["orders"] == 1
    shop.passes(30)  # the promise of the new order is over, and nothing but time has come to it
    opened = shop.look()
    assert opened.cases.opened >= 1 and opened.looked_at is not None
    shop.passes(1)
    shop.is_misread(delivered[0], "EUR")
    shop.is_scanned(parcels[1], late=timedelta(minutes=40))
    assert shop.look().quarantined["orders"] == 0


@pytest.mark.large
def test_the_first_look_of_the_shops_day_is_at_everything_where_that_is_asked_for(life: Callable[..., Life]) -> None:
    shop = life("shop", 60, 23)
    zone = ZoneInfo("Europe/Berlin")
    shop.now = shop.now.astimezone(zone).replace(hour=22, minute=40).astimezone(UTC)
    said = []
    for _ in range(4):  # 22:40, 23:20, 0:00 and 0:40
        said.append(shop.tower("changed", only_changed=True, all_daily=True).why_all)
        shop.passes(2 / 3)
    assert said == ["it is the first look", "", "it is the first look of the day", ""]


@pytest.mark.large
def test_a_look_that_was_killed_before_it_was_over_is_made_again(
    life: Callable[..., Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = life("shop", 120, 22)
    shop.look()
    shop.passes(0.5)
    shop.is_placed()
    shop.is_cancelled(shop.all("SELECT order_id FROM orders ORDER BY order_id")[3])

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(looking, "leave", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.tower("changed", only_changed=True)
    shop.tower("whole")  # the killed look had opened its cases: only how far it came was not written down
    shop.passes(0.5)
    assert shop.look().looked_at is not None


@pytest.mark.large
def test_files_that_say_when_their_rows_were_written_are_looked_at_by_what_changed(
    tmp_path: Path, deployed: dict[UUID, Any]
) -> None:
    folder, now = tmp_path / "shop", (datetime.now(UTC) - timedelta(days=25)).replace(microsecond=0)
    parquet(folder, orders=200, seed=23, as_of=now)
    for table in CANONICAL:
        if (folder / f"{table}.parquet").exists():
            rewritten(folder, table, observed_at=lambda rows: spread(rows["observed_at"], now))
    shop = Life(tmp_path, deployed, now)

    def look(**given: Any) -> Any:
        report = shop.tower("changed", source=f"folder:{folder}", only_changed=True, **given)
        shop.tower("whole", source=f"folder:{folder}", **given)
        mine, theirs = (open_ledger(f"sqlite:///{tmp_path / name / 'ledger.db'}") for name in ("changed", "whole"))
        assert book(mine) == book(theirs) and history(mine) == history(theirs)
        return report

    first = look()
    assert first.why_all == "it is the first look"
    shop.passes(3)
    rewritten(folder, "payments", payment_id=lambda p: p["payment_id"].where(p.index != 3, p["payment_id"].iloc[90]),
              observed_at=lambda p: p["observed_at"].where(p.index != 3, shop.now))  # fmt: skip
    twice = look()  # the number of another order's payment: both are refused
    assert twice.looked_at is not None and twice.quarantined["payments"] == first.quarantined["payments"] + 2
    shop.passes(1)
    rewritten(folder, "payments", payment_id=lambda p: p["payment_id"].where(p.index != 3, "a number of its own"),
              observed_at=lambda p: p["observed_at"].where(p.index != 3, shop.now))  # fmt: skip
    again = look()
    assert again.looked_at is not None and again.quarantined["payments"] == first.quarantined["payments"]


def spread(observed: Any, now: datetime) -> Any:
    """One row of a table that was written now, and the others some hours ago."""
    return observed.where(observed.index == 0, now - 5 * HOUR).where(observed.index != 0, now)


MISREAD = "SELECT order_id FROM orders WHERE currency <> 'EUR'"
WHAT = ("passes", "arrives", "cancelled", "scanned", "late", "refunded", "misread", "read", "placed", "astray")


def happen(shop: Life, what: str, number: int) -> None:
    """One thing of the shop, of an order or a parcel chosen by a number."""
    orders = shop.all("SELECT order_id FROM orders ORDER BY order_id")
    parcels = shop.all("SELECT fulfillment_id FROM fulfillments ORDER BY fulfillment_id")
    order, parcel = orders[number % len(orders)], parcels[number % len(parcels)]
    {
        "passes": lambda: shop.passes(number % 40),
        "arrives": lambda: shop.arrives(parcel),
        "cancelled": lambda: shop.is_cancelled(order),
        "scanned": lambda: shop.is_scanned(parcel),
        "late": lambda: shop.is_scanned(parcel, late=timedelta(minutes=number % 60)),
        "refunded": lambda: shop.is_refunded(order),
        "misread": lambda: shop.is_misread(order, "eur"),
        "read": lambda: [shop.is_misread(one, "EUR") for one in shop.all(MISREAD)],
        "placed": shop.is_placed,
        "astray": lambda: shop.goes_astray(order, parcel),
    }[what]()


@pytest.mark.large
@pytest.mark.timeout(1200)
def test_whatever_happens_in_a_shop_the_book_is_the_same(
    life: Callable[..., Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveying, "TOO_MANY", 2.0)  # in a shop as small as these, much changes at once
    things = st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 10_000)), min_size=1, max_size=5)
    lives = iter(range(1000))

    @settings(
        max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
        database=None,
    )  # fmt: skip
    @given(looks=st.lists(things, min_size=2, max_size=5), seed=st.integers(1, 10_000))
    def same(looks: list[list[tuple[str, int]]], seed: int) -> None:
        number = next(lives)
        shop = life(f"shop-{number}", 100, seed)
        shop.look()
        for happened in looks:
            shop.passes(0.25)
            for what, which in happened:
                happen(shop, what, which)
            shop.look()
        assert any(report.looked_at is not None for report in shop.reports[1:])

    same()
