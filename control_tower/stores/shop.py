"""The embedded shop: a SQLite database that is both a source of evidence and a store with hands."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from sqlalchemy import Engine, NullPool, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session

from control_tower.errors import OutcomeUnknown, SettingError, SourceError, StoreError, nearest
from control_tower.joins import quoted
from control_tower.nouns import Money, Shop
from control_tower.sources.observed import tide_of
from control_tower.sources.protocol import Tide
from control_tower.sqlite import tune
from control_tower.stores import hands
from control_tower.stores.columns import EPOCH, MICROSECOND
from control_tower.stores.editions import EDITION, bring_up_to_date, edition_of
from control_tower.stores.hands import Instruction
from control_tower.stores.protocol import HANDS, Abilities, StoreEffect
from control_tower.stores.reading import read_arrow
from control_tower.stores.tables import CANONICAL, ProfileRow, key_of, kinds_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PROFILE = Shop(id="shop", time_zone="Europe/Berlin", country="DE", currency="EUR")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class EmbeddedShop:
    """One shop in one SQLite file, made when it is not there yet.

    Read live, a row's `observed_at` is the moment of reading. A frozen shop (one that was generated
    for a moment) was observed at that moment, and a row that hands changed later, when they did.

    Args:
        url: SQLAlchemy URL, as in `sqlite:////path/shop.db`.
        now: the clock that writes and reads are dated by.
        profile: whose shop it is, when it is made.

    Raises:
        SettingError: the URL is not of a SQLite file in a folder that is there.
        StoreError: the file is not a shop.
    """

    def __init__(self, url: str, now: Callable[[], datetime] = _utc_now, profile: Shop = PROFILE) -> None:
        self.path = sqlite_file(url)
        self.url = url
        self.now = now
        self.engine: Engine = create_engine(url, poolclass=NullPool)
        event.listen(self.engine, "connect", tune)
        try:
            self._open(profile)
        except DBAPIError as fault:
            raise StoreError(f"is no shop: {fault.orig}", where=str(self.path)) from None

    def _open(self, profile: Shop) -> None:
        with self.engine.connect() as connection:
            if edition_of(connection) >= EDITION:
                return
        with self._transaction() as session:
            bring_up_to_date(session.connection())
            if session.scalars(select(ProfileRow)).first() is None:
                session.add(ProfileRow(**profile.model_dump()))

    # The source

    @cached_property
    def shop(self) -> Shop:
        """Whose orders these are."""
        profile = self._profile()
        return Shop(**profile.model_dump(exclude={"frozen_at"})) if profile else PROFILE

    @property
    def frozen_at(self) -> datetime | None:
        """The moment that the shop was generated for; None when it is live."""
        profile = self._profile()
        return profile.frozen_at if profile else None

    def tables(self) -> frozenset[str]:
        """Every canonical table."""
        return frozenset(CANONICAL)

    def columns(self, table: str) -> frozenset[str]:
        """The canonical columns of a table that the shop can fill."""
        return frozenset(kinds_of(_known(table))) | {"source", "source_id"}

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        orders: Sequence[str] | None = None,
    ) -> str:
        """Read a table into Arrow, register it, and give the SELECT of `columns` and `unreadable` over it.

        Args:
            columns: name -> DuckDB type; a column that the shop does not have is NULL.
            orders: only rows of these orders, and rows that name none; a table without orders is given whole.

        Raises:
            SourceError: there is no such table, or it could not be read.
        """
        key = key_of(_known(table))
        kinds = {
            name: kind for name, kind in kinds_of(table).items() if name in columns or name in (key, "observed_at")
        }
        try:
            read = self._observed(table, kinds, orders)
        except (DBAPIError, sqlite3.Error, UnicodeEncodeError) as fault:
            raise SourceError(f"could not read {table}: {fault}", where=str(self.path)) from None
        name = f"shop_{table}_{uuid4().hex}"
        connection.register(name, read)
        chosen = ", ".join(_chosen(name, kind, kinds, key) for name, kind in columns.items())
        # STRICT tables hold nothing that could not be read as its type.
        return f"SELECT {chosen}, CAST(NULL AS VARCHAR) AS unreadable FROM {quoted(name)}"

    def _observed(self, table: str, kinds: Mapping[str, str], orders: Sequence[str] | None) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        by_order = orders if "order_id" in CANONICAL[table].columns else None
        with self._driver_connection() as connection:
            read = read_arrow(connection, table, kinds, by_order)
        # After the rows were read, so that none of them was written later than it was observed.
        seen = ((self.frozen_at or self.now()) - EPOCH) // MICROSECOND
        at = read.column_names.index("observed_at")
        field, written = read.schema.field(at), read.column(at)
        floor = pa.scalar(seen, pa.int64()).cast(field.type)
        return read.set_column(at, field, pc.if_else(pc.less(written, floor), floor, written))

    def check_columns(self, table: str, known: Collection[str]) -> None:
        """Its columns are the tower's own."""

    @property
    def keyed(self) -> bool:
        """Its tables hold to their primary keys."""
        return True

    def tide(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        by: datetime,
        window: timedelta,
    ) -> Tide | None:
        """How far a table had been written; what is read live is observed later than that."""
        with self._driver_connection() as book:
            return tide_of(
                lambda sql: book.execute(sql).fetchall()[0], quoted(_known(table)), "observed_at", by, window
            )

    def changed(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        since: datetime | None,
    ) -> str:
        """The orders of the rows that were written since; by the index on `observed_at`."""
        at = "" if since is None else f" AND observed_at >= {(since - EPOCH) // MICROSECOND}"
        sql = f"SELECT DISTINCT order_id FROM {quoted(_known(table))} WHERE order_id IS NOT NULL{at}"
        return self._orders(connection, sql)

    def orders_with(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        column: str,
        values: str,
    ) -> str:
        """The orders of the rows that have one of some values in a column; by its index, where it has one."""
        wanted = connection.execute(values).fetchall()
        sql = (
            f"SELECT DISTINCT order_id FROM {quoted(_known(table))} WHERE order_id IS NOT NULL"
            f" AND {quoted(column)} IN (SELECT value FROM wanted)"
        )
        return self._orders(connection, sql, wanted)

    def _orders(
        self, connection: duckdb.DuckDBPyConnection, sql: str, wanted: Sequence[tuple[str]] | None = None
    ) -> str:
        import pyarrow as pa

        with self._driver_connection() as book:
            if wanted is not None:
                book.execute("CREATE TEMP TABLE wanted (value TEXT PRIMARY KEY) WITHOUT ROWID")
                book.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", wanted)
            found = [order for (order,) in book.execute(sql)]
        name = f"orders_{uuid4().hex}"
        connection.register(name, pa.table({"order_id": pa.array(found, pa.string())}))
        return f"SELECT order_id FROM {quoted(name)}"

    # The hands

    @property
    def abilities(self) -> Abilities:
        """All five. One transaction in this process: what it did not record, it did not do."""
        return Abilities(actions=HANDS, settles_within=0)

    def find(self, key: str) -> StoreEffect | None:
        """The first effect recorded under a key.

        Raises:
            StoreError: the shop can't be read; whether there is an effect is not known.
        """
        return next(iter(self.effects(key, "")), None)

    def effects(self, key: str, order_id: str) -> tuple[StoreEffect, ...]:
        """Every effect recorded under a key, oldest first, whatever order it is of.

        Raises:
            StoreError: the shop can't be read; whether there is an effect is not known.
        """
        try:
            with self._reading() as session:
                return hands.effects(session, key)
        except UnicodeEncodeError:
            return ()

    def refundable(self, order_id: str) -> Money | None:
        """What was paid and not yet refunded; None when there is no such order.

        Raises:
            StoreError: the shop can't be read.
        """
        try:
            with self._reading() as session:
                return hands.refundable(session, order_id)
        except UnicodeEncodeError:
            return None

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        try:
            with Session(self.engine) as session:
                yield session
        except DBAPIError as fault:
            raise StoreError(f"could not be read: {fault.orig}", where=str(self.path)) from None

    def refund(self, key: str, order_id: str, money: Money, reason: str, return_id: str | None = None) -> StoreEffect:
        """Pay back; refused above the remainder, in another currency, without an order, or for another's return."""
        with self._act(key, reason) as (session, said):
            return hands.refund(session, said, order_id, money, return_id)

    def reship(self, key: str, order_id: str, fulfillment_id: str, reason: str) -> StoreEffect:
        """Send again; refused when delivered, cancelled, on hold, or not of this order."""
        with self._act(key, reason) as (session, said):
            return hands.reship(session, said, order_id, fulfillment_id)

    def hold(self, key: str, order_id: str, reason: str) -> StoreEffect:
        """Put on hold; refused when delivered."""
        with self._act(key, reason) as (session, said):
            return hands.hold(session, said, order_id)

    def release(self, key: str, hold_id: str) -> StoreEffect:
        """Release one hold; refused when it is not open."""
        with self._act(key) as (session, said):
            return hands.release(session, said, hold_id)

    def cancel_reship(self, key: str, fulfillment_id: str) -> StoreEffect:
        """Void a reship; refused once it is handed over."""
        with self._act(key) as (session, said):
            return hands.cancel_reship(session, said, fulfillment_id)

    @contextmanager
    def _act(self, key: str, reason: str = "") -> Iterator[tuple[Session, Instruction]]:
        """One transaction; its moment is taken once it has the lock."""
        try:
            with self._transaction() as session:
                yield session, Instruction(key=key, reason=reason, at=self.now())
        except UnicodeEncodeError:
            raise StoreError("holds text that no store can keep", where=f"key {key!r}") from None
        except DBAPIError as fault:
            raise OutcomeUnknown(f"gave no answer: {fault.orig}", where=str(self.path)) from None

    # The database

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        """All or nothing, and one at a time: a deferred one could read, wait, and pay on what it read."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    @contextmanager
    def _driver_connection(self) -> Iterator[sqlite3.Connection]:
        """The driver's own connection: rows as plain tuples, several times faster than mapped ones."""
        connection = self.engine.raw_connection()
        try:
            yield cast(sqlite3.Connection, connection.driver_connection)
        finally:
            connection.close()

    def _profile(self) -> ProfileRow | None:
        """The one row of the profile; None in a file that is no shop yet."""
        with Session(self.engine) as session:
            made = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'shop_profile'"
            if session.connection().exec_driver_sql(made).first() is None:
                return None
            return session.scalars(select(ProfileRow)).first()


def sqlite_file(url: str) -> Path:
    """The file of a `sqlite:///` URL.

    Raises:
        SettingError: it is another database's URL, in memory, or in a folder that is not there.
    """
    remedy = "use sqlite:////path/to/shop.db"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingError("the shop's URL is no database URL", remedy=remedy) from None
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        shown = parsed.render_as_string(hide_password=True)
        raise SettingError(f"the embedded shop is a SQLite file, not {shown}", remedy=remedy)
    path = Path(str(parsed.database))
    if not path.parent.is_dir():
        raise SettingError(f"there is no folder {path.parent}", where=str(path), remedy="make it first")
    return path


def _known(table: str) -> str:
    if table not in CANONICAL:
        raise SourceError(f"the shop has no table {table!r}", remedy=nearest(table, CANONICAL))
    return table


def _chosen(name: str, kind: str, kinds: Mapping[str, str], key: str) -> str:
    """A column as it was asked for: ours, one of the two that every row shares, or NULL."""
    shared = {"source": "'shop'", "source_id": quoted(key)}
    value = shared.get(name) or (quoted(name) if name in kinds else "NULL")
    return f"CAST({value} AS {kind}) AS {quoted(name)}"
