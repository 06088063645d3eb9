"""Pages: how a source's evidence stands against its contracts, for people to open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import data_contracts
from control_tower.settings import settings
from data_contracts.pages import write_pages
from tasks.gather import read_tables
from tasks.validate import with_context


def write_contract_pages(
    tables: Sequence[str], source: str, mapping: str | None, as_of: datetime | None, folder: Path
) -> Path:
    """Read a source as it is, check every table, and write the pages; opens no case and needs no server."""
    tower = settings()
    moment = as_of or datetime.now(UTC)
    gathered = read_tables(source, mapping, tables, moment, (), as_of is None, tower)
    results = {}
    for table in gathered.frames:
        contract = data_contracts.load(table)
        frame = with_context(contract, gathered, tower)
        results[table] = (contract, data_contracts.check(contract, frame, gathered.as_of), frame)
    return write_pages(folder, results, f"{gathered.shop.id} as of {gathered.as_of:%Y-%m-%d %H:%M %Z}")
