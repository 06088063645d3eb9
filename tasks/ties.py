"""Ties: orders that can't be told apart, because a row of one speaks of another, or claims to be a row of it.

NOBODY stands for all orders that the source does not have, and for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import data_contracts
from control_tower.joins import joins, literal, quoted
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.settings import settings
from control_tower.sources import open_source
from tasks.gather import NOBODY, Gathered
from tasks.survey import keep_orders

if TYPE_CHECKING:
    import duckdb

    from data_contracts import Contract

Pair = tuple[str, str]


def tie(connection: duckdb.DuckDBPyConnection, views: Mapping[str, str], last: int) -> None:
    """Move orders that are tied to one another into one part of `home`: the first of theirs.

    Rows of one key are one row told twice, and are refused together wherever they are; a scan belongs to its
    parcel's order and to the one that it names. What is tied to no order of the source is in the last part.

    Args:
        views: table to SQL of its rows.
        last: the number of the last part.
    """
    found = tied(pairs(connection, views))
    if not found:
        return
    connection.execute("CREATE TEMP TABLE tied (order_id VARCHAR, leader VARCHAR)")
    connection.executemany("INSERT INTO tied VALUES (?, ?)", list(found.items()))
    connection.execute(
        "CREATE TEMP TABLE moved AS SELECT t.order_id,"
        f" CASE WHEN bool_or(h.part IS NULL) OVER (PARTITION BY t.leader) THEN {last}"
        " ELSE min(h.part) OVER (PARTITION BY t.leader) END AS part"
        " FROM tied AS t LEFT JOIN home AS h USING (order_id)"
    )
    connection.execute("UPDATE home SET part = moved.part FROM moved WHERE moved.order_id = home.order_id")


def pairs(connection: duckdb.DuckDBPyConnection, views: Mapping[str, str]) -> Iterator[Pair]:
    """Orders that are tied, two by two; in place of one that is not named, NOBODY."""
    keys = {data_contracts.load(table).key: table for table in views}
    for table, view in views.items():
        contract = data_contracts.load(table)
        if table == "orders" or "order_id" not in contract.columns:
            continue
        yield from connection.execute(_twice(view, contract.key)).fetchall()
        for column in contract.columns:
            parent = keys.get(column)
            if parent and parent not in ("orders", table):
                yield from connection.execute(_across(view, views[parent], column)).fetchall()


def _twice(view: str, key: str) -> str:
    """SQL of the orders that rows of one key name."""
    rows = f"SELECT {quoted(key)} AS key, coalesce(order_id, '{NOBODY}') AS order_id FROM ({view})"
    return (
        f"SELECT DISTINCT one, order_id FROM (SELECT order_id, min(order_id) OVER (PARTITION BY key) AS one"
        f" FROM ({rows}) WHERE key IS NOT NULL AND hash(key) IN"
        f" (SELECT hashed FROM (SELECT hash(key) AS hashed FROM ({rows})) GROUP BY hashed HAVING count(*) > 1))"
        " WHERE one <> order_id"
    )


def _across(view: str, parent: str, column: str) -> str:
    """SQL of the orders of rows and of what they are rows of, as of scans and their parcels."""
    name = quoted(column)
    return (
        f"SELECT DISTINCT coalesce(c.order_id, '{NOBODY}'), coalesce(p.order_id, '{NOBODY}')"
        f" FROM ({view}) AS c JOIN ({parent}) AS p ON c.{name} = p.{name}"
        " WHERE c.order_id IS DISTINCT FROM p.order_id"
    )


def tied(several: Iterable[Pair]) -> dict[str, str]:
    """Each order that is tied to any, with the one that leads all that are tied together: the least."""
    leads: dict[str, str] = {}

    def leader(order: str) -> str:
        path = []
        while leads.setdefault(order, order) != order:
            path.append(order)
            order = leads[order]
        for each in path:
            leads[each] = order
        return order

    for one, other in several:
        first, second = sorted((leader(one), leader(other)))
        leads[second] = first
    return {order: leader(order) for order in list(leads)}


@step(touches="the source")
def with_tied(source: str, mapping: str | None, gathered: Gathered, chosen: Kept) -> Kept:
    """The chosen orders, and those that are tied to them by a row that was gathered; the same frame when none is."""
    opened, archive = open_source(source, mapping, settings()), open_archive(settings().artifacts)
    contracts = {table: data_contracts.load(table) for table in gathered.frames}
    parts = [f"SELECT order_id FROM read_parquet({literal(archive.location(chosen))})"]
    with joins(settings()) as connection:
        for table, column, other in sorted(related(contracts, keyed=opened.keyed)):
            rows = f"read_parquet({literal(archive.location(gathered.frames[table]))})"
            values = f"SELECT DISTINCT {quoted(column)} FROM {rows} WHERE {quoted(column)} IS NOT NULL"
            parts.append(opened.orders_with(connection, other, contracts[other].duckdb_types(), column, values))
        found = keep_orders(archive, connection, parts)
    return chosen if found.rows == chosen.rows else found


def related(contracts: Mapping[str, Contract], *, keyed: bool) -> set[tuple[str, str, str]]:
    """A table, a column of it, and another table whose rows with the same value there may be of other orders.

    Args:
        keyed: no two rows of a table have one key.
    """
    of_orders = {name: one for name, one in contracts.items() if name != "orders" and "order_id" in one.columns}
    found = set() if keyed else {(name, one.key, name) for name, one in of_orders.items()}
    for name, one in of_orders.items():
        for other, theirs in of_orders.items():
            if name != other and theirs.key in one.columns:  # what it is a row of, and the rows that it has
                found |= {(name, theirs.key, other), (other, theirs.key, name)}
    return found
