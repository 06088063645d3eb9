"""Sight: what a look leaves for the next, so that only what changed has to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

import data_contracts
from control_tower.joins import joins, literal
from control_tower.keeping import Kept
from control_tower.keeping.step import flow_run_id, open_archive
from control_tower.ledger import open_ledger
from control_tower.ledger.tables import WatermarkRow
from control_tower.ledger.watermarks import set_watermark, watermark
from control_tower.nouns import Noun
from control_tower.settings import settings
from control_tower.sources.protocol import Tide
from data_contracts.checks import MANY
from tasks.validate import Accepted

if TYPE_CHECKING:
    from data_contracts import Tally


class Sight(Noun):
    """What is known of a source after a look: nothing of it changes what is found, but what the next look looks at."""

    as_of: AwareDatetime
    tides: dict[str, Tide] = Field(description="table to how far it had been written when it was looked at")
    restless: Kept = Field(description="the orders that time alone may move, or another row")
    facts: tuple[Kept, ...] = Field(description="the facts of all orders, the newest first")
    subjects: int = Field(description="how many orders the last look at everything saw")
    rows: dict[str, int] = Field(description="table to the rows that it had then")
    newest: dict[str, AwareDatetime] = Field(description="table to the last observation of a good row")
    whole_at: AwareDatetime


def sight_of_whole(accepted: Accepted, facts: tuple[Kept, ...], restless: Kept, tides: Mapping[str, Tide]) -> Sight:
    """What a look at everything leaves."""
    rows = {table: accepted.accepted[table] + accepted.quarantined[table] for table in accepted.accepted}
    return Sight(
        as_of=accepted.as_of,
        tides=dict(tides),
        restless=restless,
        facts=facts,
        subjects=sum(kept.rows for kept in facts),
        rows=rows,
        newest=_newest(accepted),
        whole_at=accepted.as_of,
    )


def _newest(accepted: Accepted) -> dict[str, datetime]:
    """The last observation of a good, visible row, of the tables that are promised to be fresh."""
    archive, found = open_archive(settings().artifacts), dict[str, datetime]()
    with joins(settings()) as connection:
        for table, several in accepted.every.items():
            if data_contracts.load(table).stale_after is None:
                continue
            files = ", ".join(literal(archive.location(kept)) for kept in several)
            sql = f"SELECT max(observed_at) FILTER (visible) FROM read_parquet([{files}])"
            ((newest,),) = connection.execute(sql).fetchall()
            if newest:
                found[table] = newest.astimezone(UTC)
    return found


def in_doubt(sight: Sight, tallies: Mapping[str, Tally], as_of: datetime) -> str:
    """Why a look at everything might stop on a table that seems sound by what changed of it; empty where none might.

    Every broken row is among those that were looked at, and there are at least as many rows as at the last look at
    everything: rows that are gone since are seen by the next.
    """
    for table, tally in tallies.items():
        contract, rows = data_contracts.load(table), sight.rows.get(table, 0)
        newest = max((each for each in (sight.newest.get(table), tally.newest) if each), default=None)
        if tally.faults or tally.misshapen:
            return f"{table} could not be asked everything"
        if tally.bad_rows > max(rows, MANY) * contract.error_share:
            return f"{tally.bad_rows:,} rows of {table} are broken"
        if max(rows - tally.bad_rows, tally.rows - tally.bad_rows) < contract.minimum_rows:
            return f"{table} has few good rows"
        if contract.stale_after is not None and (newest is None or as_of - newest > contract.stale_after):
            return f"nothing new was observed in {table}"
    return ""


def has_watermark(lane: str, source: str) -> bool:
    """Whether looks go on from one another here, so that one at everything has to be told of to the next."""
    return watermark(open_ledger(settings().ledger), lane, source) is not None


def leave(lane: str, source: str, basis: str, as_of: datetime, sight: Sight) -> None:
    """Write down what the next look needs, after all that this one found is in the book."""
    set_watermark(
        open_ledger(settings().ledger),
        WatermarkRow(
            lane=lane, source=source, run=flow_run_id(), as_of=as_of, whole_at=sight.whole_at, basis=basis,
            body=sight.model_dump(mode="json"),
        ),
    )  # fmt: skip
