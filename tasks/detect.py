"""Detect: turn accepted evidence into facts, one row for each order, by the lane's own SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import data_contracts
from control_tower.errors import ContractError
from control_tower.joins import PARQUET, joins, literal, quoted
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import as_json
from control_tower.settings import Settings, settings
from policies import Policy, business_days
from tasks.validate import Accepted

if TYPE_CHECKING:
    import duckdb


@step
def detect(accepted: Accepted, signals: str, policy: Policy) -> Kept:
    """Run a lane's signals over the accepted evidence.

    Args:
        signals: SQL that reads the evidence tables by name and gives the facts that the policy declares.

    Returns:
        The kept facts frame, sorted by order.

    Raises:
        ContractError: the signals don't give every fact that the policy reads.
    """
    tower = settings()
    archive = open_archive(tower.artifacts)
    written = archive.scratch("facts")
    with joins(tower) as connection:
        _evidence(connection, accepted, tower)
        _vocabulary(connection, accepted, policy)
        connection.execute(f"COPY ({signals.strip()}) TO {literal(str(written))} {PARQUET}")
    facts = archive.keep_file("facts", written)
    lacking = [name for name in policy.facts if name not in facts.columns]
    if lacking:
        raise ContractError(f"gives no {', '.join(lacking)}", where="the lane's signals", remedy=policy.reference)
    return facts


def _evidence(connection: duckdb.DuckDBPyConnection, accepted: Accepted, tower: Settings) -> None:
    """A view for each accepted table, visible rows only, and an empty one for each that is absent."""
    archive = open_archive(tower.artifacts)
    for table, kept in accepted.frames.items():
        path = literal(archive.location(kept))
        connection.execute(f"CREATE VIEW {quoted(table)} AS SELECT * FROM read_parquet({path}) WHERE visible")
    for table in accepted.absent:
        contract = data_contracts.load(table)
        columns = contract.duckdb_types() | ({"status_known": "BOOLEAN"} if "status" in contract.columns else {})
        nothing = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in columns.items())
        connection.execute(f"CREATE VIEW {quoted(table)} AS SELECT {nothing} WHERE false")
    marks = literal(archive.location(accepted.marks))
    connection.execute(f"CREATE VIEW marks AS SELECT * FROM read_parquet({marks})")


def _statistics(connection: duckdb.DuckDBPyConnection) -> None:
    """`binomial_tail(count, of, share)`: the chance of at least `count` out of `of`, each with that share."""
    from duckdb.sqltypes import BIGINT, DOUBLE

    def tail(count: Any, of: Any, share: Any) -> Any:
        import pyarrow as pa
        from scipy.stats import binom

        found = binom.sf(count.to_numpy(zero_copy_only=False) - 1, of.to_numpy(), share.to_numpy())
        return pa.array(found, type=pa.float64())

    connection.create_function("binomial_tail", tail, [BIGINT, BIGINT, DOUBLE], DOUBLE, type="arrow")


def _vocabulary(connection: duckdb.DuckDBPyConnection, accepted: Accepted, policy: Policy) -> None:
    """The words that signals may use beside SQL's own."""
    present = ", ".join(literal(table) for table in accepted.frames)
    zone = literal(accepted.shop.time_zone)
    for macro in (
        f"as_of() AS TIMESTAMPTZ {literal(as_json(accepted.as_of))}",
        f"has(name) AS name IN ({present})",
        f"day_of(moment) AS CAST(timezone({zone}, moment) AS DATE)",
        "hours_between(first, last) AS (epoch_us(last) - epoch_us(first)) / 3600000000.0",
    ):
        connection.execute(f"CREATE MACRO {macro}")
    _statistics(connection)
    connection.register("calendar", business_days(accepted.shop, policy.calendar, accepted.as_of))
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
