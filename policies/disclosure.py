"""Disclosure: which facts may leave the house, which texts are notes, and which values are the record's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue

from policies.document import Policy
from policies.papers import Paper, read_paper
from policies.terms import Fact, Identifier, Term

OPEN = ("boolean", "integer", "number", "timestamp", "date")


class Withheld(Term):
    """A fact that stays, and why."""

    fact: Identifier
    because: str = Field(min_length=3)


class Note(Term):
    """A fact that is free text, and who wrote it."""

    fact: Identifier
    written_by: Literal["the customer", "the carrier", "the shop's page"]


class Disclosure(Paper):
    """The field allow-list."""

    texts: tuple[Identifier, ...]
    withheld: tuple[Withheld, ...] = ()
    notes: tuple[Note, ...] = ()
    longest_note: int = Field(ge=100, le=10_000)

    def may_leave(self, name: str, fact: Fact, value: JsonValue) -> bool:
        """Whether a value of a fact may be sent as it is."""
        if name in {one.fact for one in self.withheld} or name in {one.fact for one in self.notes}:
            return False
        if name in self.texts:
            return value is None or (isinstance(value, str) and len(value) <= 80)
        if fact.type in OPEN:
            return True
        return bool(fact.one_of) and (value is None or value in fact.one_of)

    def disclosed(self, policy: Policy, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Of some values of a record, those that may be sent."""
        return {
            name: value
            for name, value in values.items()
            if name in policy.facts and self.may_leave(name, policy.facts[name], value)
        }

    def own_values(self, policy: Policy, record: Mapping[str, JsonValue]) -> dict[str, str]:
        """The values that say whose record it is: each text that may not leave, by the fact's name."""
        notes = {one.fact for one in self.notes}
        return {
            name: str(record[name])
            for name, fact in policy.facts.items()
            if fact.type == "text" and name not in notes and not fact.one_of and name not in self.texts
            if record.get(name)
        }


def disclosure() -> Disclosure:
    """The one in force."""
    return read_paper(Disclosure, "disclosure")
