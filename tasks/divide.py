"""Divide: read a source once, into parts of the orders of some days each, whatever belongs together in one part."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import data_contracts
from control_tower.joins import PARQUET, joins, literal, quoted
from control_tower.keeping import Address, Archive, Kept
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import Noun
from control_tower.settings import Settings, settings
from control_tower.sources import open_source
from tasks.gather import Gathered, present_in, untold_by, view_of
from tasks.ties import tie

if TYPE_CHECKING:
    import duckdb

FIRST, LAST = "DATE '1900-01-01'", "DATE '2200-01-01'"  # a time that nobody can mean is left for the contract to refuse
SPLIT = PARQUET.replace(")", ", PARTITION_BY (part))")


class Part(Noun):
    """The evidence of the orders that were placed on some days, and of whatever can't be told apart from them."""

    number: int
    since: date
    until: date
    gathered: Gathered


class Divided(Noun):
    """The evidence of one shop as it was at a moment, in parts: each row of the source is in one."""

    parts: tuple[Part, ...]

    @property
    def kept_files(self) -> dict[str, Address]:
        """Where each part's tables are kept."""
        frames = ((part, name, kept) for part in self.parts for name, kept in part.gathered.frames.items())
        return {f"{part.number}.{name}": kept.address for part, name, kept in frames}

    @property
    def markdown(self) -> str:
        """The parts, for the artifact."""
        rows = [
            f"| {part.number} | {part.since} | {part.until} | {sum(k.rows for k in part.gathered.frames.values()):,} |"
            for part in self.parts
        ]
        return "\n".join(["| part | from | to | rows |", "|---:|---|---|---:|", *rows])


@step(touches="the source")
def divide(
    source: str, mapping: str | None, tables: Sequence[str], as_of: datetime, part_orders: int, live: bool = False
) -> Divided:
    """Read each table from the source, as of a moment, into kept Parquet: a file for each part.

    An order is of the day on which it was placed, in the shop's time zone, and a part is a run of days with about
    `part_orders` orders; a day of more is several parts. Rows that name no order of the source are in the last.

    Args:
        source, mapping, tables, as_of, live: as `gather`.
        part_orders: about how many orders a part is to have.

    Raises:
        SourceError, ContractBreach: as `gather`.
    """
    tower = settings()
    opened = open_source(source, mapping, tower)
    present = present_in(opened, tables, source)
    with joins(tower) as connection:
        views = {table: view_of(opened, connection, table, as_of, (), live) for table in present}
        spans = _home_of_orders(connection, views["orders"], opened.shop.time_zone, part_orders)
        tie(connection, views, len(spans) - 1)
        _keep_order(connection)
        frames = {table: _written(connection, table, view, len(spans), tower) for table, view in views.items()}
    absent, untold = tuple(table for table in tables if table not in present), untold_by(opened, present)
    return Divided(
        parts=tuple(
            Part(
                number=number,
                since=span.since,
                until=span.until,
                gathered=Gathered(
                    shop=opened.shop,
                    as_of=as_of,
                    frames={table: several[number] for table, several in frames.items()},
                    absent=absent,
                    untold=untold,
                ),
            )
            for number, span in enumerate(spans)
        )
    )


def _keep_order(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on, a left join gives the rows of its left side in their order, and a part is the same file each time.

    One thread, which looks each row up; in a table of fewer rows than there are orders, DuckDB would look up the
    orders, which come in whatever order several threads counted them.
    """
    connection.execute("SET threads = 1")
    connection.execute("SET disabled_optimizers = 'build_side_probe_side'")


class Span(NamedTuple):
    """The days of a part; one of several that share a day is a `slice` of it."""

    since: date
    until: date
    slice: int


def _home_of_orders(connection: duckdb.DuckDBPyConnection, orders: str, time_zone: str, size: int) -> list[Span]:
    """Make the table `home` of order and part; the days of each part."""
    day = f"CAST(timezone({literal(time_zone)}, placed_at) AS DATE)"
    connection.execute(
        f"CREATE TEMP TABLE placed AS SELECT order_id, min(greatest(least({day}, {LAST}), {FIRST})) AS day"
        f" FROM ({orders}) WHERE order_id IS NOT NULL GROUP BY order_id"
    )
    counted = connection.execute("SELECT day, count(*) FROM placed GROUP BY day ORDER BY day").fetchall()
    spans = list(spans_of(counted, size)) or [Span(date(1900, 1, 1), date(1900, 1, 1), 0)]
    connection.execute("CREATE TEMP TABLE spans (part INTEGER, since DATE, until DATE, slice INTEGER, slices INTEGER)")
    slices = {day: sum(span.since == day == span.until for span in spans) for day, _ in counted}
    rows = [(n, s.since, s.until, s.slice, max(slices.get(s.since, 1), 1)) for n, s in enumerate(spans)]
    connection.executemany("INSERT INTO spans VALUES (?, ?, ?, ?, ?)", rows)
    connection.execute(
        "CREATE TEMP TABLE home AS SELECT p.order_id, s.part FROM placed AS p"
        " JOIN spans AS s ON p.day BETWEEN s.since AND s.until AND hash(p.order_id) % s.slices = s.slice"
    )
    connection.execute("DROP TABLE placed")
    return spans


def spans_of(counted: Sequence[tuple[date, int]], size: int) -> Iterator[Span]:
    """Runs of days that have about so many orders together.

    Args:
        counted: days, rising, each with its orders.
    """
    since, held = None, 0
    before = None
    for day, orders in counted:
        if since is not None and before is not None and held + orders > size:
            yield Span(since, before, 0)
            since, held = None, 0
        if orders > size:
            yield from (Span(day, day, number) for number in range(-(-orders // size)))
            continue
        since, held, before = since or day, held + orders, day
    if since is not None and before is not None:
        yield Span(since, before, 0)


def _written(connection: duckdb.DuckDBPyConnection, table: str, view: str, parts: int, tower: Settings) -> list[Kept]:
    """A table's rows, kept in a file for each part."""
    archive, contract = open_archive(tower.artifacts), data_contracts.load(table)
    folder = archive.scratch(table).with_suffix("")
    part = f"coalesce(h.part, {parts - 1})"
    of_order = f"LEFT JOIN home AS h ON h.order_id = v.{quoted('order_id')}" if "order_id" in contract.columns else ""
    part = part if of_order else str(parts - 1)
    connection.execute(f"SET partitioned_write_max_open_files = {max(parts, 1)}")
    connection.execute(
        f"COPY (SELECT v.*, {part} AS part FROM ({view}) AS v {of_order}) TO {literal(str(folder))} {SPLIT}"
    )
    nothing = archive.scratch(table)
    connection.execute(f"COPY (SELECT * FROM ({view}) LIMIT 0) TO {literal(str(nothing))} {PARQUET}")
    empty = archive.keep_file(table, nothing, contract.reference)
    kept = [_kept(archive, table, folder / f"part={number}", contract.reference) or empty for number in range(parts)]
    shutil.rmtree(folder, ignore_errors=True)
    return kept


def _kept(archive: Archive, table: str, folder: Path, contract: str) -> Kept | None:
    """The file of a part, kept; None where no row is of it."""
    files = sorted(folder.glob("*.parquet"))
    if len(files) > 1:
        raise AssertionError(f"{table} has several files in {folder}")  # one thread writes one file
    return archive.keep_file(table, files[0], contract) if files else None
