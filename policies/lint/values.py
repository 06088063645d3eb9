"""Values: what a fact of an example may well be, the most ordinary first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import cached_property

from policies.document import Document, Policy
from policies.expressions import Expression
from policies.lint.reads import nodes_in, trees_of
from policies.lint.solver import ELSE, Plain
from policies.terms import Fact
from policies.tree import Comparison, Constant, Membership, Name, Node, names_in
from policies.verdict import number, within

CURRENCY = "EUR"  # money is only written in a currency that there is


class Values:
    """The values to try for the facts of a document, on a day with these thresholds."""

    def __init__(self, document: Document, thresholds: Mapping[str, float]) -> None:
        self.document, self.thresholds = document, thresholds

    def likely(self, name: str) -> Iterator[Plain]:
        """Values to try for a fact, the most ordinary first."""
        fact, ordinary = self.document.facts.get(name), self.document.ordinary.get(name)
        tried: list[Plain] = [] if ordinary is None else [ordinary]
        near = self._compared_with.get(name, [])
        if name == "currency":
            tried += [CURRENCY]
        elif fact is None or fact.type == "text":
            tried += [*(fact.one_of if fact else ()), *near, *([] if fact and fact.one_of else [ELSE])]
        elif fact.type == "boolean":
            tried += [False, True]
        elif fact.type != "timestamp":
            tried += [_written(one + step, fact) for step in (1, -1, 0) for one in near if isinstance(one, float)]
            tried += [] if fact.type == "date" else [0, 1]
        yield from (value for value in dict.fromkeys(tried) if _can_be(fact, value))
        yield None

    @cached_property
    def _compared_with(self) -> dict[str, list[float | str]]:
        """The values with which the document compares each fact."""
        found: dict[str, list[float | str]] = {}
        for document, thresholds in self._documents():
            for node in (node for tree in trees_of(document) for node in nodes_in(tree)):
                for name, value in _compared(node, document, thresholds):
                    found.setdefault(name, []).append(value)
        return {name: list(dict.fromkeys(values)) for name, values in found.items()}

    def _documents(self) -> Iterator[tuple[Document, Mapping[str, float]]]:
        """The document and what it promises by, each with its numbers."""
        yield self.document, self.thresholds
        for versions in self.document.bound.values() if isinstance(self.document, Policy) else ():
            yield from ((one, one.thresholds_on(one.in_force.since)) for one in versions)


def _compared(node: Node, document: Document, thresholds: Mapping[str, float]) -> Iterator[tuple[str, float | str]]:
    """What a node compares, with a value that rests on no fact."""
    match node:
        case Membership(Name(name), choices):
            yield from ((name, choice) for choice in choices)
        case Comparison(_, Name(name), other) | Comparison(_, other, Name(name)):
            value = _settled(other, document, thresholds)
            if value is not None:
                yield name, value


def _settled(node: Node, document: Document, thresholds: Mapping[str, float]) -> float | str | None:
    if isinstance(node, Constant):
        return None if isinstance(node.value, bool) else node.value
    names = tuple(sorted(set(names_in(node))))
    return (
        number(Expression("", node, names), thresholds, document.catalogue) if set(names) <= set(thresholds) else None
    )


def _written(value: float, fact: Fact) -> Plain:
    """A number as a fact of its type is written; a day as ISO text."""
    if fact.type == "date":
        return (date(1970, 1, 1) + timedelta(days=int(value))).isoformat()
    return int(value) if fact.type == "integer" or value == int(value) else round(value, 9)


def _can_be(fact: Fact | None, value: Plain) -> bool:
    if fact is None or value is None or isinstance(value, bool) or fact.type == "date":
        return True
    return within(fact, value) is not None
