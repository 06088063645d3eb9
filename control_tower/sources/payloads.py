"""A folder of JSON payloads as a source: objects as an API gave them, put into canonical tables by an adapter."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from control_tower.errors import SourceError, nearest
from control_tower.identity import hashed
from control_tower.joins import quoted
from control_tower.nouns import Shop
from control_tower.sources.chosen import of_orders
from control_tower.sources.observed import Observed
from control_tower.sources.shapes import SHAPES
from control_tower.sources.shop_file import shop_of

if TYPE_CHECKING:
    import duckdb

Payload = Mapping[str, Any]
Read = Callable[[Any], Any]
DEEPEST = 100
ENDINGS = (".json", ".json.gz", ".jsonl", ".jsonl.gz")


@dataclass
class Rows:
    """Rows of canonical tables, by key: an object that is there twice is one row, as it was read last."""

    shop: Shop
    source: str
    key: bytes
    tables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    told: dict[str, set[str]] = field(default_factory=dict)
    version: datetime | None = None
    """When what is being added was last written by whoever sent it, where it says so."""

    def hash(self, value: Any) -> str | None:
        """Text that identifies somebody, as a keyed hash."""
        return hashed(self.key, text(value))

    def tell(self, *tables: str) -> None:
        """These tables are told of, if only to say that there is no row."""
        for table in tables:
            self.tables.setdefault(table, {})

    def add(self, table: str, key: object, seen: datetime, **cells: tuple[Any, Read]) -> None:
        """One row. Each cell is a value and how it is read; one that can't be read is told in `unreadable`."""
        named = SHAPES[table][0]
        row: dict[str, Any] = dict.fromkeys(SHAPES[table])
        self.told.setdefault(table, {named}).update(cells)
        broken = []
        for name, (value, read) in cells.items():
            try:
                row[name] = None if value is None or value == "" else read(value)
            except (ValueError, TypeError, OverflowError, OSError, InvalidOperation):
                broken.append(f"{name}: {str(value)[:200]}")
        kept = self.tables.setdefault(table, {})
        place = f"nameless {len(kept)}" if key is None else str(key)  # one without a name is no other's newer self
        row[named] = None if key is None else place
        row |= {"source": self.source, "source_id": place, "observed_at": seen}
        row |= {"unreadable": "; ".join(broken) or None, "version": self.version}
        kept[place] = row


def minor(currency: str | None) -> Read:
    """Money as text, in major units -> minor units; a fraction of a cent can't be read."""
    from babel.numbers import get_currency_precision

    scale = Decimal(10) ** (get_currency_precision(currency.upper()) if currency else 2)

    def read(value: Any) -> int:
        amount = Decimal(str(value)) * scale
        if not amount.is_finite() or amount != amount.to_integral_value():
            raise ValueError("is no money")
        return int(amount)

    return read


def whole(value: Any) -> int:
    """A whole number; a flag is none, and nothing is rounded."""
    if isinstance(value, bool) or int(value) != float(value):
        raise ValueError("is no whole number")
    return int(value)


def flag(value: Any) -> bool:
    """True or false, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise ValueError("is no flag")
    return value


def unix(value: Any) -> datetime:
    """Seconds since 1970."""
    return datetime.fromtimestamp(whole(value), UTC)


def iso(value: Any) -> datetime:
    """A time with its offset."""
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("has no offset")
    return moment.astimezone(UTC)


def text(value: Any) -> str:
    """A word or a number, as it is written."""
    if isinstance(value, Mapping | list | bool):
        raise ValueError("is no text")
    return str(value)


def upper(value: Any) -> str:
    """A currency or a country."""
    return text(value).upper()


def mapped(words: Mapping[str, str]) -> Read:
    """A word of theirs as a word of ours; one that nobody mapped stays, for the contract to refuse."""
    return lambda value: words.get(text(value), text(value))


def at(payload: Any, *path: str | int) -> Any:
    """A value inside a payload; None where the way there ends."""
    for step in path:
        listed = isinstance(payload, list) and isinstance(step, int) and step < len(payload)
        if not listed and not (isinstance(payload, Mapping) and step in payload):
            return None
        payload = payload[step]
    return payload


def written_out(address: Any, parts: Sequence[str]) -> str | None:
    """An address in one line; a region or a country alone is nobody's address, and is shared by everybody.

    Args:
        parts: what the sender calls the parts: two lines, the post code and the city, then region and country.
    """
    found = [at(address, part) for part in parts]
    return ", ".join(str(part) for part in found if part) if any(found[:4]) else None


Adapt = Callable[[Rows, Sequence[tuple[Any, datetime]]], None]


class PayloadSource(Observed):
    """A folder of payloads.

    Args:
        folder: JSON, or JSON lines, plain or gzipped; `shop.yaml` says whose they are.
        name: what rows say they are from.
        adapt: puts contents, each with when it was written, into rows.
        key: what hashes of identities are keyed with.
        files: those of the folder that are read; all of JSON when left out.

    Raises:
        SourceError: no such folder, a file that is no JSON, or nothing in it that the adapter knows.
    """

    def __init__(
        self, folder: str | Path, name: str, adapt: Adapt, key: bytes, files: Sequence[Path] | None = None
    ) -> None:
        self.folder = Path(folder).expanduser()
        files = files_of(self.folder) if files is None else files
        self.rows = Rows(shop_of(self.folder, name), name, key)
        contents = [(content, written_at(file)) for file in files for content in contents_of(file)]
        try:
            adapt(self.rows, contents)
        except (AttributeError, TypeError, KeyError) as fault:
            what = f"holds an object in a shape that {name} would not send: {str(fault)[:200]}"
            raise SourceError(what, where=str(folder), remedy="fetch it again; nothing of it was taken") from fault
        if not self.rows.tables:
            raise SourceError(f"holds nothing that {name} would send", where=str(folder))

    @property
    def shop(self) -> Shop:
        """Whose orders these are."""
        return self.rows.shop

    def tables(self) -> frozenset[str]:
        """The tables that the payloads give a row of."""
        return frozenset(self.rows.tables)

    def columns(self, table: str) -> frozenset[str]:
        """The columns that these payloads can fill; of a table of which they have no row, all that any could."""
        return frozenset(self.rows.told.get(table, SHAPES[table])) | {"source", "source_id", "observed_at"}

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        orders: Sequence[str] | None = None,
    ) -> str:
        """SQL of a canonical table: see the protocol."""
        import pyarrow as pa

        if table not in self.rows.tables:
            raise SourceError(f"has no table {table}", where=str(self.folder), remedy=nearest(table, self.tables()))
        kinds = {"BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_()}
        kinds["TIMESTAMPTZ"] = pa.timestamp("us", tz="UTC")
        schema = pa.schema([(name, kinds.get(kind, pa.string())) for name, kind in columns.items()])
        schema = schema.append(pa.field("unreadable", pa.string()))
        rows = self.rows.tables[table]
        name = f"payloads_{table}_{uuid4().hex}"
        connection.register(name, pa.Table.from_pylist([rows[key] for key in sorted(rows)], schema=schema))
        if orders is None or "order_id" not in columns:
            return f"SELECT * FROM {quoted(name)} ORDER BY source_id"
        chosen = of_orders(connection, f"SELECT * FROM {quoted(name)}", orders, next(iter(columns)))
        return f"SELECT * FROM ({chosen}) ORDER BY source_id"


def files_of(folder: Path) -> list[Path]:
    """The files of JSON in a folder, by name.

    Raises:
        SourceError: there is none.
    """
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [file for file in files if file.name.endswith(ENDINGS)]
    if not found:
        raise SourceError("holds no JSON", where=str(folder), remedy="a source folder holds an API's payloads")
    return found


def contents_of(file: Path) -> Iterator[Any]:
    """The contents of a file of JSON: one, or one a line.

    Raises:
        SourceError: it is no JSON, or nested too deep; names file and line.
    """
    opened: Any = gzip.open if file.suffix == ".gz" else open
    where = file.name
    try:
        with opened(file, "rt", encoding="utf-8") as lines:
            if ".jsonl" not in file.name:
                yield measured(json.load(lines))
                return
            for number, line in enumerate(lines, 1):
                where = f"{file.name}:{number}"
                if line.strip():
                    yield measured(json.loads(line))
    except (ValueError, OSError, EOFError, RecursionError) as fault:
        raise SourceError(f"is no JSON: {str(fault)[:200]}", where=where, remedy="fetch it again") from fault


def measured(content: Any, depth: int = 0) -> Any:
    """The same content, when it is not too deep: nobody's payload is, and what walks one must come to its end.

    Raises:
        ValueError: it is nested deeper than a hundred.
    """
    if depth > DEEPEST:
        raise ValueError(f"it is nested deeper than {DEEPEST}")
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        if isinstance(inner, dict | list):
            measured(inner, depth + 1)
    return content


def written_at(file: Path) -> datetime:
    """When a file was written: since then what it tells is known."""
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)
