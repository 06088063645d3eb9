"""Is a contract sound? It is read, compared with the tables it leans on, and run on its own examples.

Each contract carries an example row, which must keep every rule, and for each rule a counterexample,
which must break that rule and no other. A rule that can never fire, or fires on good rows, shows here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from control_tower.errors import ContractError, nearest
from data_contracts.checks import check
from data_contracts.contract import ADDED, Contract, Rule
from data_contracts.reader import load, names

if TYPE_CHECKING:
    import pandas as pd


def lint(name: str) -> list[str]:
    """What is wrong with the contract of a table, each as a sentence; nothing when it is sound."""
    try:
        contract = load(name)
        return list(_parents(contract)) or list(_examples(contract))
    except ContractError as fault:
        return [str(fault)]


def _parents(contract: Contract) -> Iterator[str]:
    """Columns of other tables that are not there."""
    for column in contract.context.values():
        reads = f"{contract.name}: context {column.name} reads"
        if column.table not in names():
            yield f"{reads} table {column.table!r}: {nearest(column.table, names())}"
            continue
        held = load(column.table).columns
        for needed in {column.column, column.on} - set(held):
            yield f"{reads} {column.table}.{needed}: {nearest(needed, held)}"


def _examples(contract: Contract) -> Iterator[str]:
    """The example row breaks nothing; each counterexample breaks its own rule and nothing else."""
    counterexamples = {rule.name: broken for rule in contract.rules if (broken := _broken_by(contract, rule))}
    for rule in contract.rules:
        if rule.name not in counterexamples:
            yield f"{rule.name} has no counterexample: write a brokenBy"
    expected = [set[str](), *({name} for name in counterexamples for _ in counterexamples[name])]
    try:
        frame = examples(contract, {}, *(change for changes in counterexamples.values() for change in changes))
    except (ValueError, TypeError, OverflowError) as fault:
        yield f"{contract.name}: an example is not of its column's type: {fault}"
        return
    checked = check(contract, frame, frame["observed_at"].iloc[0])
    yield from (f"{breach.rule}: {breach.sentence}" for breach in checked.breaches)
    found = checked.failures.groupby("row")["rule"].agg(set).to_dict()
    for row, breaks in enumerate(expected):
        if found.get(row, set()) != breaks:
            what = f"the counterexample of {next(iter(breaks))}" if breaks else f"{contract.name}: the example row"
            yield f"{what} breaks {', '.join(sorted(found.get(row, set()))) or 'nothing'}"


def _broken_by(contract: Contract, rule: Rule) -> list[dict[str, Any]]:
    """The changes to the example row that break a rule: one, or two rows that are the same."""
    if rule.broken_by is not None:
        return [dict(rule.broken_by)]
    (column, *_) = rule.columns
    if rule.name.endswith("_present"):
        return [{column: None}]
    if rule.name.endswith("_unique"):
        return [{column: "the same"}, {column: "the same"}]
    return []


def examples(contract: Contract, *changes: Mapping[str, Any]) -> pd.DataFrame:
    """A frame fit for a check: the contract's example row once for each change, with that change made.

    Each row has a key of its own. A change is column -> value; `{repeat: x, times: 3}` stands for `xxx`.

    Raises:
        ValueError, TypeError, OverflowError: a value is not of its column's type.
    """
    import pandas as pd

    row: dict[str, Any] = {column.name: column.example for column in contract.columns.values()}
    row |= {column.name: load(column.table).columns[column.column].example for column in contract.context.values()}
    row |= {"unreadable": None, "visible": True} | ({"status_known": True} if "status" in row else {})
    rows = [
        row
        | {contract.key: f"{row[contract.key]}-{number}"}
        | {name: _repeated(value) for name, value in change.items()}
        for number, change in enumerate(changes)
    ]
    kinds = _kinds(contract)
    return pd.DataFrame({name: _typed([each[name] for each in rows], kinds[name]) for name in row})


def _kinds(contract: Contract) -> dict[str, str]:
    """The type of every column of a frame that is checked."""
    own = {column.name: column.type for column in contract.columns.values()}
    context = {each.name: load(each.table).columns[each.column].type for each in contract.context.values()}
    return own | context | ADDED


def _repeated(value: Any) -> Any:
    return value["repeat"] * value["times"] if isinstance(value, dict) else value


def _typed(values: list[Any], kind: str) -> Any:
    import pandas as pd

    if kind == "timestamp":
        return pd.DatetimeIndex(pd.to_datetime(values, utc=True, format="ISO8601")).as_unit("us")
    if kind == "string" and not all(isinstance(value, str | None) for value in values):
        raise TypeError(f"{next(value for value in values if not isinstance(value, str | None))!r} is no text")
    kinds: dict[str, Any] = {"string": "str", "integer": "Int64", "boolean": "boolean"}
    return pd.array(values, dtype=kinds[kind])
