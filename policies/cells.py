"""Cells: the short form in which a table's row says what it wants of each fact.

`{days_held: "> 30 and <= 60", reason: [defective, wrong_item], final_sale: false}` is short for the
expression `days_held > 30 and days_held <= 60 and reason in [...] and not final_sale`. A comma is no
"and": some tables elsewhere read it as "or", so it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from control_tower.errors import PolicyError, nearest
from policies.terms import Cell, Value

_COMPARED = re.compile(r"(<=|>=|==|!=|<|>)\s*(\S.*)")
_RANGE = re.compile(r"(-?[\d.]+(?:-\d\d-\d\d)?)\s*\.\.\s*(-?[\d.]+(?:-\d\d-\d\d)?)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_HOW = 'as in "<= 30", "> 30 and <= 60", "31..60", [defective, wrong_item], true, missing or known'


def written_out(when: str | Mapping[str, Cell], catalogue: Mapping[str, str]) -> str:
    """The expression that a row stands for.

    Raises:
        PolicyError: a cell can't be read, or is for a fact that there is not; offers the nearest.
    """
    if isinstance(when, str):
        return when
    if not when:
        return "true"
    parts = []
    for name, cell in when.items():
        if name not in catalogue:
            raise PolicyError(f"there is no fact or threshold {name!r}", remedy=nearest(name, catalogue))
        parts.append(_condition(name, cell, catalogue[name]))
    return " and ".join(parts)


def _condition(name: str, cell: Cell, kind: str) -> str:
    if isinstance(cell, bool):
        return name if cell else f"not {name}"
    if isinstance(cell, tuple | list):
        return f"{name} in [{', '.join(map(_literal, cell))}]"
    if isinstance(cell, int | float):
        return f"{name} == {cell!r}"
    if cell in ("missing", "known"):
        return f"{cell}({name})"
    if kind == "text":
        negated = cell.removeprefix("not ")
        return f"{name} {'==' if negated == cell else '!='} {_literal(negated)}"
    return _ranged(name, cell)


def _ranged(name: str, cell: str) -> str:
    """A range of a number, a date or a moment."""
    if "," in cell:
        raise PolicyError(f"{cell!r} for {name} has a comma", remedy='say "> 30 and <= 60", or give a list')
    if found := _RANGE.fullmatch(cell.strip()):
        low, high = (_operand(end) for end in found.groups())
        return f"{name} >= {low} and {name} <= {high}"
    parts = []
    for part in cell.split(" and "):
        compared = _COMPARED.fullmatch(part.strip())
        if compared is None:
            raise PolicyError(f"{cell!r} for {name} can't be read", remedy=_HOW)
        sign, operand = compared.groups()
        parts.append(f"{name} {sign} {_operand(operand)}")
    return " and ".join(parts)


def _operand(text: str) -> str:
    """A day becomes a literal; anything else is read as an expression is: a number, or a threshold's name."""
    return f'"{text}"' if _DAY.fullmatch(text.strip()) else text


def _literal(value: Value) -> str:
    if isinstance(value, str):
        if '"' in value or "\\" in value or not value.isprintable():
            raise PolicyError(f"{value!r} can't be a cell", remedy="plain words, without quotes")
        return f'"{value}"'
    return repr(value)
