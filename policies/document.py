"""The documents: a lane's policy, and what customers were promised, each whole, in one version."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Self

from pydantic import Field

from control_tower.errors import PolicyError, nearest
from control_tower.nouns import digest_of
from policies.cells import written_out
from policies.expressions import Expression, parse, parse_number
from policies.rungs import Rungs, lower
from policies.terms import (
    Accepted,
    Band,
    Calendar,
    Derived,
    Due,
    Entitled,
    Example,
    Fact,
    Family,
    Floor,
    Identifier,
    InForce,
    Listing,
    Offer,
    Rule,
    Rung,
    Situation,
    Table,
    TableRow,
    Term,
    Threshold,
    Urgency,
)


class Document(Term):
    """What the business wrote down about one matter, in one version: facts, numbers, tables, examples."""

    id: Identifier
    version: int = Field(ge=1)
    owner: str = Field(min_length=2)
    in_force: InForce
    shadow: bool = Field(default=False, description="evaluated beside what is in force, kept, and served to nobody")
    facts: dict[Identifier, Fact]
    thresholds: dict[Identifier, Threshold] = Field(default={})
    tables: dict[Identifier, Table] = Field(default={})
    derived: dict[Identifier, Derived] = Field(default={})
    ordinary: Situation = Field(default={}, description="the facts of a case that nothing is wrong with")
    examples: tuple[Example, ...] = ()
    accepted: tuple[Accepted, ...] = Field(default=(), description="what the linter may find here, and why")
    overridden: str = Field(default="", description="what a shop laid over it, as in +berlin@2; no part of its content")

    @property
    def reference(self) -> str:
        """Id and version, as in fulfilment@1; in a shop with what it has otherwise, as in fulfilment@1+berlin@2."""
        return f"{self.id}@{self.version}{self.overridden}"

    def amended(self, **changes: Any) -> Self:
        """The same document but for some fields, and without what was worked out of them before."""
        other = self.model_copy(update=changes)
        for name in ("digest", "catalogue", "concluded", "promised"):
            other.__dict__.pop(name, None)
        return other

    def __repr__(self) -> str:
        return f"<{self.reference}>"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what decides: not the examples, nor the day it was read for."""
        return digest_of(self.model_dump(mode="json", exclude={"as_of", "bound", "examples", "overridden"}))

    @cached_property
    def catalogue(self) -> dict[str, str]:
        """The type of every name that an expression may read."""
        return self._facts() | dict.fromkeys(self.thresholds, "number") | self.concluded

    @cached_property
    def concluded(self) -> dict[str, str]:
        """The type of what this very document concludes: its tables' outcomes and its derived facts."""
        tables = {name: table.type for name, table in self.tables.items()}
        return tables | {name: derived.type for name, derived in self.derived.items()}

    def _facts(self) -> dict[str, str]:
        return {name: fact.type for name, fact in self.facts.items()}

    def expression(self, text: str) -> Expression:
        """A condition of this document, parsed and typed."""
        return parse(text, self.catalogue)

    def condition(self, row: TableRow) -> Expression:
        """The condition of a table's row."""
        return self.expression(written_out(row.when, self.catalogue))

    def formula(self, name: str) -> Expression:
        """What a derived fact is worked out by."""
        derived = self.derived[name]
        read = parse if derived.type == "boolean" else parse_number
        return read(derived.expression, self.catalogue)

    def thresholds_on(self, as_of: date | None = None) -> dict[str, float]:
        """The value of each threshold in force on a day.

        Raises:
            PolicyError: a threshold has no value yet on that day, or no day is known.
        """
        if as_of is None:
            raise PolicyError("no day to take thresholds of", where=self.reference, remedy="give as_of")
        day = day_of(as_of)
        held = {name: threshold.on(day) for name, threshold in self.thresholds.items()}
        for name, value in held.items():
            if value is None:
                raise PolicyError(f"{name} has no value on {day}", where=self.reference, remedy="date one earlier")
        return {name: float(value) for name, value in held.items() if value is not None}


class Entitlement(Document):
    """What customers were promised: in force on the days of purchase, by the shop's calendar.

    One that `extends` another is in force beside it and can only give more.
    """

    extends: Identifier | None = None


class Policy(Document):
    """What the business decided about one lane, in one version."""

    rung: Rung = Field(description="the highest that its owner allows; a lane may stand lower, and never higher")
    rungs: Rungs
    subject: Identifier = Field(default="order_id", description="the fact that names what a finding is about")
    entitlements: Entitled | None = None
    calendar: Calendar
    families: dict[Identifier, Family]
    score_bands: tuple[Band, ...] = ()
    floors: tuple[Floor, ...] = ()
    lists: tuple[Listing, ...] = ()
    urgency: Urgency
    due: Due
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=60)
    propose: tuple[Offer, ...] = Field(default=(), description="what is proposed about whatever scores enough")
    as_of: date | None = Field(default=None, description="the day it was read for; no part of its content")
    bound: dict[str, tuple[Entitlement, ...]] = Field(
        default={}, description="every served version of the documents it reads, their extensions included"
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of finding, in the order of the file."""
        return tuple(rule.kind for rule in self.rules)

    @cached_property
    def promised(self) -> dict[str, str]:
        """The type of what its entitlements conclude: each outcome, its clause, and what it would be today."""
        found: dict[str, str] = {}
        for versions in self.bound.values():
            for document in versions:
                found |= document.concluded
                for name, table in document.tables.items():
                    found |= {f"{name}_clause": "text", f"{name}_today": table.type}
        return found

    @cached_property
    def catalogue(self) -> dict[str, str]:
        """The type of every name that an expression may read."""
        return self._facts() | self.promised | dict.fromkeys(self.thresholds, "number") | self.concluded

    @property
    def conclusions(self) -> tuple[str, ...]:
        """What is concluded from the facts, by its entitlements and by itself; empty where nothing is."""
        return (*self.promised, *self.concluded)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of facts that judging reads: the facts, and what is concluded from them."""
        return (*self.facts, *self.conclusions)

    def rule(self, kind: str) -> Rule:
        """The rule that finds this kind.

        Raises:
            PolicyError: there is none; offers the nearest.
        """
        for rule in self.rules:
            if rule.kind == kind:
                return rule
        raise PolicyError(f"there is no kind {kind!r}", where=self.reference, remedy=nearest(kind, self.kinds))

    def standing_on(self, rung: Rung) -> Policy:
        """The same policy, for a lane that stands on a rung: that one, and never above what the owner allows."""
        stands = lower(self.rung, rung)
        return self if stands is self.rung else self.on(stands)

    def on(self, rung: Rung) -> Policy:
        """The same policy on another rung, whatever the owner allows."""
        return self.amended(rung=rung)

    def thresholds_on(self, as_of: date | None = None) -> dict[str, float]:
        """The value of each threshold in force on a day; on the day the policy was read for when left out."""
        return super().thresholds_on(as_of or self.as_of)


def day_of(moment: date) -> date:
    """The day of a date or, in UTC, of an aware datetime.

    Raises:
        PolicyError: the datetime has no time zone.
    """
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None:
        raise PolicyError(f"{moment} has no time zone", remedy="give an aware datetime")
    return moment.astimezone(UTC).date()


def expressions_of(document: Document) -> list[tuple[tuple[Any, ...], str]]:
    """Every condition of a document's rules, with its place: ("rules", 0, "severity", 1, "when") and its text."""
    found: list[tuple[tuple[Any, ...], str | None]] = []
    for number, rule in enumerate(document.rules if isinstance(document, Policy) else ()):
        here = ("rules", number)
        found.append(((*here, "when"), rule.when))
        found += [((*here, "severity", i, "when"), row.when) for i, row in enumerate(rule.severity)]
        found += [((*here, "team", i, "when"), row.when) for i, row in enumerate(rule.team)]
        found += [((*here, "propose", i, "when"), remedy.when) for i, remedy in enumerate(rule.propose)]
        found += [((*here, "advise", i, "when"), advised.when) for i, advised in enumerate(rule.advise)]
        found += [((*here, "merge", "when"), rule.merge.when)] if rule.merge else []
    if isinstance(document, Policy):
        found += [(("floors", number, "when"), floor.when) for number, floor in enumerate(document.floors)]
        found += [(("propose", number, "when"), offer.when) for number, offer in enumerate(document.propose)]
    return [(place, text) for place, text in found if text is not None]
