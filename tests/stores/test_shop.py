"""The embedded shop: evidence is read exactly, and hands do what a real store would do, and no more."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from control_tower.errors import OutcomeUnknown, SettingError, SourceError, StoreError
from control_tower.nouns import Money, Shop
from control_tower.stores.generator import generate
from control_tower.stores.shop import EmbeddedShop
from control_tower.stores.tables import (
    CANONICAL,
    FulfillmentRow,
    HoldRow,
    OrderRow,
    PaymentRow,
    ProfileRow,
    RefundRow,
    ReturnRow,
    ShopRow,
    kinds_of,
)

MORNING = datetime(2026, 3, 4, 8, 30, 0, 123457, tzinfo=UTC)
LATER = MORNING + timedelta(hours=5)
HOSTILE = [
    "1001'; DROP TABLE orders; --",
    'x" OR 1=1 --',
    "%",
    "1001\x00",
    "🚚" * 50,
    "<!channel> [link](http://example.com)",
    "{{7*7}}",
    "",
    "a" * 5000,
]


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture
def shop(url: str) -> EmbeddedShop:
    """Three orders: 1001 on its way, 1002 delivered, 1003 cancelled."""
    shop = EmbeddedShop(url, now=lambda: LATER)
    orders = {"1001": "shipped", "1002": "delivered", "1003": "cancelled"}
    with Session(shop.engine) as session, session.begin():
        for order, status in orders.items():
            session.add(an_order(order, status))
            session.add(a_payment(order, 3500, MORNING))
            delivered = MORNING if status == "delivered" else None
            session.add(a_parcel(order, "delivered" if delivered else "in_transit", delivered))
    return shop


def an_order(order: str, status: str = "approved") -> OrderRow:
    return OrderRow(
        order_id=order,
        status=status,
        placed_at=MORNING - timedelta(days=3),
        approved_at=MORNING - timedelta(days=3),
        currency="EUR",
        total_amount=3500,
        observed_at=MORNING,
    )


def a_payment(order: str, amount: int, paid_at: datetime | None, currency: str = "EUR", part: int = 1) -> PaymentRow:
    return PaymentRow(
        payment_id=f"P{order}-{part}",
        order_id=order,
        amount=amount,
        currency=currency,
        paid_at=paid_at,
        observed_at=MORNING,
    )


def a_parcel(order: str, status: str, delivered: datetime | None = None) -> FulfillmentRow:
    return FulfillmentRow(
        fulfillment_id=f"F{order}",
        order_id=order,
        status=status,
        carrier="adler",
        service="express",
        tracking_code="ADLER1",
        warehouse_id="BER",
        label_created_at=MORNING - timedelta(days=2),
        handed_over_at=MORNING - timedelta(days=2),
        delivered_at=delivered,
        observed_at=MORNING,
    )


def rows(shop: EmbeddedShop, table: str, orders: list[str] | None = None) -> pd.DataFrame:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    columns = kinds_of(table) | {"source": "VARCHAR", "source_id": "VARCHAR"}
    return connection.sql(shop.relation(connection, table, columns, orders)).df()


def refunded(shop: EmbeddedShop, order: str = "1001") -> int:
    return int(rows(shop, "refunds", [order]).amount.sum())


# Refunds


def test_a_refund_is_recorded_under_our_key_and_can_be_read_back(shop: EmbeddedShop, url: str) -> None:
    paid = shop.refund("key-1", "1001", euros(1200), "lost in transit")
    assert (paid.action, paid.state, paid.money, paid.at) == ("refund", "refunded", euros(1200), LATER)
    assert paid.prior == {"paid_amount": 3500, "refunded_amount": 0, "order_status": "shipped"}
    assert EmbeddedShop(url).find("key-1") == paid
    refund = rows(shop, "refunds").iloc[0]
    assert (refund.refund_id, refund.amount, refund.refunded_at) == (paid.reference, 1200, LATER)
    assert shop.find("key-2") is None


def test_the_shop_itself_pays_twice_when_asked_twice_as_real_stores_do(shop: EmbeddedShop) -> None:
    first = shop.refund("key-1", "1001", euros(1000), "lost")
    second = shop.refund("key-1", "1001", euros(1000), "lost")
    assert first.reference != second.reference
    assert refunded(shop) == 2000
    assert shop.find("key-1") == first


@pytest.mark.parametrize("amount", [3501, 10**9, 2**70, 0, -1])
def test_more_than_was_paid_or_nothing_is_never_refunded(shop: EmbeddedShop, amount: int) -> None:
    with pytest.raises(StoreError, match="3500 of 3500 can be refunded"):
        shop.refund("key-1", "1001", euros(amount), "lost")
    assert refunded(shop) == 0 and shop.find("key-1") is None


def test_a_refund_counts_what_was_refunded_before(shop: EmbeddedShop) -> None:
    shop.refund("key-1", "1001", euros(3000), "lost")
    with pytest.raises(StoreError, match="500 of 3500"):
        shop.refund("key-2", "1001", euros(501), "lost")
    shop.refund("key-3", "1001", euros(500), "lost")
    assert refunded(shop) == 3500


def test_money_that_was_never_captured_or_is_of_another_currency_is_not_refundable(
    shop: EmbeddedShop,
) -> None:
    with Session(shop.engine) as session, session.begin():
        session.add(an_order("1004"))
        session.add(a_payment("1004", 3000, None, part=1))
        session.add(a_payment("1004", 3000, MORNING, currency="USD", part=2))
        session.add(a_payment("1004", -100, MORNING, part=3))
        session.add(a_payment("1004", 700, MORNING, part=4))
    with pytest.raises(StoreError, match="700 of 700"):
        shop.refund("key-1", "1004", euros(701), "lost")


def test_another_currency_or_an_unknown_order_is_refused(shop: EmbeddedShop) -> None:
    with pytest.raises(StoreError, match="was paid in EUR, not in USD"):
        shop.refund("key-1", "1001", Money(amount=100, currency="USD"), "lost")
    with pytest.raises(StoreError, match="no such order"):
        shop.refund("key-1", "9999", euros(100), "lost")
    assert shop.find("key-1") is None


def test_many_clicks_at_once_never_pay_more_than_was_paid(url: str, shop: EmbeddedShop) -> None:
    def click(number: int) -> bool:
        try:
            EmbeddedShop(url).refund(f"key-{number}", "1001", euros(1000), "lost")
        except OutcomeUnknown:
            raise  # everybody gets an answer, however long the queue
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(12) as people:
        paid = list(people.map(click, range(24)))
    assert sum(paid) == 3
    assert refunded(shop) == 3000


@pytest.mark.slow
def test_many_processes_at_once_never_pay_more_than_was_paid(url: str, shop: EmbeddedShop) -> None:
    click = (
        "import sys; from control_tower.nouns import Money\n"
        "from control_tower.errors import OutcomeUnknown, StoreError\n"
        "from control_tower.stores.shop import EmbeddedShop\n"
        "shop = EmbeddedShop(sys.argv[1])\n"
        "for number in range(10):\n"
        "    try: shop.refund(f'{sys.argv[2]}-{number}', '1001', Money(amount=700, currency='EUR'), '')\n"
        "    except OutcomeUnknown: raise\n"
        "    except StoreError: pass\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", click, url, str(each)]) for each in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
    assert refunded(shop) == 3500


def test_no_answer_is_not_a_refusal(shop: EmbeddedShop) -> None:
    with sqlite3.connect(shop.path) as connection:
        connection.execute("DROP TABLE refunds")
    with pytest.raises(OutcomeUnknown):
        shop.refund("key-1", "1001", euros(100), "lost")
    assert shop.find("key-1") is None
    with sqlite3.connect(shop.path) as connection:
        connection.execute("DROP TABLE journal")
    with pytest.raises(StoreError, match="could not be read"):
        shop.find("key-1")


# Refunds of returns


def a_return(returned: str, order: str | None, status: str = "inspected") -> ReturnRow:
    return ReturnRow(
        return_id=returned,
        order_id=order,
        sku="SKU-001",
        quantity=1,
        requested_at=MORNING - timedelta(days=1),
        status=status,
        observed_at=MORNING,
    )


@pytest.fixture
def returns(shop: EmbeddedShop) -> EmbeddedShop:
    """The shop, with a return of 1002, one of no purchase on file, and one that was rejected."""
    with Session(shop.engine) as session, session.begin():
        session.add_all([a_return("T1", "1002"), a_return("T2", None), a_return("T3", "1002", "rejected")])
    return shop


@pytest.mark.parametrize("returned", ["T1", "T2"])
def test_a_refund_of_a_return_says_so_and_closes_it(returns: EmbeddedShop, returned: str) -> None:
    paid = returns.refund("key-1", "1002", euros(1200), "inspected, in order", return_id=returned)
    assert paid.prior["return_status"] == "inspected" and paid.prior["return_closed_at"] is None
    refund = rows(returns, "refunds").iloc[0]
    assert (refund.order_id, refund.return_id, refund.method) == ("1002", returned, "original")
    closed = rows(returns, "returns").set_index("return_id").loc[returned]
    assert (closed.status, closed.closed_at, closed.observed_at) == ("refunded", LATER, LATER)
    assert returns.find("key-1") == paid


def test_a_refund_of_an_order_touches_no_return(returns: EmbeddedShop) -> None:
    returns.refund("key-1", "1002", euros(1200), "goodwill")
    assert pd.isna(rows(returns, "refunds").return_id).all()
    assert set(rows(returns, "returns").status) == {"inspected", "rejected"}


@pytest.mark.parametrize(
    ("order", "returned", "why"),
    [
        ("1001", "T1", "is of order 1002, not of 1001"),
        ("1002", "T3", "is rejected; nothing is to be repaid"),
        ("1002", "T9", "there is no such return"),
        ("1002", "", "there is no such return"),
    ],
)
def test_a_refund_for_a_wrong_return_is_refused_and_changes_nothing(
    returns: EmbeddedShop, order: str, returned: str, why: str
) -> None:
    before = rows(returns, "returns")
    with pytest.raises(StoreError, match=why):
        returns.refund("key-1", order, euros(100), "returned", return_id=returned)
    pd.testing.assert_frame_equal(rows(returns, "returns"), before)
    assert refunded(returns, order) == 0 and returns.find("key-1") is None


# Holds


def test_a_hold_is_placed_and_only_that_hold_is_released(shop: EmbeddedShop) -> None:
    ours = shop.hold("key-1", "1001", "address looks wrong")
    other = shop.hold("key-2", "1001", "fraud desk")
    assert other.prior == {"order_status": "shipped", "open_holds": [ours.reference]}
    released = shop.release("key-3", ours.reference)
    assert released.prior == {
        "placed_at": "2026-03-04T13:30:00.123457Z",
        "reason": "address looks wrong",
        "handle": "tower:key-1",
    }
    holds = rows(shop, "holds").set_index("hold_id")
    assert holds.loc[ours.reference].released_at == LATER
    assert pd.isna(holds.loc[other.reference].released_at)
    assert shop.find("key-3") == released
    with pytest.raises(StoreError, match="was released"):
        shop.release("key-4", ours.reference)
    with pytest.raises(StoreError, match="no such hold"):
        shop.release("key-4", "hold-99")


def test_a_hold_stops_nothing_that_is_delivered(shop: EmbeddedShop) -> None:
    with pytest.raises(StoreError, match="is delivered already"):
        shop.hold("key-1", "1002", "fraud")
    with pytest.raises(StoreError, match="no such order"):
        shop.hold("key-1", "9999", "fraud")
    assert rows(shop, "holds").empty


# Reships


def test_a_reship_gives_up_the_lost_parcel_and_labels_a_new_one(shop: EmbeddedShop) -> None:
    sent = shop.reship("key-1", "1001", "F1001", "lost in transit")
    assert sent.prior == {"fulfillment_id": "F1001", "status": "in_transit", "tracking_code": "ADLER1"}
    parcels = rows(shop, "fulfillments", ["1001"]).set_index("fulfillment_id")
    new = parcels.loc[sent.reference]
    assert (new.status, new.carrier, new.service, new.warehouse_id) == ("label", "adler", "express", "BER")
    assert new.label_created_at == LATER and pd.isna(new.handed_over_at) and new.tracking_code != "ADLER1"
    assert parcels.loc["F1001"].status == "cancelled"
    assert shop.find("key-1") == sent


def test_a_reship_can_be_cancelled_until_it_is_handed_over(shop: EmbeddedShop) -> None:
    sent = shop.reship("key-1", "1001", "F1001", "lost")
    voided = shop.cancel_reship("key-2", sent.reference)
    assert voided.prior["status"] == "label" and voided.order_id == "1001"
    status = rows(shop, "fulfillments", ["1001"]).set_index("fulfillment_id").status
    assert status.to_dict() == {"F1001": "in_transit", sent.reference: "cancelled"}
    with pytest.raises(StoreError, match="too late"):
        shop.cancel_reship("key-3", sent.reference)
    again = shop.reship("key-4", "1001", "F1001", "lost")
    with sqlite3.connect(shop.path) as connection:
        connection.execute("UPDATE fulfillments SET handed_over_at = 1 WHERE fulfillment_id = ?", (again.reference,))
    with pytest.raises(StoreError, match="handed over; too late"):
        shop.cancel_reship("key-5", again.reference)
    with pytest.raises(StoreError, match="no reship of ours"):
        shop.cancel_reship("key-6", "F1002")


@pytest.mark.parametrize(
    ("order", "parcel", "why"),
    [
        ("1001", "F1002", "has no fulfilment F1002"),
        ("1001", "nothing", "has no fulfilment"),
        ("1002", "F1002", "is delivered"),
        ("1003", "F1003", "is cancelled"),
        ("9999", "F1001", "no such order"),
    ],
)
def test_what_can_not_be_sent_again_is_refused(shop: EmbeddedShop, order: str, parcel: str, why: str) -> None:
    before = rows(shop, "fulfillments")
    with pytest.raises(StoreError, match=why):
        shop.reship("key-1", order, parcel, "lost")
    pd.testing.assert_frame_equal(rows(shop, "fulfillments"), before)


def test_an_order_on_hold_is_not_sent_again_and_the_same_parcel_not_twice(shop: EmbeddedShop) -> None:
    held = shop.hold("key-1", "1001", "fraud")
    with pytest.raises(StoreError, match="is on hold"):
        shop.reship("key-2", "1001", "F1001", "lost")
    shop.release("key-3", held.reference)
    shop.reship("key-4", "1001", "F1001", "lost")
    with pytest.raises(StoreError, match="is cancelled and can't be sent again"):
        shop.reship("key-4", "1001", "F1001", "lost")


# Hostile text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(shop: EmbeddedShop, text: str) -> None:
    assert shop.find(text) is None
    calls: list[Callable[[], object]] = [
        lambda: shop.refund("key", text + "?", euros(1), "lost"),
        lambda: shop.hold("key", text + "?", "lost"),
        lambda: shop.reship("key", "1001", text, "lost"),
        lambda: shop.release("key", text),
        lambda: shop.cancel_reship("key", text),
    ]
    for call in calls:
        with pytest.raises(StoreError):
            call()
    effect = shop.hold(text, "1001", text)
    assert shop.find(text) == effect and rows(shop, "holds").reason.item() == text
    assert len(rows(shop, "orders")) == 3 and len(rows(shop, "orders", [text])) == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_an_order_with_a_hostile_id_is_an_order_like_any_other(shop: EmbeddedShop, text: str) -> None:
    with Session(shop.engine) as session, session.begin():
        session.add(an_order(text))
        session.add(a_payment(text, 500, MORNING))
    shop.refund("key", text, euros(500), "lost")
    assert rows(shop, "orders", [text]).order_id.tolist() == [text]
    assert rows(shop, "refunds", [text, text]).amount.tolist() == [500]


def test_text_that_is_no_text_is_refused(shop: EmbeddedShop) -> None:
    assert shop.find("\ud800") is None
    with pytest.raises(StoreError, match="no store can keep"):
        shop.hold("key", "1001", "\ud800")
    with pytest.raises(SourceError, match="could not read"):
        rows(shop, "orders", ["\ud800"])


# Reading


def test_every_canonical_table_is_there_with_the_columns_asked_for(shop: EmbeddedShop) -> None:
    assert shop.tables() == set(CANONICAL) and "campaigns" in shop.tables()
    assert shop.shop == Shop(id="shop", time_zone="Europe/Berlin", country="DE", currency="EUR")
    assert {"source", "source_id", "observed_at", "order_id"} <= shop.columns("orders")
    connection = duckdb.connect()
    wanted = {"placed_at": "TIMESTAMPTZ", "source_id": "VARCHAR", "no_such": "BIGINT", "order_id": "VARCHAR"}
    read = connection.sql(shop.relation(connection, "orders", wanted))
    assert read.columns == [*wanted, "unreadable"]
    assert [str(kind) for kind in read.types] == [
        "TIMESTAMP WITH TIME ZONE",
        "VARCHAR",
        "BIGINT",
        "VARCHAR",
        "VARCHAR",
    ]
    assert read.df().no_such.isna().all() and read.df().unreadable.isna().all()
    promises = connection.sql(shop.relation(connection, "promises", kinds_of("promises")))
    assert dict(zip(promises.columns, map(str, promises.types), strict=True))["by_day"] == "BOOLEAN"


def test_moments_come_back_to_the_microsecond(shop: EmbeddedShop) -> None:
    assert rows(shop, "payments").paid_at.dt.tz_convert(UTC).tolist() == [MORNING] * 3
    with Session(shop.engine) as session:
        assert session.get_one(PaymentRow, "P1001-1").paid_at == MORNING
    with pytest.raises(StatementError, match="naive"), Session(shop.engine) as session:
        session.add(a_payment("1001", 1, datetime(2026, 1, 1), part=9))  # noqa: DTZ001
        session.flush()


def test_only_the_orders_asked_for_are_read(shop: EmbeddedShop) -> None:
    assert rows(shop, "orders", ["1001", "1003", "4"]).order_id.tolist() == ["1001", "1003"]
    assert rows(shop, "orders", []).empty
    many = [str(number) for number in range(50_000)]
    assert len(rows(shop, "orders", many)) == 3


def test_a_row_that_names_no_order_may_be_of_any(returns: EmbeddedShop) -> None:
    assert set(rows(returns, "returns", ["1002"]).return_id) == {"T1", "T2", "T3"}
    assert rows(returns, "returns", ["1001"]).return_id.tolist() == ["T2"]
    assert rows(returns, "returns", []).return_id.tolist() == ["T2"]


def test_a_live_shop_was_observed_when_it_was_read(shop: EmbeddedShop) -> None:
    assert rows(shop, "orders").observed_at.tolist() == [LATER] * 3


def test_a_frozen_shop_was_observed_then_and_what_hands_did_since_when_they_did_it(
    shop: EmbeddedShop,
) -> None:
    with Session(shop.engine) as session, session.begin():
        session.get_one(ProfileRow, "shop").frozen_at = MORNING + timedelta(hours=1)
    shop.refund("key-1", "1001", euros(100), "lost")
    assert rows(shop, "orders").observed_at.tolist() == [MORNING + timedelta(hours=1)] * 3
    refund = rows(shop, "refunds").iloc[0]
    assert refund.observed_at == refund.refunded_at == LATER


def test_a_generated_shop_is_read_live_when_it_is_not_frozen(tmp_path: Path) -> None:
    frozen, live = tmp_path / "frozen.db", tmp_path / "live.db"
    truth = generate(str(frozen), orders=100, seed=1, as_of=MORNING)
    assert generate(f"sqlite:///{live}", orders=100, seed=1, as_of=MORNING, frozen=False) == truth
    for path, moment in ((frozen, MORNING), (live, LATER)):
        shop = EmbeddedShop(f"sqlite:///{path}", now=lambda: LATER)
        assert set(rows(shop, "orders").observed_at) == {moment}


def test_nothing_is_observed_before_it_was_written_even_when_the_clock_was_behind(shop: EmbeddedShop) -> None:
    shop.now = lambda: MORNING - timedelta(days=1)
    assert rows(shop, "orders").observed_at.tolist() == [MORNING] * 3


def test_what_could_not_be_read_is_never_empty(shop: EmbeddedShop, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="did you mean 'orders'"):
        rows_of_no_table(shop, "order")
    with sqlite3.connect(shop.path) as connection:
        connection.execute("DROP TABLE holds")
    with pytest.raises(SourceError, match="could not read holds"):
        rows(shop, "holds")
    (tmp_path / "letter.txt").write_text("dear customer, " * 100)
    with pytest.raises(StoreError, match="is no shop"):
        EmbeddedShop(f"sqlite:///{tmp_path / 'letter.txt'}")


def rows_of_no_table(shop: EmbeddedShop, table: str) -> str:
    return shop.relation(duckdb.connect(), table, {"order_id": "VARCHAR"})


def test_a_column_never_holds_another_type(shop: EmbeddedShop) -> None:
    with sqlite3.connect(shop.path) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE orders SET total_amount = 'a lot'")


@pytest.mark.parametrize(
    "url", ["postgresql://ana:hunter2@127.0.0.1/shop", "sqlite://", "sqlite:///:memory:", "no url", ""]
)
def test_only_a_sqlite_file_is_an_embedded_shop_and_no_password_is_told(url: str) -> None:
    with pytest.raises(SettingError) as fault:
        EmbeddedShop(url)
    assert "hunter2" not in str(fault.value)


def test_a_shop_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="there is no folder"):
        EmbeddedShop(f"sqlite:///{tmp_path / 'nowhere' / 'shop.db'}")


def test_a_shop_is_made_once_with_its_own_profile(tmp_path: Path, url: str) -> None:
    vienna = Shop(id="vienna", time_zone="Europe/Vienna", country="AT", currency="EUR")
    assert EmbeddedShop(url, profile=vienna).shop == vienna
    assert EmbeddedShop(url).shop == vienna
    with ThreadPoolExecutor(8) as openers:
        opened = openers.map(lambda _: EmbeddedShop(f"sqlite:///{tmp_path / 'other.db'}").shop.id, range(8))
    assert set(opened) == {"shop"}


def test_a_shop_of_the_first_edition_is_brought_up_to_date_with_all_it_holds(url: str, shop: EmbeddedShop) -> None:
    """Before there were returns: no such tables, no refund without an order, no final sale."""
    shop.refund("key-1", "1001", euros(1200), "lost")
    with sqlite3.connect(shop.path) as connection:
        connection.executescript(
            "DROP TABLE returns; DROP TABLE inspections; ALTER TABLE refunds RENAME TO newer; DROP INDEX"
            " ix_refunds_order_id; CREATE TABLE refunds (refund_id TEXT NOT NULL PRIMARY KEY, order_id TEXT NOT NULL,"
            " amount INTEGER NOT NULL, currency TEXT NOT NULL, refunded_at INTEGER NOT NULL,"
            " observed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
            "CREATE INDEX ix_refunds_order_id ON refunds (order_id);"
            "INSERT INTO refunds SELECT refund_id, order_id, amount, currency, refunded_at, observed_at FROM newer;"
            "DROP TABLE newer; ALTER TABLE order_lines DROP COLUMN final_sale;"
            "ALTER TABLE order_lines DROP COLUMN category; PRAGMA user_version = 0"
        )
    with ThreadPoolExecutor(4) as openers:
        shops = list(openers.map(lambda _: EmbeddedShop(url, now=lambda: LATER), range(4)))
    old = shops[0]
    assert rows(old, "refunds")[["order_id", "amount"]].to_numpy().tolist() == [["1001", 1200]]
    assert rows(old, "returns").empty and rows(old, "order_lines").empty and len(rows(old, "orders")) == 3
    old.refund("key-2", "1001", euros(100), "late")
    with Session(old.engine) as session, session.begin():
        session.add(
            RefundRow(refund_id="R9", return_id="T2", amount=5, currency="EUR", refunded_at=LATER, observed_at=LATER)
        )
    assert len(rows(old, "refunds", ["1001"])) == 3


def test_a_shop_of_the_second_edition_gets_the_tables_of_stock(url: str, returns: EmbeddedShop) -> None:
    before = {table: rows(returns, table) for table in ("orders", "order_lines", "returns", "refunds")}
    stock = ("inventory_levels", "purchase_orders", "product_signals", "product_states")
    with sqlite3.connect(returns.path) as connection:
        connection.executescript("".join(f"DROP TABLE {table};" for table in stock) + "PRAGMA user_version = 2")
    again = EmbeddedShop(url, now=lambda: LATER)
    assert all(rows(again, table).empty for table in stock)
    for table, held in before.items():
        kept = rows(again, table)
        pd.testing.assert_frame_equal(kept.drop(columns="observed_at"), held.drop(columns="observed_at"))


def test_the_shops_tables_are_not_the_ledgers() -> None:
    import control_tower.ledger.tables

    assert control_tower.ledger.tables.ALL
    assert ShopRow.metadata is not SQLModel.metadata
    assert not {table.name for table in CANONICAL.values()} & set(SQLModel.metadata.tables)
    assert {RefundRow.__table__.name, HoldRow.__table__.name} <= set(ShopRow.metadata.tables)
