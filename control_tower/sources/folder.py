"""A folder of CSV or Parquet files as a source, through a mapping onto the canonical tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from control_tower.errors import MappingError, SourceError, nearest
from control_tower.joins import in_order, literal, quoted
from control_tower.nouns import Shop, as_json
from control_tower.sources.cells import converted, moment
from control_tower.sources.chosen import of_orders
from control_tower.sources.expressions import NUMBER, Compiled, columns_in, compile_expression
from control_tower.sources.files import Files, columns_of, found
from control_tower.sources.mapping import ColumnMapping, FolderMapping, PartMapping, read_mapping
from control_tower.sources.observed import Observed
from control_tower.sources.shop_file import shop_of

if TYPE_CHECKING:
    import duckdb

CANONICAL = (
    "orders", "order_lines", "payments", "promises", "fulfillments", "shipment_events", "holds", "refunds",
    "returns", "inspections", "subscriptions", "invoices",
    "inventory_levels", "purchase_orders", "campaigns", "product_signals", "product_states",
    "risk_signals", "address_changes", "disputes", "support_contacts", "reviews", "buyers",
)  # fmt: skip
OF_NO_ORDER = ("returns", "inspections", "refunds", "risk_signals", "disputes", "support_contacts", "reviews", "buyers")
"""Tables whose rows may name no order, and may be of any."""
ENDINGS = (".parquet", ".csv", ".csv.gz")


class FolderSource(Observed):
    """A folder of files.

    Args:
        folder: where the files lie.
        mapping: a mapping file, the name of a shipped one, or None where the files are named and shaped
            as the canonical tables are.

    Raises:
        SourceError: no such folder, or nothing to read in it.
        MappingError: the mapping names a file or column that is not there.
    """

    def __init__(self, folder: str | Path, mapping: str | None = None) -> None:
        self.folder = Path(folder).expanduser()
        if not self.folder.is_dir() or not any(self.folder.iterdir()):
            what = "is empty" if self.folder.is_dir() else "is no folder"
            raise SourceError(what, where=str(folder), remedy="a source folder holds CSV or Parquet files")
        self.mapped, self.name = mapping is not None, mapping or "canonical"
        self.mapping = read_mapping(mapping) if mapping else self._canonical()
        paths = {file: found(self.folder, file, path, self.name) for file, path in self.mapping.files.items()}
        self.files = Files(self.folder, paths, self.mapping.optional)

    @property
    def shop(self) -> Shop:
        """Whose orders these are."""
        return self.mapping.shop

    def tables(self) -> frozenset[str]:
        """The canonical tables that the mapping gives."""
        return frozenset(self.mapping.tables)

    def columns(self, table: str) -> frozenset[str]:
        """The canonical columns that the mapping gives to every part of a table, and the files tell of."""
        return frozenset.intersection(*(self._told(part) for part in self.mapping.tables[table]))

    def check_columns(self, table: str, known: Collection[str]) -> None:
        """See that the mapping gives a table no other columns: see the protocol."""
        if not self.mapped:  # a canonical file may have columns of its own beside
            return
        for part in self.mapping.tables[table]:
            if unknown := next((name for name in part.columns if name not in known), None):
                raise MappingError(
                    f"table {table} has no column {unknown!r}", where=self.name, remedy=nearest(unknown, known)
                )

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        orders: Sequence[str] | None = None,
    ) -> str:
        """SQL of a canonical table: see the protocol."""
        mapped = self.mapping.tables[table]
        whole = " UNION ALL ".join(self._part(connection, table, part, columns) for part in mapped)
        # A join keeps no order and a choice of rows none, and what is kept is named by its bytes.
        if len(mapped) > 1 or mapped[0].join:
            named = ["source_id"] if "source_id" in columns else []
            whole = in_order(whole, *named, next(iter(columns)))
        elif mapped[0].one_row_for:
            whole += " ORDER BY m._row"
        if orders is None or "order_id" not in columns:  # a table without orders is given whole
            return whole
        return of_orders(connection, whole, orders, next(iter(columns)), nameless=table in OF_NO_ORDER)

    def _canonical(self) -> FolderMapping:
        """Files that are canonical tables already, by their names; `shop.yaml` says whose they are."""
        found = {
            name: f"{name}{end}" for name in CANONICAL for end in ENDINGS if (self.folder / f"{name}{end}").is_file()
        }
        if not found:
            raise SourceError(
                "holds none of the canonical tables",
                where=str(self.folder),
                remedy=f"name a --mapping, or call a file {CANONICAL[0]}.csv",
            )
        tables = {
            name: [
                PartMapping(
                    file=name,
                    columns={
                        column: ColumnMapping(column=column)
                        for column in columns_of(self.folder / path)
                        if column != "unreadable"
                    },
                )
            ]
            for name, path in found.items()
        }
        return FolderMapping(shop=shop_of(self.folder, self.folder.resolve().name), files=found, tables=tables)

    def _told(self, part: PartMapping) -> frozenset[str]:
        """Columns of a part, but for those that rest on nothing but columns that are not there."""
        absent = {f"{file}.{name}" for file in part.join for name in self.files.absent(file)}
        absent |= self.files.absent(part.file)
        return frozenset(name for name, mapped in part.columns.items() if not (read := reads(mapped)) or read - absent)

    def _part(
        self, connection: duckdb.DuckDBPyConnection, table: str, part: PartMapping, columns: Mapping[str, str]
    ) -> str:
        source, kinds = self.files.relation(connection, part.file), self.files.kinds(part.file)
        known = {name: (f"m.{quoted(name)}", kind) for name, kind in kinds.items()}
        known.setdefault("_row", ("m._row", "BIGINT"))  # the place in the file, for rows that have no name
        known["_written"] = (self._written(part.file), "TIMESTAMP WITH TIME ZONE")  # what nobody dates held by then
        joined = ""
        for file, on in part.join.items():
            other, other_kinds = self.files.relation(connection, file), self.files.kinds(file)
            known[f"{file}._row"] = (f"{quoted(file)}._row", "BIGINT")
            known |= {f"{file}.{name}": (f"{quoted(file)}.{quoted(name)}", kind) for name, kind in other_kinds.items()}
            mine, _, its = (side.strip() for side in on.partition("="))
            its = its or mine
            for name, side, there in ((mine, part.file, kinds), (its, file, other_kinds)):
                if name not in there:
                    raise self._no_column(table, name, side, there)
            # One row of the other file for each key: a join must never add rows.
            one = f"(SELECT DISTINCT ON ({quoted(its)}) * FROM {other} ORDER BY {quoted(its)}, _row)"
            joined += f" LEFT JOIN {one} AS {quoted(file)} ON {quoted(file)}.{quoted(its)} = m.{quoted(mine)}"
        find = self._finder(table, part, known)
        picked, unread = [], ["_broken"]
        for name, kind in columns.items():
            value, failed = self._value(name, kind, part, find, table, next(iter(columns)))
            picked.append(f"{value} AS {quoted(name)}")
            unread += [failed] if failed else []
        where, aside = "", "m._broken IS NOT NULL"  # what can't be read is kept, whatever it would have said
        if part.where:
            chosen = self._compile(part.where, table, find)
            unread.append(_said(f"can't tell whether it is one of the {table}: {part.where}", chosen))
            aside += f" OR {chosen.lost}"
            where = f" WHERE {chosen.sql} OR {aside}"
        if part.one_row_for:
            once = find(part.one_row_for)[0]
            first = f"row_number() OVER (PARTITION BY {once} ORDER BY ({aside}), m._row) = 1"
            where += f" QUALIFY {first} OR {once} IS NULL"
        reasons = ", ".join(one if one != "_broken" else "m._broken" for one in unread)
        unreadable = f"nullif(concat_ws('; ', {reasons}), '') AS unreadable"
        return f"SELECT {', '.join(picked)}, {unreadable} FROM {source} AS m{joined}{where}"

    def _finder(
        self, table: str, part: PartMapping, known: Mapping[str, tuple[str, str]]
    ) -> Callable[[str], tuple[str, str]]:
        def find(name: str) -> tuple[str, str]:
            if name not in known:
                raise self._no_column(table, name, part.file, known)
            return known[name]

        return find

    def _no_column(self, table: str, name: str, file: str, there: Mapping[str, object]) -> MappingError:
        path = self.files.paths[file]
        return MappingError(
            f"table {table} reads column {name!r}, which {path} does not have",
            where=self.name,
            remedy=nearest(name, there),
        )

    def _value(
        self,
        name: str,
        kind: str,
        part: PartMapping,
        find: Callable[[str], tuple[str, str]],
        table: str,
        key: str,
    ) -> tuple[str, str]:
        """SQL of a canonical value, and SQL of what to say when it could not be read."""
        mapped = part.columns.get(name)
        if mapped is None:
            return self._default(name, kind, part, find, table, key), ""
        if mapped.constant is not None:
            return converted(literal(str(mapped.constant)), "VARCHAR", kind, mapped, self.shop)[0], ""
        currency = find(mapped.currency)[0] if mapped.currency else None
        if mapped.expression is not None:
            found = self._compile(mapped.expression, table, find, mapped.time_zone)
            return self._computed(name, kind, mapped, found, currency)
        raw, given = find(str(mapped.column))
        value, failed = converted(raw, given, kind, mapped, self.shop, currency)
        return (
            value,
            f"CASE WHEN {failed} THEN {literal(name + ': ')} || left(CAST({raw} AS VARCHAR), 200) END"
            if failed
            else "",
        )

    def _computed(
        self, name: str, kind: str, mapped: ColumnMapping, found: Compiled, currency: str | None
    ) -> tuple[str, str]:
        """`_value` of an expression."""
        raw = found.sql
        if kind == "BIGINT":
            raw = f"TRY_CAST({raw} AS {NUMBER})"
            if mapped.read_as is None and mapped.map is None:  # a fraction is not rounded away
                raw = f"CASE WHEN {raw} = floor({raw}) THEN CAST({raw} AS BIGINT) END"
        elif kind == "VARCHAR":
            raw = f"CAST({raw} AS VARCHAR)"
        value, _ = converted(raw, kind, kind, mapped, self.shop, currency)
        if kind == "BIGINT":
            return value, (
                f"CASE WHEN ({found.sql}) IS NOT NULL AND ({value}) IS NULL"
                f" THEN {literal(name + ': ')} || left(CAST({found.sql} AS VARCHAR), 200)"
                f" ELSE {_said(f'{name}: {mapped.expression}', found)} END"
            )
        return value, _said(f"{name}: {mapped.expression}", found)

    def _default(
        self,
        name: str,
        kind: str,
        part: PartMapping,
        find: Callable[[str], tuple[str, str]],
        table: str,
        key: str,
    ) -> str:
        if name == "source":
            return literal(self.shop.id)
        if name == "source_id":
            return (
                self._value(key, "VARCHAR", part, find, table, "")[0]
                if key and key in part.columns
                else "CAST(m._row AS VARCHAR)"
            )
        if name == "observed_at":
            return self._written(part.file)
        return f"CAST(NULL AS {kind})"

    def _written(self, file: str) -> str:
        """SQL of when a file was written."""
        written = (self.folder / self.files.paths[file]).stat().st_mtime
        return f"TIMESTAMPTZ {literal(as_json(datetime.fromtimestamp(written, UTC)))}"

    def _compile(
        self, text: str, table: str, find: Callable[[str], tuple[str, str]], time_zone: str | None = None
    ) -> Compiled:
        zone = literal(ZoneInfo(time_zone or self.shop.time_zone).key)

        def at(sql: str) -> str:
            return moment(f"CAST({sql} AS VARCHAR)", zone)

        return compile_expression(text, lambda name: find(name)[0], at, f"{self.name}, table {table}")


def _said(what: str, found: Compiled) -> str:
    """SQL of what to say, with the cells, when nothing came of an expression; else NULL."""
    if found.lost == "false":
        return "NULL"
    return f"CASE WHEN {found.lost} THEN left(concat_ws(', ', {', '.join([literal(what), *found.cells])}), 200) END"


def reads(mapped: ColumnMapping) -> set[str]:
    """The names of the columns that a canonical column comes from."""
    if mapped.expression:
        return set(columns_in(mapped.expression))
    return {mapped.column} if mapped.column else set()
