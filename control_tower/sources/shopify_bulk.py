"""Shopify's bulk exports as a source: JSON lines, read where they lie, however many they are.

A line is one node, and its parent stands anywhere; so nothing rests on their order. What an export has not asked
Shopify for is untold, and what it lost on the way is refused where that can be seen.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from control_tower.errors import SourceError, nearest
from control_tower.identity import hashed
from control_tower.joins import literal, quoted
from control_tower.nouns import Shop, as_json
from control_tower.sources.cells import converted
from control_tower.sources.mapping import ColumnMapping
from control_tower.sources.observed import Observed
from control_tower.sources.shapes import SHAPES
from control_tower.sources.shopify_bulk_tables import TABLES, Cell, Part, tail

if TYPE_CHECKING:
    import duckdb

GID = "gid://shopify/"
LONGEST = 4 * 2**20
"""Bytes of the longest line: an order with all its transactions is a hundredth of it."""
LISTS = ("transactions", "fulfillments")
GIVEN = frozenset({"source", "source_id", "observed_at"})
NAME = "shopify"


def is_bulk(file: Path) -> bool:
    """Whether a file is a bulk export, by its first line: a node whose own id is a gid."""
    if ".jsonl" not in file.name:
        return False
    try:
        with _opened(file) as lines:
            first = next((line for line in iter(lambda: lines.readline(LONGEST), b"") if line.strip()), b"")
            node = json.loads(first)
    except (ValueError, OSError, EOFError, RecursionError):
        return False
    return isinstance(node, dict) and str(node.get("id", "")).startswith(GID)


class BulkExport(Observed):
    """One or several bulk exports of one shop.

    Args:
        files: JSON lines, plain or gzipped.
        operations: what Shopify said of the operations: answers that hold `objectCount` and `status`.
        shop: whose they are.
        key: what hashes of identities are keyed with.

    Raises:
        SourceError: a file is no JSON, ends too soon, or does not hold what Shopify counted.
    """

    def __init__(self, files: Sequence[Path], operations: Sequence[Mapping[str, Any]], shop: Shop, key: bytes) -> None:
        self.files, self.shop, self._key = tuple(files), shop, key
        self._samples = self._walk(operations)

    def tables(self) -> frozenset[str]:
        """The tables that the export was asked for."""
        return frozenset(name for name, parts in TABLES.items() if any(self._asked(part) for part in parts))

    def columns(self, table: str) -> frozenset[str]:
        """The columns that the export's own fields fill."""
        told = {name for part in TABLES[table] for name, cell in part.columns.items() if self._told(part, cell)}
        return frozenset(told) | GIVEN

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        orders: Sequence[str] | None = None,
    ) -> str:
        """SQL of a canonical table, and of `version`, when Shopify last wrote the order: see the protocol."""
        if table not in self.tables():
            raise SourceError(f"has no table {table}", where=NAME, remedy=nearest(table, self.tables()))
        hands = _Hands(connection, self._key)
        parts = " UNION ALL ".join(
            self._rows(part, SHAPES[table][0], columns, hands) for part in TABLES[table] if self._asked(part)
        )
        chosen = ""
        if orders is not None and "order_id" in columns:
            chosen = f" WHERE order_id IN ({', '.join(map(literal, orders)) or 'NULL'}) OR order_id IS NULL"
        named = ", ".join(quoted(name) for name in columns if name != "version")
        newest = "row_number() OVER (PARTITION BY _key ORDER BY version DESC NULLS LAST, _seen DESC, _file DESC, _text)"
        return (
            f"SELECT {named}, {'version, ' if 'version' in columns else ''}unreadable FROM ({parts}){chosen}"
            f" QUALIFY _key IS NULL OR {newest} = 1 ORDER BY _source_id"
        )

    def _rows(self, part: Part, key: str, columns: Mapping[str, str], hands: _Hands) -> str:
        """SQL of a part's rows: first the text of each cell, then each read as what it is."""
        cells = {name: cell for name, cell in part.columns.items() if name in {key, *columns}}
        texts = "".join(
            f", {cell.sql} AS {quoted('raw ' + name)}, {cell.currency or 'NULL'} AS {quoted('in ' + name)}"
            for name, cell in cells.items()
        )
        values = {
            name: _read(name, cell, columns.get(name, "VARCHAR"), self.shop, hands) for name, cell in cells.items()
        }
        broken = ", ".join(["lost", *(said for _, said in values.values() if said)])
        own = f"{literal(part.prefix)} || {values[key][0]}"
        named = f"coalesce({own}, 'nameless ' || md5(text))"
        given = {
            "source": literal(NAME), "source_id": named, "observed_at": "seen", "version": "version", key: own,
        }  # fmt: skip
        picked = ", ".join(
            f"{given.get(name) or values.get(name, (f'CAST(NULL AS {kind})', ''))[0]} AS {quoted(name)}"
            for name, kind in columns.items()
            if name != "version"
        )
        return (
            f"SELECT {picked}, version, {own} AS _key, {named} AS _source_id, seen AS _seen, filename AS _file,"
            f" hash(text) AS _text, nullif(concat_ws('; ', {broken}), '') AS unreadable"
            f" FROM (SELECT version, seen, filename, CAST(node AS VARCHAR) AS text, {self._lost(part)} AS lost{texts}"
            f" FROM ({self._nodes(part)}) WHERE {part.where})"
        )

    def _nodes(self, part: Part) -> str:
        """SQL of the nodes of a part, each with its parent, its owner and when it was written."""
        dated = f"filename, {self._seen()} AS seen, {VERSION} AS version"
        nodes = f"SELECT json AS node, json AS parent, {dated} FROM {self._lines(part.kind)}"
        if part.within:
            members = f"unnest(TRY_CAST(parent -> '$.{part.within}' AS JSON[]))"
            return f"SELECT {members} AS node, * EXCLUDE (node) FROM ({nodes})"
        if not part.owner:
            return nodes
        read = any("owner" in cell.sql for cell in part.columns.values())
        whole = "json" if read else "json_object('test', json -> '$.test')"  # an order is large, and there are many
        owner = f"max_by({whole}, row({self._seen()}, hash(json)))"  # of two written at once, always the same
        owners = f"SELECT json ->> '$.id' AS name, {owner} AS owner FROM {self._lines(part.owner)} GROUP BY ALL"
        return f"SELECT * FROM ({nodes}) LEFT JOIN ({owners}) AS owners ON owners.name = node ->> '$.__parentId'"

    def _lost(self, part: Part) -> str:
        if not part.owner:
            return "NULL"
        said = literal(f"__parentId: its {part.owner} is not in the export: ")
        return f"CASE WHEN owner IS NULL THEN {said} || left(coalesce(node ->> '$.__parentId', 'none'), 200) END"

    def _lines(self, kind: str | None = None) -> str:
        files = ", ".join(literal(str(file)) for file in self.files)
        read = f"read_ndjson_objects([{files}], filename = true, maximum_object_size = {LONGEST})"
        return read if kind is None else f"(SELECT * FROM {read} WHERE {KIND} = {literal(kind)})"

    def _seen(self) -> str:
        """SQL of when a line's file was written."""
        written = " ".join(
            f"WHEN {literal(str(file))} THEN TIMESTAMPTZ {literal(_written(file))}" for file in self.files
        )
        return f"(CASE filename {written} END)"

    def _asked(self, part: Part) -> bool:
        known = self._samples.get(part.asked_by or part.kind)
        return known is not None and (not part.within or part.within in known)

    def _told(self, part: Part, cell: Cell) -> bool:
        known = self._samples.get(part.kind, {})
        if part.within:
            inside = known.get(part.within)
            known = inside[0] if isinstance(inside, list) and inside else {}
        return not cell.needs or not known or cell.needs in known

    def _walk(self, operations: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """One node of each kind, after all lines were read once: each is JSON, and as many as Shopify counted."""
        import duckdb

        kinds = {name: f"json_type(json -> '$.{name}')" for name in LISTS}
        odd = " OR ".join(f"coalesce({kind} NOT IN ('ARRAY', 'NULL'), false)" for kind in kinds.values())
        fullest = " + ".join(f"coalesce(json_array_length(json -> '$.{name}') > 0, false)::INT" for name in LISTS)
        everywhere = ", ".join(f"bool_and({kind} IS NOT NULL)" for kind in kinds.values())
        sample = f"max_by(json, row({fullest}, hash(json)))"
        walk = f"SELECT {KIND}, count(*), {sample}, bool_or({odd}), {everywhere} FROM {self._lines()}"
        try:
            with duckdb.connect(config=ALONE) as connection:
                found = connection.sql(f"{walk} GROUP BY 1").fetchall()
        except duckdb.Error as fault:
            where, said = _broken(self.files) or (
                NAME,
                " ".join(str(fault).replace(f"{self.files[0].parent}/", "").split()),
            )
            remedy = "download it again; nothing of it was taken"
            raise SourceError(f"is no bulk export: {said[:200]}", where=where, remedy=remedy) from fault
        if any(each[3] for each in found):
            raise SourceError("holds a list that is none", where=NAME, remedy="run the bulk operation again")
        _counted(sum(each[1] for each in found), operations)
        return {kind: _sample(node, dict(zip(LISTS, there, strict=True))) for kind, _, node, _, *there in found if kind}


def _sample(node: str, everywhere: Mapping[str, bool]) -> dict[str, Any]:
    """A node without the lists that another of its kind lacks: whoever was not asked about is not without."""
    return {name: value for name, value in json.loads(node).items() if everywhere.get(name, True)}


KIND = f"regexp_extract(json ->> '$.id', '^{GID}(?:Unverified)?([A-Za-z]+)/', 1)"
ALONE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
VERSION = "TRY_CAST(json ->> '$.updatedAt' AS TIMESTAMPTZ)"


def _broken(files: Sequence[Path]) -> tuple[str, str] | None:
    """The file and line that is no JSON, and why; nothing where each is, as when a line is too long."""
    for file in files:
        number = 1
        try:
            with _opened(file) as lines:
                for line in lines:
                    if line.strip():
                        json.loads(line)
                    number += 1
        except (ValueError, OSError, EOFError, RecursionError) as fault:
            return f"{file.name}:{number}", str(fault)
    return None


def _opened(file: Path) -> Any:
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")


def _written(file: Path) -> str:
    return as_json(datetime.fromtimestamp(file.stat().st_mtime, UTC))


def _counted(lines: int, operations: Sequence[Mapping[str, Any]]) -> None:
    """Hold what is there against what Shopify says that there is."""
    if not operations:
        return
    unfinished = next((each for each in operations if each["status"] != "COMPLETED"), None)
    if unfinished:
        what = f"comes of an operation that is {str(unfinished['status'])[:40]}: only part of it is here"
        raise SourceError(what, where=NAME, remedy="run the bulk operation again")
    counted = sum(int(each["objectCount"]) for each in operations)
    if counted != lines:
        what = f"holds {lines:,} objects, and Shopify counted {counted:,}"
        raise SourceError(what, where=NAME, remedy="download the whole of it again")


def _read(name: str, cell: Cell, kind: str, shop: Shop, hands: _Hands) -> tuple[str, str]:
    """SQL of a cell's value, and of what to say when it can't be read."""
    raw = quoted(f"raw {name}")
    if cell.words is not None:
        words = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in cell.words.items())
        return f"CASE {raw} {words} ELSE {raw} END", ""
    if cell.read == "hash":
        return f"{hands.hash}({raw})", ""
    if cell.read in ("network", "address"):
        value = f"nullif({hands.network}({raw}), '')"
        failed = f"nullif({raw}, '') IS NOT NULL AND {hands.network}({raw}) IS NULL"
        value = f"{hands.hash}({value})" if cell.read == "network" else value
    elif cell.read == "id":
        value = tail(raw)
        failed = f"{raw} IS NOT NULL AND ({value}) IS NULL"
    else:
        mapped = ColumnMapping(column=name, read_as="money" if cell.read == "money" else None)
        value, failed = converted(raw, "VARCHAR", kind, mapped, shop, quoted(f"in {name}") if cell.currency else None)
    return value, f"CASE WHEN {failed} THEN {literal(name + ': ')} || left({raw}, 200) END" if failed else ""


class _Hands:
    """What SQL has no words for, given to one connection: keyed hashes, and addresses in a network."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, key: bytes) -> None:
        own = uuid4().hex
        self.hash, self.network = f"hash_{own}", f"network_{own}"
        for name, act in ((self.hash, lambda value: value and hashed(key, value)), (self.network, _network)):
            connection.create_function(name, act, ["VARCHAR"], "VARCHAR", null_handling="special")


def _network(value: str | None) -> str | None:
    """An IP address; nothing for 0.0.0.0, which is written where none was seen, and NULL for what is none."""
    try:
        found = ipaddress.ip_address(value or "")
    except ValueError:
        return None
    return "" if found.is_unspecified else str(found)
