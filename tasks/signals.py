"""Signals: the words that a lane's SQL may use, and the types of the facts that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import data_contracts
from control_tower.joins import joins, literal, quoted
from control_tower.nouns import Shop, as_json
from control_tower.settings import Settings
from policies import Policy, business_days
from policies.meanings import meanings
from policies.terms import Calendar
from tasks.lane import Lane

if TYPE_CHECKING:
    import duckdb

MARKS = ("order_id", "table", "source_id", "rule", "sentence")
GIVES = {  # the type of a fact, by the type that DuckDB gives its column
    "text": ("VARCHAR",),
    "boolean": ("BOOLEAN",),
    "integer": ("BIGINT", "INTEGER"),
    "number": ("DOUBLE", "BIGINT", "INTEGER"),
    "timestamp": ("TIMESTAMP WITH TIME ZONE",),
    "date": ("DATE",),
}


def mistyped(lane: Lane, policy: Policy, tower: Settings) -> dict[str, str]:
    """The facts that a policy declares and its lane's signals don't give so, each with what they give instead.

    The signals are typed against the columns that the contracts promise; no evidence is read.
    """
    given = _types(lane, policy, tower)
    return {
        name: f"{name} is declared {fact.type}, and the signals give {given.get(name, 'no such column')}"
        for name, fact in policy.facts.items()
        if given.get(name) not in GIVES[fact.type]
    }


def _types(lane: Lane, policy: Policy, tower: Settings) -> dict[str, str]:
    """Column to DuckDB type of what a lane's signals give."""
    shop = Shop(id="none", time_zone="UTC", country="US", currency="USD")
    with joins(tower) as connection:
        for table in lane.tables:
            nothing_of(connection, table)
        nothing = ", ".join(f"NULL::VARCHAR AS {quoted(name)}" for name in MARKS)
        connection.execute(f"CREATE VIEW marks AS SELECT {nothing} WHERE false")
        vocabulary(connection, shop, datetime.now(UTC), ())
        calendar_words(connection, shop, datetime.now(UTC), policy.calendar)
        rows = connection.execute(f"DESCRIBE {lane.signals.strip()}").fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


def nothing_of(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """An empty view of a table, with the columns that its contract promises."""
    contract = data_contracts.load(table)
    columns = contract.duckdb_types() | ({"status_known": "BOOLEAN"} if "status" in contract.columns else {})
    nothing = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in columns.items())
    connection.execute(f"CREATE VIEW {quoted(table)} AS SELECT {nothing} WHERE false")


def _statistics(connection: duckdb.DuckDBPyConnection) -> None:
    """`binomial_tail(count, of, share)`: the chance of at least `count` out of `of`, each with that share.

    `gamma_quantile(chance, shape)`: the value below which a gamma of this shape and scale 1 lies with a chance.
    """
    from duckdb.sqltypes import BIGINT, DOUBLE

    def tail(count: Any, of: Any, share: Any) -> Any:
        import pyarrow as pa
        from scipy.stats import binom

        found = binom.sf(count.to_numpy(zero_copy_only=False) - 1, of.to_numpy(), share.to_numpy())
        return pa.array(found, type=pa.float64())

    def quantile(chance: Any, shape: Any) -> Any:
        import pyarrow as pa
        from scipy.special import gammaincinv

        found = gammaincinv(shape.to_numpy(zero_copy_only=False), chance.to_numpy(zero_copy_only=False))
        return pa.array(found, type=pa.float64())

    connection.create_function("gamma_quantile", quantile, [DOUBLE, DOUBLE], DOUBLE, type="arrow")
    connection.create_function("binomial_tail", tail, [BIGINT, BIGINT, DOUBLE], DOUBLE, type="arrow")


def _words(connection: duckdb.DuckDBPyConnection) -> None:
    """`words_for(meaning, text)`: the words of a text that say so by the meanings on paper, or null."""
    from duckdb.sqltypes import VARCHAR

    def words_for(meaning: Any, text: Any) -> Any:
        import pyarrow as pa

        paper = meanings()
        pairs = zip(meaning.to_pylist(), text.to_pylist(), strict=True)
        return pa.array([paper.words(one, said) if said else None for one, said in pairs], type=pa.string())

    connection.create_function(
        "words_for", words_for, [VARCHAR, VARCHAR], VARCHAR, type="arrow", null_handling="special"
    )


def vocabulary(
    connection: duckdb.DuckDBPyConnection,
    shop: Shop,
    as_of: datetime,
    present: Sequence[str],
    untold: Sequence[str] = (),
) -> None:
    """The words that signals and measures may use beside SQL's own.

    Args:
        present: the tables that the source has.
        untold: the columns of those that it never tells of, as in `orders.approved_at`.
    """
    there = ", ".join(map(literal, present)) or "NULL"
    silent = ", ".join(map(literal, untold)) or "''"
    zone = literal(shop.time_zone)
    for macro in (
        f"as_of() AS TIMESTAMPTZ {literal(as_json(as_of))}",
        f"has(name) AS name IN ({there})",
        f"tells(name) AS name NOT IN ({silent})",
        f"day_of(moment) AS CAST(timezone({zone}, moment) AS DATE)",
        "hours_between(first, last) AS (epoch_us(last) - epoch_us(first)) / 3600000000.0",
    ):
        connection.execute(f"CREATE MACRO {macro}")
    _statistics(connection)
    _words(connection)


def calendar_words(connection: duckdb.DuckDBPyConnection, shop: Shop, as_of: datetime, calendar: Calendar) -> None:
    """`open_days(moment)`, beside `vocabulary`: how many business days there are from a moment to `as_of`."""
    connection.register("calendar", business_days(shop, calendar, as_of))
    # The calendar as one list, indexed by day: counting open days is then two look-ups and no join.
    connection.execute("SET VARIABLE first_day = (SELECT min(day) FROM calendar)")
    connection.execute("SET VARIABLE open_days = (SELECT list(ordinal ORDER BY day) FROM calendar)")
    connection.execute(
        "CREATE MACRO day_number(moment) AS CASE WHEN moment IS NOT NULL"  # greatest(NULL, 0) would be 0
        " THEN greatest(date_diff('day', getvariable('first_day'), day_of(moment)), 0) + 1 END"
    )
    connection.execute(
        "CREATE MACRO open_days(moment) AS"
        " getvariable('open_days')[day_number(as_of())] - getvariable('open_days')[day_number(moment)]"
    )
