"""Measures: what the tower is measured by, with formula, limits and source, as the business wrote it down."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from pydantic import Field

from control_tower.written.faults import Fault
from policies.papers import Paper, read_paper
from policies.terms import Identifier, Term

Kind = Literal["share", "ratio", "duration", "money", "difference"]
BOOK = ("cases", "proposals", "rulings", "effects")
"""Tables of the ledger; the others are evidence."""


class Measure(Term):
    """One measure."""

    id: Identifier
    means: str = Field(min_length=10)
    kind: Kind
    per: int = Field(default=1, ge=1, description="so many of what is under are told of at once")
    better: Literal["lower", "higher", "neither"]
    family: Literal["service", "margin", "people"]
    needs: tuple[Identifier, ...] = Field(min_length=1)
    limit: float | None = Field(default=None, gt=0, description="a share from which a programme calls it excessive")
    count: int | None = Field(default=None, ge=1, description="and so many at least")
    source: str = Field(min_length=5)

    @property
    def title(self) -> str:
        """Its name in words."""
        return self.id.replace("_", " ").capitalize()


class Badge(Term):
    """The shares of rows without a fault from which evidence is called good, and fair."""

    good: float = Field(gt=0, le=1)
    fair: float = Field(gt=0, le=1)


class Costs(Term):
    """Costs that no shop tells of: minor units by currency, minutes, and a share."""

    label: dict[str, int]
    labour_hour: dict[str, int]
    reship_minutes: float = Field(ge=0)
    review_minutes: float = Field(ge=0)
    goods_share: float = Field(ge=0, le=1)
    source: str


class Holdout(Term):
    """Cases of which nothing is proposed, so that what the tower changes can be measured."""

    share: float = Field(ge=0, le=0.5)
    actions: tuple[Literal["reship", "hold"], ...]
    source: str

    def holds(self, case: str) -> bool:
        """Whether a case is held out; it follows from its id alone, for its id is a digest."""
        return int(case[:8], 16) < self.share * 0x1_0000_0000


class Measures(Paper):
    """All of them."""

    weeks: int = Field(ge=1, le=104)
    badge: Badge
    costs: Costs
    holdout: Holdout
    measures: tuple[Measure, ...] = Field(min_length=1)


def faults(found: Measures) -> list[Fault]:
    """What is wrong beyond the form: an id twice, a limit on what has none, a holdout of what is owed."""
    ids = [one.id for one in found.measures]
    wrong = [
        Fault(("measures", at, "id"), f"{one.id!r} is there twice")
        for at, one in enumerate(found.measures)
        if ids.index(one.id) != at
    ]
    if found.badge.fair > found.badge.good:
        wrong.append(Fault(("badge", "fair"), "fair is better than good"))
    return wrong


@lru_cache(maxsize=1)
def measures() -> Measures:
    """The ones in force."""
    return read_paper(Measures, "measures", faults)
