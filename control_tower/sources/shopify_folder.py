"""Shopify as a source: `shopify:PATH`, a folder of REST payloads, of bulk exports, or of both.

History comes in bulk and news by webhooks; of two views of one row, the one that Shopify wrote last counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from control_tower.errors import SourceError
from control_tower.joins import quoted
from control_tower.nouns import Shop
from control_tower.sources.observed import Observed
from control_tower.sources.payloads import PayloadSource, files_of
from control_tower.sources.shapes import SHAPES
from control_tower.sources.shop_file import shop_of
from control_tower.sources.shopify import adapt
from control_tower.sources.shopify_bulk import NAME, BulkExport, is_bulk

if TYPE_CHECKING:
    import duckdb

OPERATION = "operation"
"""How the name of a file begins that holds what Shopify said of a bulk operation."""


def open_shopify(folder: str | Path, key: bytes) -> PayloadSource | BulkExport | MergedSource:
    """The source of a folder of Shopify's.

    Raises:
        SourceError: it holds nothing that Shopify would send, or something that is broken.
    """
    place = Path(folder).expanduser()
    files = files_of(place)
    bulk = [file for file in files if is_bulk(file)]
    if not bulk:
        return PayloadSource(folder, NAME, adapt, key)
    told = [file for file in files if file.name.startswith(OPERATION) and file not in bulk]
    export = BulkExport(bulk, [one for file in told for one in _operations(file)], shop_of(place, NAME), key)
    rest = [file for file in files if file not in bulk and file not in told]
    return MergedSource(PayloadSource(folder, NAME, adapt, key, rest), export) if rest else export


def _operations(file: Path) -> Iterator[Mapping[str, Any]]:
    """What Shopify said of an operation, wherever in its answer it stands."""
    try:
        waiting = [json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, OSError, RecursionError) as fault:
        raise SourceError(f"is no JSON: {str(fault)[:200]}", where=file.name, remedy="ask Shopify again") from fault
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict) and str(one.get("objectCount", "")).isdigit() and "status" in one:
            yield one
        elif isinstance(one, dict):
            waiting.extend(one.values())


class MergedSource(Observed):
    """Payloads and a bulk export of one shop: rows of both, and of two of one key the one written last."""

    def __init__(self, payloads: PayloadSource, export: BulkExport) -> None:
        self.payloads, self.export = payloads, export

    @property
    def shop(self) -> Shop:
        """Whose orders these are."""
        return self.export.shop

    def tables(self) -> frozenset[str]:
        """What either has."""
        return self.payloads.tables() | self.export.tables()

    def columns(self, table: str) -> frozenset[str]:
        """What either tells of."""
        return frozenset[str]().union(*(each.columns(table) for each in self._having(table)))

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        orders: Sequence[str] | None = None,
    ) -> str:
        """SQL of a canonical table: see the protocol."""
        having = self._having(table)
        if len(having) < 2:
            return (having or (self.export,))[0].relation(connection, table, columns, orders)
        dated = {**columns, "source_id": "VARCHAR", "observed_at": "TIMESTAMPTZ", "version": "TIMESTAMPTZ"}
        both = " UNION ALL BY NAME ".join(
            f"(SELECT *, {place} AS _place FROM ({each.relation(connection, table, dated, orders)}))"
            for place, each in enumerate(having)
        )
        named = quoted(SHAPES[table][0])
        newest = f"row_number() OVER (PARTITION BY {named} ORDER BY coalesce(version, observed_at) DESC, _place) = 1"
        picked = ", ".join(map(quoted, columns))
        return f"SELECT {picked}, unreadable FROM ({both}) QUALIFY {named} IS NULL OR {newest} ORDER BY source_id"

    def _having(self, table: str) -> tuple[PayloadSource | BulkExport, ...]:
        return tuple(each for each in (self.payloads, self.export) if table in each.tables())
