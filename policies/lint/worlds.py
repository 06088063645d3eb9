"""Worlds: everything that a document reads and concludes of one record, as terms of the solver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import z3

from policies.document import Document
from policies.lint.solver import Given, Kleene, Quantity, Term, Words, exact, quantity, truth
from policies.terms import Table
from policies.tree import Node


class Outcome(NamedTuple):
    """What a table decides: when each outcome, best first; when each row decides; when no row speaks at all."""

    at: tuple[Term, ...]
    decides: tuple[Term, ...]
    rows: tuple[Kleene, ...]
    gap: Term

    @property
    def known(self) -> Term:
        """When it decides at all."""
        return z3.Or(self.at)

    @property
    def unknown(self) -> Term:
        """When evidence is missing."""
        return z3.And(z3.Not(self.known), z3.Not(self.gap))

    def above(self, other: Outcome) -> Term:
        """When this is more generous than another, both being decided."""
        better = [z3.And(at, z3.Or(other.at[rank + 1 :])) for rank, at in enumerate(self.at[:-1])]
        return z3.Or(better)


class World(Mapping[str, Quantity]):
    """One record: its facts as given, and the thresholds, tables and derived facts of a document.

    Args:
        given: a quantity for each fact; what it names is taken from here, even where the document concludes it.
        thresholds: the numbers in force on the day examined.
    """

    def __init__(self, document: Document, given: Given, thresholds: Mapping[str, float], words: Words) -> None:
        self.document, self.given, self.thresholds, self.words = document, dict(given), thresholds, words
        self._concluded: dict[str, Quantity] = {}
        self._outcomes: dict[str, Outcome] = {}

    def __getitem__(self, name: str) -> Quantity:
        if name in self.given:
            return self.given[name]
        if name not in self._concluded:
            self._concluded[name] = self._conclude(name)
        return self._concluded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.document.catalogue)

    def __len__(self) -> int:
        return len(self.document.catalogue)

    def with_fact(self, name: str, other: Quantity) -> World:
        """The same record but for one fact."""
        return World(self.document, {**self.given, name: other}, self.thresholds, self.words)

    def holds(self, node: Node) -> Kleene:
        """A condition of the document, of this record."""
        return truth(node, self, self.words)

    def said(self, text: str | None) -> Kleene:
        """A condition as it is written; none always holds."""
        if text is None:
            return Kleene(z3.BoolVal(True), z3.BoolVal(False))
        return self.holds(self.document.expression(text).tree)

    def outcome(self, name: str) -> Outcome:
        """What a table of the document decides of this record."""
        if name not in self._outcomes:
            table = self.document.tables[name]
            rows = tuple(self.holds(self.document.condition(row).tree) for row in table.rows)
            self._outcomes[name] = decided(table, rows)
        return self._outcomes[name]

    def _conclude(self, name: str) -> Quantity:
        if name in self.thresholds:
            return Quantity(z3.BoolVal(True), exact(self.thresholds[name]))
        if name in self.document.tables:
            return as_quantity(self.document.tables[name], self.outcome(name).at, self.words)
        derived = self.document.derived[name]
        tree = self.document.formula(name).tree
        if derived.type == "boolean":
            held = self.holds(tree)
            return Quantity(z3.Or(held.yes, held.no), held.yes)
        known, value = quantity(tree, self, self.words)
        if derived.type == "integer" and not z3.is_int(value):
            value = z3.ToInt(value)  # rounds down, as the evaluator does
        return Quantity(known, value)


def decided(table: Table, rows: tuple[Kleene, ...]) -> Outcome:
    """The outcome of a table whose rows say this; as `policies.tables.decide`."""
    ranks = [table.rank(row.then) for row in table.rows]
    places = range(len(table.outcomes))
    all_no = z3.And([row.no for row in rows])
    deciding = _first(rows) if table.hit == "first" else _strictest(rows, ranks, len(table.outcomes))
    otherwise = None if table.otherwise is None else table.rank(table.otherwise)
    at = []
    for place in places:
        ways = [decides for decides, rank in zip(deciding, ranks, strict=True) if rank == place]
        at.append(z3.Or([*ways, all_no] if place == otherwise else ways))
    return Outcome(tuple(at), tuple(deciding), rows, z3.BoolVal(False) if table.otherwise is not None else all_no)


def _first(rows: tuple[Kleene, ...]) -> list[Term]:
    """When each row says yes, and every one before it no."""
    deciding, reached = [], z3.BoolVal(True)
    for row in rows:
        deciding.append(z3.And(reached, row.yes))
        reached = z3.And(reached, row.no)
    return deciding


def _strictest(rows: tuple[Kleene, ...], ranks: list[int], places: int) -> list[Term]:
    """When each row says yes, every stricter one no, and none before it says yes to the same outcome."""
    none_stricter = [
        z3.And([row.no for row, rank in zip(rows, ranks, strict=True) if rank > place]) for place in range(places)
    ]
    deciding, said = [], dict.fromkeys(ranks, z3.BoolVal(False))
    for row, rank in zip(rows, ranks, strict=True):
        deciding.append(z3.And(row.yes, none_stricter[rank], z3.Not(said[rank])))
        said[rank] = z3.Or(said[rank], row.yes)
    return deciding


def as_quantity(table: Table, at: tuple[Term, ...], words: Words) -> Quantity:
    """A table's outcome as a fact of its own name."""
    values = [
        z3.IntVal(words.code(str(outcome))) if table.type == "text" else _real(float(outcome))
        for outcome in table.outcomes
    ]
    chosen = values[-1]
    for place in range(len(values) - 2, -1, -1):
        chosen = z3.If(at[place], values[place], chosen)
    return Quantity(z3.Or(at), chosen)


def _real(number: float) -> Term:
    value = exact(number)
    return z3.ToReal(value) if z3.is_int(value) else value
