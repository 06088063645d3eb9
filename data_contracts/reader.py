"""Read a contract: an Open Data Contract Standard file, and everything in it understood or refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from control_tower.errors import ContractError, nearest
from data_contracts.contract import ADDED, LATEST, TIMES, TYPES, Column, ContextColumn, Contract
from data_contracts.rules import implied_rules, one_of, written_rule

if TYPE_CHECKING:
    from open_data_contract_standard.model import (
        CustomProperty,
        OpenDataContractStandard,
        SchemaObject,
        SchemaProperty,
    )

FOLDER = Path(__file__).parent
SUFFIX = ".odcs.yaml"
ALWAYS = {"source": "string", "source_id": "string", "observed_at": "timestamp"}
TABLE_PROPERTIES = {
    "context", "daysBetween", "datedBy", "errorShare", "minimumRows", "clockToleranceMinutes", "readWhole",
}  # fmt: skip
HOURS = {"h": 1, "d": 24}


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


def read(path: Path) -> Contract:
    """The contract in a file.

    Raises:
        ContractError: not YAML, not ODCS v3.1, or something in it is not understood.
    """
    from data_contracts.odcs import parse  # the standard's models take half a second to import

    odcs = parse(path)
    try:
        contract = _contract(odcs)
    except ContractError as fault:
        raise ContractError(fault.what, where=fault.where or path.name, remedy=fault.remedy) from None
    if path.name != contract.name + SUFFIX:
        raise ContractError(
            f"holds the contract {contract.name!r}",
            where=path.name,
            remedy=f"call the file {contract.name}{SUFFIX}",
        )
    return contract


def _contract(odcs: OpenDataContractStandard) -> Contract:
    table = _table(odcs)
    custom = _custom(table.customProperties, TABLE_PROPERTIES)
    columns = _columns(table)
    context = {name: _context(name, parent, columns) for name, parent in _mapping(custom, "context").items()}
    days = {name: _two_times(name, pair, columns) for name, pair in _mapping(custom, "daysBetween").items()}
    kinds = {name: column.type for name, column in columns.items()}
    known = kinds | dict.fromkeys(context, "any") | dict.fromkeys(days, "number") | ADDED | {LATEST: "timestamp"}
    dated_by = {str(status): str(event) for status, event in _mapping(custom, "datedBy").items()}
    for event in dated_by.values():
        one_of(event, [name for name, column in columns.items() if column.time == "event"], "datedBy names")
    rules = (
        *implied_rules(str(table.name), columns),
        *(written_rule(quality, str(table.name), columns, known) for quality in table.quality or []),
    )
    _no_two((rule.name for rule in rules), "rule")
    return Contract(
        name=str(table.name),
        version=str(odcs.version),
        owner=_owner(odcs),
        purpose=(odcs.description.purpose or "") if odcs.description else "",
        columns=columns,
        rules=rules,
        context=context,
        days_between=days,
        dated_by=dated_by,
        error_share=_number(custom, "errorShare", 0.05, 1),
        minimum_rows=int(_number(custom, "minimumRows", 0, 10**12)),
        stale_after=_latency(odcs, str(table.name)),
        clock_tolerance=timedelta(minutes=_number(custom, "clockToleranceMinutes", 0, 24 * 60)),
        read_whole=_flag(custom, "readWhole"),
    )


def _table(odcs: OpenDataContractStandard) -> SchemaObject:
    if odcs.kind != "DataContract" or not str(odcs.apiVersion).startswith("v3.1."):
        raise ContractError("must be a DataContract of apiVersion v3.1.0")
    if not odcs.schema_ or len(odcs.schema_) != 1 or not odcs.schema_[0].properties:
        raise ContractError("must have one table in its schema, with properties")
    table = odcs.schema_[0]
    if not odcs.id == odcs.name == table.name or not odcs.version:
        raise ContractError("must have a version, and one id, name and table name")
    return table


def _owner(odcs: OpenDataContractStandard) -> str:
    name = getattr(odcs.team, "name", None)
    if not name:
        raise ContractError("has no owner", remedy="team: {name: ...}")
    return str(name)


def _custom(properties: Iterable[CustomProperty] | None, known: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in properties or []:
        one_of(each.property, known, "custom property")
        if each.property in found:
            raise ContractError(f"custom property {each.property} is there twice")
        found[str(each.property)] = each.value
    return found


def _columns(table: SchemaObject) -> dict[str, Column]:
    properties = table.properties or []
    _no_two((str(each.name) for each in properties), "column")
    columns = {str(each.name): _column(each) for each in properties}
    for name, kind in ALWAYS.items():
        if name not in columns or columns[name].type != kind or not columns[name].required:
            raise ContractError(f"every table has a required {kind} column {name}")
    keys = [str(each.name) for each in properties if each.primaryKey]
    if len(keys) != 1 or not (columns[keys[0]].unique and columns[keys[0]].required):
        raise ContractError("must have one primaryKey, required and unique")
    if sum(column.unique for column in columns.values()) > 1:
        raise ContractError("only the primaryKey may be unique")
    return columns


def _column(each: SchemaProperty) -> Column:
    one_of(each.logicalType, TYPES, f"column {each.name} has logicalType")
    kind = str(each.logicalType)
    if each.physicalType != TYPES[kind]:
        raise ContractError(f"column {each.name} has physicalType {each.physicalType}", remedy=f"write {TYPES[kind]}")
    time = _custom(each.customProperties, {"time"}).get("time")
    if time is not None:
        one_of(time, TIMES, f"column {each.name} has time")
        if kind != "timestamp":
            raise ContractError(f"column {each.name} has a time, and is no timestamp")
    return Column(
        name=str(each.name),
        type=kind,
        required=bool(each.required),
        unique=bool(each.unique),
        time=time,
        description=each.description or "",
        example=(each.examples or [None])[0],
    )


def _context(name: str, parent: object, columns: Iterable[str]) -> ContextColumn:
    """`orders.currency`, which is joined in on order_id, or `returns.received_at on return_id`."""
    found = re.fullmatch(r"(\w+)\.(\w+)(?: on (\w+))?", str(parent))
    if not found:
        raise ContractError(f"context {name} is {parent!r}", remedy="write table.column, or table.column on column")
    table, column, on = found.groups(default="order_id")
    one_of(on, columns, f"context {name} is joined on")
    return ContextColumn(name, table, column, on)


def _two_times(name: str, pair: object, columns: Mapping[str, Column]) -> tuple[str, str]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ContractError(f"daysBetween {name} needs two timestamps: [first, last]")
    for each in pair:
        one_of(
            each,
            [column.name for column in columns.values() if column.type == "timestamp"],
            f"daysBetween {name} reads",
        )
    return str(pair[0]), str(pair[1])


def _mapping(custom: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = custom.get(name, {})
    if not isinstance(found, dict):
        raise ContractError(f"{name} must map names to values")
    return found


def _number(custom: Mapping[str, Any], name: str, default: float, most: float) -> float:
    found = custom.get(name, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= most:
        raise ContractError(f"{name} is {found!r}", remedy=f"give a number from 0 to {most}")
    return found


def _flag(custom: Mapping[str, Any], name: str) -> bool:
    found = custom.get(name, False)
    if not isinstance(found, bool):
        raise ContractError(f"{name} is {found!r}", remedy="give true or false")
    return found


def _latency(odcs: OpenDataContractStandard, table: str) -> timedelta | None:
    promises = odcs.slaProperties or []
    if not promises:
        return None
    (promise, *more) = promises
    if more or promise.property != "latency" or promise.element != f"{table}.observed_at":
        raise ContractError("slaProperties may promise only a latency", remedy=f"of element {table}.observed_at")
    one_of(promise.unit, HOURS, "latency has unit")
    if isinstance(promise.value, bool) or not isinstance(promise.value, int | float) or promise.value <= 0:
        raise ContractError(f"latency is {promise.value!r}", remedy="give a number above 0")
    return timedelta(hours=promise.value * HOURS[str(promise.unit)])


def _no_two(given: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in given:
        if name in seen:
            raise ContractError(f"{what} {name} is there twice")
        seen.add(name)
