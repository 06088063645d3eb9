"""Reads: which facts a conclusion rests on, through tables, derived facts and what was promised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.document import Document, Policy, expressions_of
from policies.tree import And, Arithmetic, Comparison, Membership, Node, Not, Or, Presence, names_in


def nodes_in(node: Node) -> Iterator[Node]:
    """A tree's nodes, each before its parts."""
    yield node
    match node:
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            yield from nodes_in(left)
            yield from nodes_in(right)
        case Membership(operand=operand) | Not(operand):
            yield from nodes_in(operand)
        case And(parts) | Or(parts):
            for part in parts:
                yield from nodes_in(part)


def trees_of(document: Document) -> list[Node]:
    """Every condition and formula of a document."""
    rows = [document.condition(row).tree for table in document.tables.values() for row in table.rows]
    formulas = [document.formula(name).tree for name in document.derived]
    return [*rows, *formulas, *(document.expression(text).tree for _, text in expressions_of(document))]


def behind(document: Document, names: Iterable[str]) -> tuple[str, ...]:
    """The facts of a document that names rest on, in the document's order.

    What was promised counts as the facts of the lane that it was promised by.
    """
    found = _reached(document, names)
    return tuple(name for name in document.facts if name in found)


def told(document: Document, names: Iterable[str]) -> tuple[str, ...]:
    """As `behind`, but what was promised is taken as it is."""
    kept = promised_names(document)
    found = _reached(document, names, kept)
    return tuple(name for name in (*document.facts, *sorted(kept)) if name in found)


def promised_names(document: Document) -> frozenset[str]:
    """What the entitlements of a lane conclude."""
    return frozenset(document.promised) if isinstance(document, Policy) else frozenset()


def presences(document: Document, trees: Iterable[Node]) -> tuple[str, ...]:
    """The facts that anything asked to be known or missing rests on.

    Only such a question can make what is missing decide: Kleene's logic never does. What entitlements
    ask of the facts is examined in their own documents.
    """
    asked = list(trees)
    reached = _reached(document, [name for tree in asked for name in names_in(tree)], promised_names(document))
    asked += [tree for name in reached for tree in _trees_of(document, name)]
    return behind(document, {node.name for tree in asked for node in nodes_in(tree) if isinstance(node, Presence)})


def _reached(document: Document, names: Iterable[str], kept: frozenset[str] = frozenset()) -> set[str]:
    """Names, and what they rest on, and so on."""
    found: set[str] = set()
    asked = list(names)
    while asked:
        name = asked.pop()
        if name in found:
            continue
        found.add(name)
        if name not in kept:
            asked += [other for tree in _trees_of(document, name) for other in names_in(tree)]
            asked += _promised_by(document, name)
    return found


def _trees_of(document: Document, name: str) -> list[Node]:
    if name in document.facts:
        return []
    if name in document.tables:
        return [document.condition(row).tree for row in document.tables[name].rows]
    return [document.formula(name).tree] if name in document.derived else []


def _promised_by(document: Document, name: str) -> list[str]:
    """What a promised name rests on: the day of purchase, and what each version reads."""
    if not isinstance(document, Policy) or name not in document.promised or document.entitlements is None:
        return []
    concluded = name.removesuffix("_clause").removesuffix("_today")
    found = [document.entitlements.in_force_on]
    for versions in document.bound.values():
        for one in versions:
            read = [other for tree in _trees_of(one, concluded) for other in names_in(tree)]
            found += [other for other in read if other not in one.thresholds]
    return found


def leaves_of(node: Node) -> Iterator[Node]:
    """The questions that a condition is made of, without `and`, `or` and `not`."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves_of(part)
        case Not(operand):
            yield from leaves_of(operand)
        case _:
            yield node
