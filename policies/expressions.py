"""Expressions: what a policy may say of its facts, and how that is read.

`approved and not handed_over and hours_past_ship_by > ship_grace_hours` is parsed with Python's own
grammar and then admitted node by node: `and`, `or`, `not`, comparisons, `in` with a list, arithmetic,
`missing(x)`, `known(x)`, names and literals. Anything else is refused. What comes of it is a
`policies.tree`.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from control_tower.errors import PolicyError, nearest
from policies.tree import (
    And,
    Arithmetic,
    Comparison,
    Constant,
    Kind,
    Membership,
    Name,
    Node,
    Not,
    Or,
    Presence,
    kind_of,
    names_in,
)

LONGEST = 2000
DEEPEST = 40
EPOCH_DAY = date(1970, 1, 1).toordinal()
LARGEST = 2**53  # a 64-bit float holds every whole number up to here


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition that was parsed and typed: its text, its tree, and the names it reads, sorted."""

    text: str
    tree: Node
    names: tuple[str, ...]


RESERVED = frozenset({"true", "false", "missing", "known", *keyword.kwlist})
_CONSTANTS = {"true": True, "false": False}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_GRAMMAR = "say it with and, or, not, comparisons, in [..], + - * /, missing(x) and known(x)"


def parse(text: str, catalogue: Mapping[str, str]) -> Expression:
    """Parse and type a condition.

    Args:
        text: the condition, at most 2,000 characters.
        catalogue: the type of each name: boolean, integer, number, text, timestamp or date.

    Raises:
        PolicyError: a name that the catalogue lacks (offers the nearest), a wrong type, or anything
            beyond the grammar. It has no `where`; the reader of a policy adds file and line.
    """
    return _parse(text, tuple(sorted(catalogue.items())))


def parse_number(text: str, catalogue: Mapping[str, str]) -> Expression:
    """Parse and type arithmetic: as `parse`, but what comes of it is a number."""
    return _parse(text, tuple(sorted(catalogue.items())), Kind.number)


def names_read(expression: Expression) -> tuple[str, ...]:
    """The facts and thresholds that an expression reads, sorted."""
    return expression.names


@lru_cache(maxsize=4096)
def _parse(text: str, catalogue: tuple[tuple[str, str], ...], kind: Kind = Kind.boolean) -> Expression:
    if len(text) > LONGEST:
        raise PolicyError(f"an expression of {len(text)} characters", remedy=f"at most {LONGEST} are allowed")
    try:
        body = ast.parse(text.strip().replace("\n", " "), mode="eval").body
    except SyntaxError as fault:
        what = f"{text!r} can't be read: {fault.msg} at column {fault.offset}"
        raise PolicyError(what, remedy=_GRAMMAR) from None
    except (ValueError, RecursionError, MemoryError):
        raise PolicyError("an expression that can't be read", remedy=_GRAMMAR) from None
    tree = _Grammar(text, dict(catalogue)).of(kind, body, 0)
    return Expression(text=text, tree=tree, names=tuple(sorted(set(names_in(tree)))))


class _Grammar:
    """What is admitted, and of which type."""

    def __init__(self, text: str, catalogue: dict[str, str]) -> None:
        self.text, self.catalogue = text, catalogue
        self.admitted: dict[type[ast.expr], Callable[[Any, int], Node]] = {
            ast.Name: self._name,
            ast.Constant: self._constant,
            ast.BoolOp: self._boolean,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._arithmetic,
            ast.Compare: self._compare,
            ast.Call: self._presence,
        }

    def refused(self, node: ast.AST, what: str, remedy: str = "") -> PolicyError:
        column = getattr(node, "col_offset", 0) + 1
        return PolicyError(f"{what}, at column {column} of {self.text.strip()!r}", remedy=remedy)

    def condition(self, node: ast.expr, depth: int) -> Node:
        return self.of(Kind.boolean, node, depth)

    def of(self, kind: Kind, node: ast.expr, depth: int) -> Node:
        read = self._read(node, depth)
        if kind_of(read) is not kind:
            raise self.refused(node, f"{ast.unparse(node)} is a {kind_of(read)}, where a {kind} is needed")
        return read

    def _read(self, node: ast.expr, depth: int) -> Node:
        if depth > DEEPEST:
            raise self.refused(node, f"more than {DEEPEST} expressions inside one another", "split the rule in two")
        reader = self.admitted.get(type(node))
        if reader is None:
            raise self.refused(node, f"{type(node).__name__} is not allowed", _GRAMMAR)
        return reader(node, depth + 1)

    def _name(self, node: ast.Name, depth: int) -> Node:
        if node.id in _CONSTANTS:
            return Constant(_CONSTANTS[node.id], Kind.boolean)
        return Name(node.id, self._kind_of(node))

    def _kind_of(self, node: ast.Name) -> Kind:
        found = self.catalogue.get(node.id)
        if found is None:
            raise self.refused(node, f"there is no fact or threshold {node.id!r}", nearest(node.id, self.catalogue))
        return Kind.number if found == "integer" else Kind(found)

    def _constant(self, node: ast.Constant, depth: int) -> Node:
        value = node.value
        if isinstance(value, bool):
            return Constant(value, Kind.boolean)
        if isinstance(value, str):
            return Constant(value, Kind.text)
        if isinstance(value, int | float) and abs(value) <= LARGEST:
            return Constant(float(value), Kind.number)
        raise self.refused(node, f"{value!r} is not a value here", "use missing(x) for what is not known")

    def _boolean(self, node: ast.BoolOp, depth: int) -> Node:
        parts = tuple(self.condition(part, depth) for part in node.values)
        return And(parts) if isinstance(node.op, ast.And) else Or(parts)

    def _unary(self, node: ast.UnaryOp, depth: int) -> Node:
        if isinstance(node.op, ast.Not):
            return Not(self.condition(node.operand, depth))
        if isinstance(node.op, ast.USub):
            operand = self.of(Kind.number, node.operand, depth)
            if isinstance(operand, Constant):
                return Constant(-operand.value, Kind.number)  # type: ignore[operator]
            return Arithmetic("-", Constant(0.0, Kind.number), operand)
        raise self.refused(node, f"{type(node.op).__name__} is not allowed", _GRAMMAR)

    def _arithmetic(self, node: ast.BinOp, depth: int) -> Node:
        sign = _ARITHMETIC.get(type(node.op))
        if sign is None:
            raise self.refused(node, f"{type(node.op).__name__} is not allowed", _GRAMMAR)
        left, right = (self.of(Kind.number, side, depth) for side in (node.left, node.right))
        return Arithmetic(sign, left, right)

    def _compare(self, node: ast.Compare, depth: int) -> Node:
        operands = [node.left, *node.comparators]
        parts = tuple(
            self._pair(left, sign, right, depth)
            for left, sign, right in zip(operands[:-1], node.ops, operands[1:], strict=True)
        )
        return parts[0] if len(parts) == 1 else And(parts)

    def _pair(self, left: ast.expr, sign: ast.cmpop, right: ast.expr, depth: int) -> Node:
        if isinstance(sign, ast.In | ast.NotIn):
            found = self._membership(left, right, depth)
            return Not(found) if isinstance(sign, ast.NotIn) else found
        written = _COMPARISONS.get(type(sign))
        if written is None:
            raise self.refused(left, "'is' is not allowed", "use ==, missing(x) or known(x)")
        first, second = self._read(left, depth), self._read(right, depth)
        if kind_of(second) is Kind.date:
            first = self._dated(left, first)
        elif kind_of(first) is Kind.date:
            second = self._dated(right, second)
        kind = kind_of(first)
        if kind_of(second) is not kind:
            raise self.refused(right, f"{ast.unparse(right)} is a {kind_of(second)}, where a {kind} is needed")
        if written not in ("==", "!=") and kind in (Kind.boolean, Kind.text):
            raise self.refused(left, f"a {kind} has no order, so {written} makes no sense", "use == or in [..]")
        return Comparison(written, first, second, kind)

    def _dated(self, written: ast.expr, node: Node) -> Node:
        """A day written as text, where a date is compared with it, as days since 1970."""
        if not isinstance(node, Constant) or node.kind is not Kind.text:
            return node
        try:
            return Constant(float(date.fromisoformat(str(node.value)).toordinal() - EPOCH_DAY), Kind.date)
        except ValueError:
            raise self.refused(written, f"{node.value!r} is no day", 'as in "2027-01-31"') from None

    def _membership(self, left: ast.expr, right: ast.expr, depth: int) -> Node:
        operand = self._read(left, depth)
        kind = kind_of(operand)
        if kind not in (Kind.number, Kind.text):
            raise self.refused(left, f"'in' is for numbers and text, and this is a {kind}")
        if not isinstance(right, ast.List | ast.Tuple) or not right.elts:
            raise self.refused(right, "'in' needs a list of literals", 'as in service in ["express", "economy"]')
        choices = [self.of(kind, choice, depth) for choice in right.elts]
        if not all(isinstance(choice, Constant) for choice in choices):
            raise self.refused(right, "'in' needs a list of literals, not of facts")
        return Membership(operand, tuple(c.value for c in choices if isinstance(c, Constant)), kind)

    def _presence(self, node: ast.Call, depth: int) -> Node:
        asked = node.func.id if isinstance(node.func, ast.Name) else ""
        if asked not in ("missing", "known"):
            offer = nearest(asked, ("missing", "known")) if asked else _GRAMMAR
            raise self.refused(node, "the only calls are missing(x) and known(x)", offer)
        if len(node.args) != 1 or node.keywords or not isinstance(node.args[0], ast.Name):
            raise self.refused(node, f"{asked}() takes the name of one fact")
        presence = Presence(node.args[0].id, self._kind_of(node.args[0]))
        return presence if asked == "known" else Not(presence)
