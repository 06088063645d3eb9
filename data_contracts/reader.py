"""Read a contract: an Open Data Contract Standard file, checked to the last key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from control_tower.errors import ContractError, nearest

FOLDER = Path(__file__).parent
SUFFIX = ".odcs.yaml"
TYPES = {"string": "VARCHAR", "integer": "BIGINT", "boolean": "BOOLEAN", "timestamp": "TIMESTAMPTZ"}
TIMES = ("born", "event", "plan")
SEVERITIES = ("error", "warning")


@dataclass(frozen=True)
class Column:
    """One promised column. `time` says what a timestamp is: the row's birth, an event, or a plan."""

    name: str
    type: str
    required: bool
    unique: bool
    time: str | None


@dataclass(frozen=True)
class Rule:
    """One named rule, the sentence that explains it, and the expectation that it compiles to."""

    name: str
    severity: str
    sentence: str
    expect: str
    arguments: Mapping[str, Any]
    column: str


@dataclass(frozen=True)
class ContextColumn:
    """A column of another table that rules compare with; the caller joins it in before checking."""

    name: str
    table: str
    column: str
    on: str = "order_id"


@dataclass(frozen=True)
class Contract:
    """What one evidence table promises, whose it is, and what a breach does."""

    name: str
    version: str
    owner: str
    purpose: str
    columns: Mapping[str, Column]
    rules: tuple[Rule, ...]
    context: Mapping[str, ContextColumn] = field(default_factory=dict)
    derived: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    dated_by: Mapping[str, str] = field(default_factory=dict)
    error_share: float = 0.05
    minimum_rows: int = 0
    stale_after: timedelta | None = None

    @property
    def reference(self) -> str:
        """Name and version, as in orders@1.0.0."""
        return f"{self.name}@{self.version}"

    @property
    def key(self) -> str:
        """The column that names a row."""
        return next(column.name for column in self.columns.values() if column.unique)

    @property
    def born(self) -> str | None:
        """The timestamp at which a row came into being."""
        return next((column.name for column in self.columns.values() if column.time == "born"), None)

    @property
    def events(self) -> tuple[str, ...]:
        """The timestamps of things that happened to a row."""
        return tuple(column.name for column in self.columns.values() if column.time == "event")

    @property
    def texts(self) -> tuple[str, ...]:
        """The text columns."""
        return tuple(column.name for column in self.columns.values() if column.type == "string")

    def duckdb_types(self) -> dict[str, str]:
        """Column name to DuckDB type, in order."""
        return {column.name: TYPES[column.type] for column in self.columns.values()}


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The tables that have a contract."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}")))


@lru_cache(maxsize=64)
def load(name: str) -> Contract:
    """The contract of a table.

    Raises:
        ContractError: there is none, or its file is malformed; says where and offers the nearest name.
    """
    if name not in names():
        raise ContractError(f"there is no contract for {name!r}", remedy=nearest(name, names()))
    return read(FOLDER / f"{name}{SUFFIX}")


def lint(name: str) -> list[str]:
    """What is wrong with a contract: its own file, and what it says of other contracts."""
    try:
        contract = load(name)
        return [
            f"context {column.name} reads {column.table}.{column.column}, which that contract does not have"
            for column in contract.context.values()
            if column.column not in load(column.table).columns or column.on not in contract.columns
        ]
    except ContractError as fault:
        return [str(fault)]


def read(path: Path) -> Contract:
    """The contract in a file.

    Raises:
        ContractError: not YAML, not ODCS v3, or something in it is not understood.
    """
    from open_data_contract_standard.model import OpenDataContractStandard

    where = path.name
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        odcs = OpenDataContractStandard.model_validate(content)
    except (YAMLError, UnicodeDecodeError) as fault:
        raise ContractError(f"is no YAML: {fault}", where=where) from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        raise ContractError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", where=where) from fault
    for problem in unknown_keys(content, OpenDataContractStandard, ""):
        raise ContractError(problem, where=where)
    return _contract(odcs, where)


def unknown_keys(content: Any, model: type[BaseModel], place: str) -> Iterator[str]:
    """Keys that the standard's models would pass over in silence, each with the nearest right one."""
    known = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
    for key, value in content.items():
        if key not in known:
            yield f"{place}{key} is no key of the standard: {nearest(str(key), known)}"
            continue
        inner = _model_in(known[key])
        for one in value if isinstance(value, list) else [value]:
            if inner and isinstance(one, dict):
                yield from unknown_keys(one, inner, f"{place}{key}.")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)


def _contract(odcs: Any, where: str) -> Contract:
    if not str(odcs.apiVersion).startswith("v3") or len(odcs.schema_ or []) != 1:
        raise ContractError("must be ODCS v3 with one table", where=where)
    (table,) = odcs.schema_
    custom = _custom(table, {"context", "derived", "datedBy", "errorShare", "minimumRows"}, where)
    columns = {prop.name: _column(prop, where) for prop in table.properties}
    context = {name: ContextColumn(name, *_parent(source, where)) for name, source in custom.get("context", {}).items()}
    derived = {name: (str(pair[0]), str(pair[1])) for name, pair in custom.get("derived", {}).items()}
    extra = {*context, *derived, "unreadable", "visible", "status_known"}
    rules = tuple(_rules(table, columns, extra, where))
    seen = [rule.name for rule in rules]
    for name in seen:
        if seen.count(name) > 1:
            raise ContractError(f"rule {name} is there twice", where=where)
    return Contract(
        name=table.name,
        version=str(odcs.version),
        owner=odcs.team.name if odcs.team else "nobody",
        purpose=(odcs.description.purpose or "") if odcs.description else "",
        columns=columns,
        rules=rules,
        context=context,
        derived=derived,
        dated_by=custom.get("datedBy", {}),
        error_share=float(custom.get("errorShare", 0.05)),
        minimum_rows=int(custom.get("minimumRows", 0)),
        stale_after=_latency(odcs, where),
    )


def _custom(thing: Any, known: set[str], where: str) -> dict[str, Any]:
    found = {}
    for each in thing.customProperties or []:
        if each.property not in known:
            raise ContractError(
                f"custom property {each.property!r} is not understood: {nearest(each.property, known)}",
                where=where,
            )
        found[each.property] = each.value
    return found


def _column(prop: Any, where: str) -> Column:
    if prop.logicalType not in TYPES:
        raise ContractError(
            f"{prop.name} has type {prop.logicalType!r}: {nearest(str(prop.logicalType), TYPES)}", where=where
        )
    time = _custom(prop, {"time"}, where).get("time")
    if time is not None and (time not in TIMES or prop.logicalType != "timestamp"):
        raise ContractError(f"{prop.name} has time {time!r}: {nearest(str(time), TIMES)}", where=where)
    return Column(prop.name, prop.logicalType, bool(prop.required), bool(prop.unique), time)


def _parent(source: str, where: str) -> tuple[str, str]:
    table, _, column = str(source).partition(".")
    if not column:
        raise ContractError(f"context {source!r} must be table.column", where=where)
    return table, column


def _latency(odcs: Any, where: str) -> timedelta | None:
    for promise in odcs.slaProperties or []:
        if promise.property != "latency" or promise.unit != "h":
            raise ContractError(
                f"SLA {promise.property} in {promise.unit!r} is not understood: use latency in h", where=where
            )
        return timedelta(hours=float(promise.value))
    return None


def _rules(table: Any, columns: dict[str, Column], extra: set[str], where: str) -> Iterator[Rule]:
    """The written rules, after those that `required` and `unique` stand for."""
    for column in columns.values():
        base, only = f"{table.name}.{column.name}", {"column": column.name}
        if column.required:
            yield Rule(
                f"{base}_present",
                "error",
                f"{column.name} is there.",
                "expect_column_values_to_not_be_null",
                only,
                column.name,
            )
        if column.unique:
            yield Rule(
                f"{base}_unique",
                "error",
                f"No two rows have one {column.name}.",
                "expect_column_values_to_be_unique",
                only,
                column.name,
            )
    for quality in table.quality or []:
        yield _rule(quality, columns, extra, where)


def _rule(quality: Any, columns: dict[str, Column], extra: set[str], where: str) -> Rule:
    from data_contracts.expectations import EXPECTATIONS

    if (
        quality.type != "custom"
        or quality.engine != "greatExpectations"
        or not isinstance(quality.implementation, dict)
    ):
        raise ContractError(
            f"rule {quality.name}: only type custom of engine greatExpectations is understood", where=where
        )
    if quality.severity not in SEVERITIES:
        raise ContractError(
            f"rule {quality.name} has severity {quality.severity!r}: {nearest(str(quality.severity), SEVERITIES)}",
            where=where,
        )
    arguments = dict(quality.implementation)
    expect = str(arguments.pop("expect", ""))
    if expect not in EXPECTATIONS:
        raise ContractError(f"rule {quality.name} expects {expect!r}: {nearest(expect, EXPECTATIONS)}", where=where)
    for argument in arguments:
        if argument not in EXPECTATIONS[expect].arguments:
            raise ContractError(
                f"rule {quality.name}: {argument!r} is no argument of {expect}:"
                f" {nearest(argument, EXPECTATIONS[expect].arguments)}",
                where=where,
            )
    for argument in ("column", "column_A", "column_B"):
        name = arguments.get(argument)
        if name is not None and name not in columns and name not in extra:
            raise ContractError(
                f"rule {quality.name} reads {name!r}: {nearest(str(name), [*columns, *extra])}", where=where
            )
    column = str(arguments.get("column") or arguments.get("column_A") or arguments.get("columns"))
    return Rule(str(quality.name), quality.severity, str(quality.description), expect, arguments, column)
