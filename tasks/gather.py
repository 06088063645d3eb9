"""Gather: read a source's tables as they were at `as_of`, and keep them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

import data_contracts
from control_tower.errors import ContractBreach, SourceError, nearest
from control_tower.joins import PARQUET, joins, literal, quoted
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.markdown import inert
from control_tower.nouns import Noun, Shop, as_json
from control_tower.settings import Settings, settings
from control_tower.sources import open_source

if TYPE_CHECKING:
    import duckdb

    from control_tower.sources.protocol import Source
    from data_contracts import Contract

NOBODY = ""  # an order that is not there: of none, only rows that name none are read
GIVEN = frozenset({"source", "source_id", "observed_at"})  # a source that does not tell has a default


class Gathered(Noun):
    """The evidence of one shop as it was at `as_of`: a kept frame for each table that the source has."""

    shop: Shop
    as_of: AwareDatetime
    frames: dict[str, Kept]
    absent: tuple[str, ...]
    untold: tuple[str, ...] = ()
    """Columns of those tables that the source never tells of, as in `orders.approved_at`."""

    @property
    def markdown(self) -> str:
        """Rows by table, for the artifact."""
        rows = ", ".join(f"{name} {kept.rows:,}" for name, kept in self.frames.items())
        return f"{inert(self.shop.id)} as of {self.as_of}: {rows}" + (
            f"; absent: {', '.join(self.absent)}" if self.absent else ""
        )


@step(touches="the source", reads=True)
def gather(
    source: str,
    mapping: str | None,
    tables: Sequence[str],
    as_of: datetime,
    orders: Sequence[str] = (),
    live: bool = False,
    chosen: Kept | None = None,
) -> Gathered:
    """Read each table from the source, as of a moment, into kept Parquet.

    Args:
        source: `shop` or `folder:PATH`.
        mapping: mapping file or the name of a shipped one, for a folder.
        tables: canonical tables that the lane reads; the first must be there.
        as_of: timezone-aware; nothing that happened later is seen.
        orders: when given, only rows of these orders, and rows that name none.
        live: `as_of` is now; what this very reading observes is known.
        chosen: orders, as `orders`, where they are many: a kept frame of them, which may be empty.

    Raises:
        SourceError: the source can't be read, or has none of the tables.
        ContractBreach: a table lacks a promised column.
    """
    if chosen is not None:
        named = open_archive(settings().artifacts).frame(chosen, ["order_id"])["order_id"].tolist()
        orders = named or [NOBODY]
    return read_tables(source, mapping, tables, as_of, orders, live, settings())


def read_tables(
    source: str,
    mapping: str | None,
    tables: Sequence[str],
    as_of: datetime,
    orders: Sequence[str],
    live: bool,
    tower: Settings,
) -> Gathered:
    """`gather`, outside of a flow."""
    opened = open_source(source, mapping, tower)
    present = present_in(opened, tables, source)
    return Gathered(
        shop=opened.shop,
        as_of=as_of,
        frames={table: _read(opened, table, as_of, orders, tower, live) for table in present},
        absent=tuple(table for table in tables if table not in present),
        untold=untold_by(opened, present),
    )


def present_in(opened: Source, tables: Sequence[str], source: str) -> list[str]:
    """The tables that a source has of those that a lane reads.

    Raises:
        SourceError: it has not even the first.
    """
    present = [table for table in tables if table in opened.tables()]
    if not present or tables[0] not in present:
        raise SourceError(f"has no table {tables[0]}", where=source, remedy="a lane can't run without it")
    return present


def untold_by(opened: Source, present: Sequence[str]) -> tuple[str, ...]:
    """The columns that a source never tells of, as in `orders.approved_at`."""
    return tuple(f"{table}.{column}" for table in present for column in _untold(opened, table))


def _untold(source: Source, table: str) -> list[str]:
    provided = source.columns(table) | GIVEN
    return [column for column in data_contracts.load(table).columns if column not in provided]


def _read(source: Source, table: str, as_of: datetime, orders: Sequence[str], tower: Settings, live: bool) -> Kept:
    archive = open_archive(tower.artifacts)
    written = archive.scratch(table)
    with joins(tower) as connection:
        view = view_of(source, connection, table, as_of, orders, live)
        connection.execute(f"COPY ({view}) TO {literal(str(written))} {PARQUET}")
    return archive.keep_file(table, written, data_contracts.load(table).reference)


def view_of(
    source: Source,
    connection: duckdb.DuckDBPyConnection,
    table: str,
    as_of: datetime,
    orders: Sequence[str],
    live: bool,
) -> str:
    """SQL of a source's table as it was at a moment, in the columns of its contract.

    Raises:
        MappingError: its mapping names a column that the contract does not have.
        ContractBreach: it lacks a promised column.
    """
    contract = data_contracts.load(table)
    source.check_columns(table, contract.columns)
    _complete(contract, source.columns(table))
    only = None if contract.read_whole else orders or None
    relation = source.relation(connection, table, contract.duckdb_types(), only)
    return as_of_view(contract, relation, as_of, source.columns(table), live)


def _complete(contract: Contract, provided: frozenset[str]) -> None:
    """A promised column that the source does not have breaks the table, before a row of it is read."""
    for column in contract.columns.values():
        if column.required and column.name not in provided | GIVEN:
            raise ContractBreach(
                f"column {column.name} is gone ({nearest(column.name, provided)})",
                contract=contract.reference,
                owner=contract.owner,
                rule=f"{contract.name}.columns",
            )


def as_of_view(contract: Contract, relation: str, as_of: datetime, provided: frozenset[str], live: bool = False) -> str:
    """SQL of a table as it was at a moment.

    An event later than `as_of` is masked; a row born later is kept and marked not visible, so that
    rows in are rows out. A time after `observed_at` can't be known to anybody: it is left for the
    contract to find, never masked away.
    """
    moment = f"TIMESTAMPTZ {literal(as_json(as_of))}"
    # As late as the contract allows, for clocks differ: what it does not refuse must not be seen either.
    latest = f"(observed_at + INTERVAL {int(contract.clock_tolerance.total_seconds())} SECOND)"
    columns = [
        f"CASE WHEN {column} > {moment} AND {column} <= {latest} THEN NULL ELSE {column} END AS {column}"
        if name in contract.events
        else column
        for name in contract.columns
        for column in [quoted(name)]
    ]
    born = _born(contract, moment, live)
    hidden = f"{born} > {moment} AND {born} <= {latest}" if contract.born else "false"
    columns += ["unreadable", f"NOT coalesce({hidden}, false) AS visible"]
    if "status" in contract.columns:
        observed = "true" if live else f"observed_at <= {moment}"
        columns.append(f"{_status_known(contract, moment, provided, observed)} AS status_known")
    return f"SELECT {', '.join(columns)} FROM ({relation})"


def _born(contract: Contract, moment: str, live: bool) -> str:
    """SQL of when a row came into being; one that need not say so is there from when it was observed."""
    if contract.born is None:
        return "observed_at"
    if contract.columns[contract.born].required:
        return quoted(contract.born)
    return f"coalesce({quoted(contract.born)}, {moment if live else 'observed_at'})"


def _status_known(contract: Contract, moment: str, provided: frozenset[str], observed: str) -> str:
    """Whether a row's status already held: true, false, or NULL when nobody can tell.

    A status may have been written after `as_of`. Where the source has the event that dates it, the
    event decides; a status without a date is then known only from the moment it was observed. Where
    the source has no such event at all, it may have held before: that is unknown, not no.
    """
    own = f"WHEN status_at IS NOT NULL THEN status_at <= {moment}" if "status_at" in contract.columns else ""
    cases = [
        f"WHEN status = {literal(status)} AND {quoted(event)} IS NOT NULL THEN {quoted(event)} <= {moment}"
        for status, event in contract.dated_by.items()
    ]
    undated = [status for status, event in contract.dated_by.items() if event not in provided]
    if undated:
        cases.append(f"WHEN status IN ({', '.join(map(literal, undated))}) AND NOT ({observed}) THEN NULL")
    return f"CASE {' '.join(cases)} {own} ELSE {observed} END"
