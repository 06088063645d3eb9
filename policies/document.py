"""The document: one policy, whole, in one version."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from pydantic import Field

from control_tower.errors import PolicyError, nearest
from control_tower.nouns import digest_of
from policies.expressions import Expression, parse
from policies.terms import (
    Band,
    Calendar,
    Due,
    Example,
    Fact,
    Family,
    Identifier,
    InForce,
    Rule,
    Rung,
    Situation,
    Term,
    Threshold,
    Urgency,
)


class Policy(Term):
    """What the business decided about one lane, in one version."""

    id: Identifier
    version: int = Field(ge=1)
    owner: str = Field(min_length=2)
    in_force: InForce
    rung: Rung
    calendar: Calendar
    facts: dict[Identifier, Fact]
    thresholds: dict[Identifier, Threshold] = Field(default={})
    families: dict[Identifier, Family]
    score_bands: tuple[Band, ...] = ()
    urgency: Urgency
    due: Due
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=60)
    ordinary: Situation = Field(default={}, description="the facts of an order that nothing is wrong with")
    examples: tuple[Example, ...] = ()
    as_of: date | None = Field(default=None, description="the day it was read for; no part of its content")

    @property
    def reference(self) -> str:
        """Id and version, as in fulfilment@1."""
        return f"{self.id}@{self.version}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the policy says, whenever it was read."""
        return digest_of(self.model_dump(mode="json", exclude={"as_of"}))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of finding, in the order of the file."""
        return tuple(rule.kind for rule in self.rules)

    @cached_property
    def catalogue(self) -> dict[str, str]:
        """The type of every name that an expression may read."""
        facts: dict[str, str] = {name: fact.type for name, fact in self.facts.items()}
        return facts | dict.fromkeys(self.thresholds, "number")

    def rule(self, kind: str) -> Rule:
        """The rule that finds this kind.

        Raises:
            PolicyError: there is none; offers the nearest.
        """
        for rule in self.rules:
            if rule.kind == kind:
                return rule
        raise PolicyError(f"there is no kind {kind!r}", where=self.reference, remedy=nearest(kind, self.kinds))

    def expression(self, text: str) -> Expression:
        """A condition of this policy, parsed and typed."""
        return parse(text, self.catalogue)

    def thresholds_on(self, as_of: date | None = None) -> dict[str, float]:
        """The value of each threshold in force on a day; on the day the policy was read for when left out.

        Raises:
            PolicyError: a threshold has no value yet on that day, or no day is known.
        """
        day = day_of(as_of) if as_of else self.as_of
        if day is None:
            raise PolicyError("no day to take thresholds of", where=self.reference, remedy="give as_of")
        held = {name: threshold.on(day) for name, threshold in self.thresholds.items()}
        for name, value in held.items():
            if value is None:
                raise PolicyError(f"{name} has no value on {day}", where=self.reference, remedy="date one earlier")
        return {name: float(value) for name, value in held.items() if value is not None}


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


def expressions_of(policy: Policy) -> list[tuple[tuple[Any, ...], str]]:
    """Every condition of a policy, with its place: ("rules", 0, "severity", 1, "when") and its text."""
    found: list[tuple[tuple[Any, ...], str | None]] = []
    for number, rule in enumerate(policy.rules):
        here = ("rules", number)
        found.append(((*here, "when"), rule.when))
        found += [((*here, "severity", i, "when"), row.when) for i, row in enumerate(rule.severity)]
        found += [((*here, "team", i, "when"), row.when) for i, row in enumerate(rule.team)]
        found += [((*here, "propose", i, "when"), remedy.when) for i, remedy in enumerate(rule.propose)]
        found += [((*here, "merge", "when"), rule.merge.when)] if rule.merge else []
    return [(place, text) for place, text in found if text is not None]
