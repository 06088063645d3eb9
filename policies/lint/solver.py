"""Solver: facts and expression trees as terms that z3 reasons about, with Kleene's third value.

A fact is a value and a flag for whether it is known; a condition is a pair of yes and no, and unknown
where neither holds. Numbers are exact decimals here and 64-bit floats where policies are evaluated, so
whatever is found here is evaluated there before it is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

import z3

from control_tower.errors import PolicyError
from policies.expressions import EPOCH_DAY, LARGEST
from policies.terms import Fact
from policies.tree import And, Arithmetic, Comparison, Constant, Kind, Membership, Name, Node, Not, Or, Presence
from policies.verdict import EPOCH, Value, check_value

Term = Any  # z3 publishes no types
Plain = bool | int | float | str | None  # a value as a file of examples writes it

ELSE = "something else"
DAYS = (date.min.toordinal() - EPOCH_DAY, date.max.toordinal() - EPOCH_DAY)
MOMENTS = (DAYS[0] * 86_400_000_000, (DAYS[1] + 1) * 86_400_000_000 - 1)


class Quantity(NamedTuple):
    """Whether a value is known, and the value; what it is while unknown means nothing."""

    known: Term
    value: Term


class Kleene(NamedTuple):
    """When a condition says yes, and when it says no."""

    yes: Term
    no: Term


Given = Mapping[str, Quantity]


class Words:
    """Texts as whole numbers; a number that stands for no text is something that the document never names."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def code(self, text: str) -> int:
        """The number of a text."""
        return self._codes.setdefault(text, len(self._codes))

    def text(self, code: int) -> str:
        """The text of a number; different numbers are different texts."""
        for known, own in self._codes.items():
            if own == code:
                return known
        return ELSE if code == len(self._codes) else f"{ELSE} ({code})"


def free(name: str, kind: str) -> Quantity:
    """A fact of which nothing is settled yet."""
    sorts = {"boolean": z3.Bool, "number": z3.Real}
    return Quantity(z3.Bool(f"known {name}"), sorts.get(kind, z3.Int)(name))


def domain(fact: Fact, quantity: Quantity, words: Words) -> list[Term]:
    """What holds of any value that the fact can have."""
    value = quantity.value
    if fact.type == "boolean":
        return []
    if fact.type == "text":
        return [z3.Or([value == words.code(text) for text in fact.one_of])] if fact.one_of else [value >= 0]
    low, high = {"date": DAYS, "timestamp": MOMENTS}.get(fact.type, (-LARGEST, LARGEST))
    held = [value >= low, value <= high]
    if fact.at_least is not None:
        held.append(value >= exact(fact.at_least))
    if fact.at_most is not None:
        held.append(value <= exact(fact.at_most))
    return held


def exact(number: float) -> Term:
    """A number as the decimal that it was written as."""
    written = Fraction(repr(float(number)))
    if written.denominator == 1:
        return z3.IntVal(written.numerator)
    return z3.RealVal(f"{written.numerator}/{written.denominator}")


def literal(value: Plain, name: str, kind: str, words: Words) -> Term:
    """A value of a fact, as a term.

    Raises:
        PolicyError: it is not of the fact's type.
    """
    read = check_value(name, kind, value)
    if isinstance(read, bool):
        return z3.BoolVal(read)
    if isinstance(read, str):
        return z3.IntVal(words.code(read))
    if read is None:
        raise PolicyError(f"{name} has no value to compare with")
    if kind in ("date", "timestamp"):
        return z3.IntVal(int(read))
    return exact(read)


def value_of(term: Term, kind: str, words: Words) -> Plain:
    """A value that the solver chose, as an example writes it."""
    if kind == "boolean":
        return bool(z3.is_true(term))
    if kind == "text":
        return words.text(term.as_long())
    if kind == "date":
        return date.fromordinal(term.as_long() + EPOCH_DAY).isoformat()
    if kind == "timestamp":
        moment: datetime = EPOCH + timedelta(microseconds=term.as_long())
        return moment.isoformat().replace("+00:00", "Z")
    number = term.as_fraction() if z3.is_real(term) else Fraction(term.as_long())
    return int(number) if number.denominator == 1 else float(number)


def truth(node: Node, given: Given, words: Words) -> Kleene:
    """A condition: when it says yes, and when no."""
    match node:
        case Name(name):
            known, value = given[name]
            return Kleene(z3.And(known, value), z3.And(known, z3.Not(value)))
        case Constant(value):
            return Kleene(z3.BoolVal(bool(value)), z3.BoolVal(not value))
        case Not(operand):
            yes, no = truth(operand, given, words)
            return Kleene(no, yes)
        case And(parts):
            all_of = [truth(part, given, words) for part in parts]
            return Kleene(z3.And([p.yes for p in all_of]), z3.Or([p.no for p in all_of]))
        case Or(parts):
            any_of = [truth(part, given, words) for part in parts]
            return Kleene(z3.Or([p.yes for p in any_of]), z3.And([p.no for p in any_of]))
        case Presence(name):
            return Kleene(given[name].known, z3.Not(given[name].known))
        case Membership(operand, choices, kind):
            known, value = quantity(operand, given, words)
            held = z3.Or([value == _constant(choice, kind, words) for choice in choices])
            return Kleene(z3.And(known, held), z3.And(known, z3.Not(held)))
        case Comparison():
            return _comparison(node, given, words)
    raise PolicyError("a number is no condition")


def _comparison(node: Comparison, given: Given, words: Words) -> Kleene:
    if node.kind is Kind.boolean:
        left, right = truth(node.left, given, words), truth(node.right, given, words)
        same = z3.Or(z3.And(left.yes, right.yes), z3.And(left.no, right.no))
        differ = z3.Or(z3.And(left.yes, right.no), z3.And(left.no, right.yes))
        return Kleene(same, differ) if node.sign == "==" else Kleene(differ, same)
    one, two = quantity(node.left, given, words), quantity(node.right, given, words)
    known = z3.And(one.known, two.known)
    held = _compared(node.sign, one.value, two.value)
    return Kleene(z3.And(known, held), z3.And(known, z3.Not(held)))


def _compared(sign: str, left: Term, right: Term) -> Term:
    match sign:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
    return left >= right


def quantity(node: Node, given: Given, words: Words) -> Quantity:
    """A number, a text, a day or a moment: whether it is known, and what it is."""
    match node:
        case Name(name):
            return given[name]
        case Constant(value, kind):
            return Quantity(z3.BoolVal(True), _constant(value, kind, words))
        case Arithmetic(sign, left, right):
            one, two = quantity(left, given, words), quantity(right, given, words)
            known = [one.known, two.known]
            if sign == "/":
                divisor = _real(two.value)
                return Quantity(z3.And(*known, divisor != 0), _real(one.value) / divisor)
            made = {"+": one.value + two.value, "-": one.value - two.value, "*": one.value * two.value}
            return Quantity(z3.And(known), made[sign])
    raise PolicyError("a condition is no number")


def _constant(value: Value, kind: Kind, words: Words) -> Term:
    if kind is Kind.text:
        return z3.IntVal(words.code(str(value)))
    return exact(float(value or 0))


def _real(value: Term) -> Term:
    return z3.ToReal(value) if z3.is_int(value) else value
