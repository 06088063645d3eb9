"""The tables of docs/source_columns.md, worked out anew: `python -m tests.sources.page` writes them.

Each source is opened on its fixtures, and asked which tables it has and which columns it tells.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import data_contracts
from control_tower.settings import Settings
from control_tower.sources import open_source
from control_tower.sources.protocol import Source
from flows.lanes import find_lane, lanes

HERE = Path(__file__).parent
EXPORTS = HERE / "exports"
PAGE = HERE.parents[1] / "docs" / "source_columns.md"
GIVEN = frozenset({"source", "source_id", "observed_at"})


class Told(NamedTuple):
    """A source as the page names it, and the fixture that it is opened on."""

    name: str
    kind: str
    fixture: str
    mapping: str | None = None


SOURCES = (
    Told("Shopify CSV", "folder", "shopify_csv_newest", "shopify_csv"),
    Told("Shopify bulk", "shopify", "shopify_bulk"),
    Told("Shopify REST, webhooks", "shopify", "shopify_webhooks"),
    Told("WooCommerce", "woocommerce", "woocommerce"),
    Told("Stripe", "stripe", "stripe"),
    Told("Trackers", "tracking", "tracking"),
    Told("Tickets", "folder", "tickets", "tickets"),
)


def opened(tower: Settings) -> dict[str, Source]:
    """Every source, by its name."""
    return {each.name: open_source(f"{each.kind}:{EXPORTS / each.fixture}", each.mapping, tower) for each in SOURCES}


def written(found: dict[str, Source]) -> str:
    """The whole page."""
    parts = (INTRODUCTION, _tables(found), LANES, _lanes(found), UNTOLD, *map(_untold, found, found.values()))
    return "\n\n".join(parts) + "\n"


def _tables(found: dict[str, Source]) -> str:
    names = [name for name in data_contracts.names() if any(name in source.tables() for source in found.values())]
    rows = [[f"`{name}`", *(_share(source, name) for source in found.values())] for name in names]
    return _table(["table", *found], rows)


def _share(source: Source, table: str) -> str:
    if table not in source.tables():
        return "-"
    columns = set(data_contracts.load(table).columns) - GIVEN
    return f"{len(columns & source.columns(table))}/{len(columns)}"


def _lanes(found: dict[str, Source]) -> str:
    rows = [[name, *(_feeds(source, find_lane(name).tables) for source in found.values())] for name in lanes()]
    return _table(["lane", *found], rows)


def _feeds(source: Source, tables: tuple[str, ...]) -> str:
    """How many of a lane's tables a source has; a lane can't run without its first."""
    there = len(source.tables() & set(tables))
    return f"{there}/{len(tables)}" if tables[0] in source.tables() else f"laid over another: {there}" if there else "-"


def _untold(name: str, source: Source) -> str:
    lines = [f"**{name}**", ""]
    for table in sorted(source.tables()):
        lacking = [
            f"`{each}`" for each in data_contracts.load(table).columns if each not in source.columns(table) | GIVEN
        ]
        lines.append(f"- `{table}`: {', '.join(lacking) or 'tells all'}")
    return "\n".join(lines)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] + [":-:"] * (len(head) - 1), *rows))


INTRODUCTION = """# What each source tells

Written by `python -m tests.sources.page` from the fixtures in `tests/sources/exports`; a test holds it. Each number is
how many of a table's columns the source tells, of all that its contract knows; `source`, `source_id` and `observed_at`
come with every row. What is not told is unknown: never no, and never money. [sources.md](sources.md) says how to set
each up. Tables that no source here has (promises, holds, inspections, campaigns and others) come from a folder of your
own."""
LANES = "## What each can feed\n\nHow many of a lane's tables the source has. A lane needs the first of its tables."
UNTOLD = "## What each leaves untold, by table"


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["TOWER_HOME"] = home
        PAGE.write_text(written(opened(Settings())))


if __name__ == "__main__":
    main()
