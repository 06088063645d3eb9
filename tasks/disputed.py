"""What a source tells of one dispute: rows that keep their contracts, read for the evidence form and kept nowhere.

They name the buyer, which nothing that a lane keeps does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import data_contracts
from control_tower.errors import SourceError, nearest
from control_tower.keeping.step import open_archive
from control_tower.settings import settings
from control_tower.sources import open_source
from tasks.dispute_evidence import Row, about
from tasks.gather import Gathered, read_tables
from tasks.validate import with_context

if TYPE_CHECKING:
    import pandas as pd

    from control_tower.settings import Settings

TABLES = (
    "disputes", "orders", "order_lines", "payments", "refunds", "fulfillments", "shipment_events", "risk_signals",
    "subscriptions", "buyers",
)  # fmt: skip


def disputed(source: str, mapping: str | None, dispute: str) -> dict[str, list[Row]]:
    """The rows about a dispute, by table; a table that the source lacks is not there.

    Args:
        source: as of a lane.
        mapping: a mapping file, or the name of a shipped one.
        dispute: its id.

    Raises:
        SourceError: the source has no disputes, or not this one.
        ContractBreach: a table lacks a promised column.
    """
    with TemporaryDirectory(prefix="tower-dispute-") as folder:
        tower = settings().model_copy(update={"artifacts_url": Path(folder).as_uri()})
        there = open_source(source, mapping, tower).tables()
        tables = tuple(table for table in TABLES if table in there) if "disputes" in there else TABLES[:1]
        found = read_tables(source, mapping, tables, datetime.now(UTC), (), True, tower)
        rows = {table: _rows(found, table, tower) for table in found.frames}
    mine = [row for row in rows["disputes"] if row["dispute_id"] == dispute]
    if not mine:
        known = [str(row["dispute_id"]) for row in rows["disputes"]]
        raise SourceError(f"has no dispute {dispute!r}", where=source, remedy=nearest(dispute, known))
    return about(rows, mine[0])


def _rows(found: Gathered, table: str, tower: Settings) -> list[Row]:
    """The rows of a table that no rule of its contract sets aside."""
    contract = data_contracts.load(table)
    checked = data_contracts.check(contract, with_context(contract, found, tower), found.as_of)
    broken = checked.failures.loc[checked.failures["severity"] == "error", "row"]
    frame: pd.DataFrame = open_archive(tower.artifacts).frame(found.frames[table])
    kept = frame[frame["visible"] & ~frame.index.isin(broken)].astype(object)
    told = kept.where(kept.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in told]
