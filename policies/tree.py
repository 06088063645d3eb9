"""The tree of an expression: frozen, typed, and public.

`policies.truth` evaluates it over columns and `policies.verdict` over one row; whatever proves things
of a policy, or compiles it to another language, reads the same nine nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of value that an expression can tell apart."""

    boolean = "boolean"
    number = "number"
    text = "text"
    timestamp = "timestamp"
    date = "date"


@dataclass(frozen=True, slots=True)
class Name:
    """A fact or a threshold."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal: a truth value, a number as a float, text, or a date as days since 1970."""

    value: bool | float | str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers and one of `+ - * /`. Division by zero has no known value."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands of one kind and one of `== != < <= > >=`."""

    sign: str
    left: Node
    right: Node
    kind: Kind


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether an operand is one of the listed literals, all of its own kind."""

    operand: Node
    choices: tuple[float | str, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a fact is known at all: the one question that is never unknown."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Not:
    """Kleene's not."""

    operand: Node


@dataclass(frozen=True, slots=True)
class And:
    """Kleene's and: no if any part is no, unknown if any is unknown, else yes."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Kleene's or: yes if any part is yes, unknown if any is unknown, else no."""

    parts: tuple[Node, ...]


Node = Name | Constant | Arithmetic | Comparison | Membership | Presence | Not | And | Or


def names_in(node: Node) -> Iterator[str]:
    """The names of a tree, from left to right, each as often as it is read."""
    match node:
        case Name(name) | Presence(name):
            yield name
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            yield from names_in(left)
            yield from names_in(right)
        case Membership(operand=operand) | Not(operand):
            yield from names_in(operand)
        case And(parts) | Or(parts):
            for part in parts:
                yield from names_in(part)


def kind_of(node: Node) -> Kind:
    """The kind of value that a tree comes to."""
    match node:
        case Name(kind=kind) | Constant(kind=kind):
            return kind
        case Arithmetic():
            return Kind.number
        case _:
            return Kind.boolean
