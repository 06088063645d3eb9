"""Wording: records and conditions as a sentence says them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from policies.lint.records import written
from policies.lint.solver import ELSE, Plain
from policies.tree import And, Arithmetic, Comparison, Constant, Kind, Membership, Name, Node, Not, Or, Presence

FEW = 3  # facts that a sentence can hold


def told(record: Mapping[str, Plain], ordinary: Mapping[str, Plain]) -> str:
    """`where days_held is 30 and reason is missing`; of many facts only those that are not ordinary."""
    shown = {name: value for name, value in record.items() if len(record) <= FEW or value != ordinary.get(name)}
    parts = [f"{name} is {_value(value)}" for name, value in shown.items()]
    parts += ["all else is ordinary"] if len(shown) < len(record) else []
    return f" where {listed(parts)}" if parts else ""


def _value(value: Plain) -> str:
    if value is None:
        return "missing"
    return ELSE if value == ELSE else written(value)


def listed(names: list[str], word: str = "and") -> str:
    """Names, as a sentence lists them."""
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def text_of(node: Node) -> str:
    """A tree as it would be written."""
    match node:
        case Name(name):
            return name
        case Constant(value, kind):
            return _literal(value, kind)
        case Presence(name):
            return f"known({name})"
        case Not(Presence(name)):
            return f"missing({name})"
        case Not(operand):
            return f"not {_inner(operand)}"
        case And(parts):
            return " and ".join(map(_inner, parts))
        case Or(parts):
            return " or ".join(map(_inner, parts))
        case Membership(operand, choices, kind):
            return f"{_inner(operand)} in [{', '.join(_literal(choice, kind) for choice in choices)}]"
        case Comparison(sign, left, right) | Arithmetic(sign, left, right):
            return f"{_inner(left)} {sign} {_inner(right)}"


def _inner(node: Node) -> str:
    text = text_of(node)
    return f"({text})" if isinstance(node, And | Or | Arithmetic) else text


def _literal(value: bool | float | str, kind: Kind) -> str:
    if kind is Kind.date:
        return f'"{date.fromordinal(int(value) + date(1970, 1, 1).toordinal())}"'
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value).removesuffix(".0")
