"""The rules of a contract: what `required` and `unique` stand for, and what is written under `quality`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from control_tower.errors import ContractError, nearest
from data_contracts.contract import GROUPS, SEVERITIES, Column, Question, Rule, columns_of_group
from data_contracts.expectations import EXPECTATIONS, ONE, Expectation

if TYPE_CHECKING:
    from open_data_contract_standard.model import DataQuality


def implied_rules(table: str, columns: Mapping[str, Column]) -> Iterator[Rule]:
    """What `required` and `unique` promise."""
    for column in columns.values():
        questions = (Question(column.name, {"column": column.name}),)
        if column.required:
            yield Rule(
                f"{table}.{column.name}_present",
                "error",
                f"{column.name} is never missing.",
                "expect_column_values_to_not_be_null",
                questions,
            )
        if column.unique:
            yield Rule(
                f"{table}.{column.name}_unique",
                "error",
                f"No two rows have the same {column.name}.",
                "expect_column_values_to_be_unique",
                questions,
            )


def written_rule(quality: DataQuality, table: str, columns: Mapping[str, Column], known: Mapping[str, str]) -> Rule:
    """One rule of a file.

    Args:
        known: type of every column that a rule may read; `any` for one of another table.

    Raises:
        ContractError: something in it is not understood; names the rule and offers the nearest name.
    """
    try:
        return _rule(quality, table, columns, known)
    except ContractError as fault:
        raise ContractError(f"rule {quality.name}: {fault.what}", remedy=fault.remedy) from None


def _rule(quality: DataQuality, table: str, columns: Mapping[str, Column], known: Mapping[str, str]) -> Rule:
    if quality.type != "custom" or quality.engine != "greatExpectations":
        raise ContractError("only type custom of engine greatExpectations is understood")
    if not str(quality.name).startswith(f"{table}."):
        raise ContractError(f"its name must begin with {table}.")
    if not quality.description:
        raise ContractError("has no description", remedy="say in a sentence what it promises")
    one_of(quality.severity, SEVERITIES, "has severity")
    if not isinstance(quality.implementation, dict):
        raise ContractError("has no implementation", remedy="name an expectation: {expect: ..., column: ...}")
    arguments = dict(quality.implementation)
    expect = arguments.pop("expect", None)
    one_of(expect, EXPECTATIONS, "expects")
    expectation = EXPECTATIONS[expect]
    for argument in arguments:
        if argument not in expectation.arguments:
            near = nearest(str(argument), expectation.arguments)
            raise ContractError(f"{argument!r} is no argument of {expect}", remedy=near)
    questions = _questions(expectation, arguments, columns, known)
    values = {name: value for name, value in arguments.items() if name in expectation.values}
    _check_values(expectation, values)
    return Rule(
        name=str(quality.name),
        severity=str(quality.severity),
        sentence=quality.description,
        expect=expect,
        questions=questions,
        values=values,
        where=_where(arguments, known),
        broken_by=_broken_by(quality, known),
    )


def _questions(
    expectation: Expectation,
    arguments: Mapping[str, Any],
    columns: Mapping[str, Column],
    known: Mapping[str, str],
) -> tuple[Question, ...]:
    """One for each column that the rule is about: named, or all of a group."""
    *fixed, varied = expectation.domain
    group_argument = "columns" if expectation.domain == ONE else "columns_B"
    if (varied in arguments) == (group_argument in arguments):
        raise ContractError(f"needs either {varied} or {group_argument}")
    if group_argument in arguments:
        one_of(arguments[group_argument], GROUPS, f"{group_argument} is")
        named = columns_of_group(arguments[group_argument], columns)
    else:
        named = (arguments[varied],)
    domain = {name: arguments.get(name) for name in fixed}
    for name in (*domain.values(), *named):
        one_of(name, known, "reads column")
        if known[str(name)] not in {*expectation.types, "any"}:
            raise ContractError(f"can't be asked of {name}, a {known[str(name)]}")
    kinds = {known[str(name)] for name in (*domain.values(), *named)} - {"any"}
    if len(domain) and len(kinds) > 1:
        raise ContractError(f"compares {' with '.join(sorted(kinds))}")
    first = str(next(iter(domain.values()), ""))
    return tuple(
        Question(
            about=first if varied in arguments and first else name,
            domain={**{key: str(value) for key, value in domain.items()}, varied: name},
        )
        for name in named
    )


def _check_values(expectation: Expectation, values: Mapping[str, Any]) -> None:
    """Values that would make a rule fail to run, or pass whatever it is given."""
    if expectation.needs and all(values.get(name) is None for name in expectation.needs):
        raise ContractError(f"needs {' or '.join(expectation.needs)}")
    low, high = values.get("min_value"), values.get("max_value")
    if low is not None and high is not None and (isinstance(low, str) != isinstance(high, str) or low > high):
        raise ContractError(f"min_value {low} is not below max_value {high}")
    if "value_set" in values and not (isinstance(values["value_set"], list) and values["value_set"]):
        raise ContractError("value_set must list what is allowed")
    if "regex" in values:
        try:
            re.compile(values["regex"])
        except (re.error, TypeError) as fault:
            raise ContractError(f"its regex can't be compiled: {fault}") from None


def _where(arguments: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    where = arguments.get("where", {})
    if not isinstance(where, dict):
        raise ContractError("where must map columns to the value that they have")
    for name in where:
        one_of(name, known, "where reads column")
    return where


def _broken_by(quality: DataQuality, known: Mapping[str, str]) -> dict[str, Any] | None:
    """The counterexample."""
    for each in quality.customProperties or []:
        one_of(each.property, ["brokenBy"], "custom property")
        if not isinstance(each.value, dict):
            raise ContractError("brokenBy must map columns to values")
        for name in each.value:
            one_of(name, known, "brokenBy sets column")
        return each.value
    return None


def one_of(name: object, known: Iterable[str], what: str) -> None:
    """Refuse a name that is not known, and offer the nearest.

    Raises:
        ContractError: `what` and the name, as in: expects 'expect_column_to_be'.
    """
    names = list(known)
    if name not in names:
        raise ContractError(f"{what} {name!r}", remedy=nearest(str(name), names))
