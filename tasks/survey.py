"""Survey: which orders a look has to look at, when it is only to look at what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import Field

import data_contracts
from control_tower.joins import joins, literal
from control_tower.keeping import Archive, Kept
from control_tower.keeping.code import code_version
from control_tower.keeping.step import open_archive, step
from control_tower.ledger import open_ledger
from control_tower.ledger.tables import WatermarkRow
from control_tower.ledger.watermarks import orders_to_watch, watermark
from control_tower.nouns import Noun, digest_of
from control_tower.settings import settings
from control_tower.sources import open_source
from control_tower.sources.protocol import Tide
from policies import Policy
from policies.document import day_of
from policies.meanings import meanings
from policies.measures import measures
from tasks.gather import present_in, untold_by
from tasks.sight import Sight

if TYPE_CHECKING:
    import duckdb

    from control_tower.sources.protocol import Source

OVERLAP = timedelta(hours=1)
"""How much older than the newest row a row may be that comes late, or is written by another clock; more than any
contract lets clocks differ, so that what a look could not see yet is looked at by the next."""
TOO_MANY = 0.5  # of all orders: looking at everything is then less work


class Survey(Noun):
    """What to look at: some orders, or everything and why; and how far the source had been written by then."""

    basis: str = Field(description="digest of what must be the same for what was not looked at to stay as it is")
    tides: dict[str, Tide]
    whole: str = ""
    orders: Kept | None = None
    before: Sight | None = None

    @property
    def markdown(self) -> str:
        """What is looked at, for the artifact."""
        return f"{self.orders.rows:,} orders" if self.orders else f"everything: {self.whole}"


@step(touches="the source and the ledger")
def survey(
    lane: str,
    source: str,
    mapping: str | None,
    tables: Sequence[str],
    signals: str,
    policy: Policy,
    as_of: datetime,
    only_changed: bool,
    all_daily: bool = False,
) -> Survey:
    """The orders whose rows changed since the last look, those that time alone may move, and those of open cases.

    Args:
        only_changed: else everything is to be looked at, and the survey says from where the next look goes on.
        all_daily: everything is to be looked at in any case where that has not been done on the shop's day.

    Raises:
        SourceError: the source can't be read.
    """
    opened, ledger = open_source(source, mapping, settings()), open_ledger(settings().ledger)
    present = present_in(opened, tables, source)
    basis = _basis(opened, present, tables, mapping, signals, policy, as_of)
    with joins(settings()) as connection:
        tides = _tides(opened, connection, present, as_of)
        last = watermark(ledger, lane, source)
        why, before = _whole(last, basis, as_of) if only_changed else ("it was asked for", None)
        if before and all_daily and _day(before.whole_at, opened) < _day(as_of, opened):
            why, before = "it is the first look of the day", None
        if before is None:
            return Survey(basis=basis, tides=tides, whole=why)
        own = f"{policy.subject.removesuffix('_id')}:"
        watched = orders_to_watch(ledger, lane, opened.shop.id, own)
        risen = [table for table in present if not _still(before, tides.get(table), table)]
        orders = _orders(opened, connection, risen, before, watched)
    if orders.rows > before.subjects * TOO_MANY:
        return Survey(basis=basis, tides=tides, whole=f"{orders.rows:,} of {before.subjects:,} orders changed")
    return Survey(basis=basis, tides=tides, orders=orders, before=before)


def _basis(
    opened: Source,
    present: Sequence[str],
    tables: Sequence[str],
    mapping: str | None,
    signals: str,
    policy: Policy,
    as_of: datetime,
) -> str:
    day = day_of(as_of)
    lists = [one.id for one in policy.lists if one.until is None or day <= one.until]
    bound = [one.digest for several in policy.bound.values() for one in several]
    said = [meanings().model_dump(mode="json"), measures().model_dump(mode="json")]
    told = [opened.shop.model_dump(mode="json"), present, untold_by(opened, present), tables, mapping]
    return digest_of(
        [code_version(), signals, policy.digest, policy.thresholds_on(day), policy.rung, lists, bound, said, told]
    )


def _tides(
    opened: Source, connection: duckdb.DuckDBPyConnection, present: Sequence[str], as_of: datetime
) -> dict[str, Tide]:
    """How far each table had been written; read before its rows are, so that none is passed over."""
    found = {
        table: opened.tide(connection, table, data_contracts.load(table).duckdb_types(), as_of, OVERLAP)
        for table in present
    }
    return {table: tide for table, tide in found.items() if tide}


def _day(moment: datetime, opened: Source) -> date:
    return moment.astimezone(ZoneInfo(opened.shop.time_zone)).date()


def _whole(last: WatermarkRow | None, basis: str, as_of: datetime) -> tuple[str, Sight | None]:
    """Why everything has to be looked at; or what the last look left."""
    if last is None:
        return "it is the first look", None
    if last.basis != basis:
        return "the code, the policy, its numbers or what the source tells of is not what it was", None
    if last.as_of > as_of:
        return "a look at a later moment came before", None
    before, archive = Sight.model_validate(last.body), open_archive(settings().artifacts)
    if not all(archive.has(kept.address) for kept in (before.restless, *before.facts)):
        return "what earlier looks kept is gone", None
    return "", before


def _still(before: Sight, now: Tide | None, table: str) -> bool:
    """Whether no row of a table was written since; one that was written lately may not have been seen whole."""
    return now is not None and now == before.tides.get(table) and now.newest <= before.as_of - OVERLAP


def _orders(
    opened: Source,
    connection: duckdb.DuckDBPyConnection,
    present: Sequence[str],
    before: Sight,
    watched: set[str],
) -> Kept:
    import pyarrow as pa

    archive = open_archive(settings().artifacts)
    connection.register("watched", pa.table({"order_id": pa.array(sorted(watched), pa.string())}))
    parts = [*_changed(opened, connection, present, before.tides), "SELECT order_id FROM watched"]
    parts.append(f"SELECT order_id FROM read_parquet({literal(archive.location(before.restless))})")
    return keep_orders(archive, connection, parts)


def keep_orders(archive: Archive, connection: duckdb.DuckDBPyConnection, parts: Sequence[str]) -> Kept:
    """The orders of several queries, once each, in their order."""
    found = connection.sql(f"SELECT DISTINCT order_id FROM ({' UNION ALL '.join(parts)}) ORDER BY order_id")
    return archive.keep_table("orders", found.to_arrow_table())


def _changed(
    opened: Source,
    connection: duckdb.DuckDBPyConnection,
    present: Sequence[str],
    tides: Mapping[str, Tide],
) -> Iterator[str]:
    for table in present:
        contract, tide = data_contracts.load(table), tides.get(table)
        if "order_id" in contract.columns:
            yield opened.changed(connection, table, contract.duckdb_types(), tide.newest - OVERLAP if tide else None)
