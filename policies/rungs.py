"""Rungs: what a lane has to show to rise, and what it may not show if it is to stay. Nothing here moves it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Annotated

from pydantic import Field

from control_tower.rungs import LaneRecord, share
from policies.terms import Rung, Term

LADDER = tuple(Rung)
NARROWEST = 1e-9  # shares that differ by less are told apart by no record that a shop could have

Days = Annotated[str, Field(pattern=r"^[1-9]\d{0,2} days?$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Limits(Term):
    """How good a lane's record has to be: the least agreement, and the most of what is against it."""

    agreement: Share = Field(description="rulings that approve the full amount, of all rulings; this or more")
    reversals: Share = Field(description="effects that were undone, of all; this or less")
    breaches: int = Field(ge=0, le=1000, description="looks that a contract stopped; so many or fewer")
    overdue: Share = Field(description="cases neither ruled on nor closed when due, of all; this or less")


class Promotion(Limits):
    """What a lane has to show before a person may let it rise, and how much of it."""

    looks: int = Field(ge=1, le=100_000, description="that no contract stopped; on every rung")
    cases: int = Field(ge=1, le=100_000, description="from route on, where cases are opened")
    rulings: int = Field(ge=1, le=100_000, description="on recommend, where people are asked")


class Staying(Limits):
    """What a lane has to show if it is not to fall."""

    judged_on: int = Field(ge=1, le=100_000, description="no share of fewer is held against a lane")


class Rungs(Term):
    """How a lane earns its rung: where it begins, how far back it is looked at, how it rises, how it stays."""

    starts_at: Rung
    window: Days
    promote: Promotion
    stay: Staying

    def since(self, now: datetime) -> datetime:
        """When the window began that ends now."""
        return now - timedelta(days=int(self.window.split()[0]))


def lower(one: Rung, other: Rung) -> Rung:
    """The lower of two rungs."""
    return min(one, other, key=LADDER.index)


def above(rung: Rung) -> Rung | None:
    """The next rung; None from the highest."""
    return LADDER[LADDER.index(rung) + 1] if rung is not LADDER[-1] else None


def below(rung: Rung) -> Rung | None:
    """The rung before; None from the lowest."""
    return LADDER[LADDER.index(rung) - 1] if rung is not LADDER[0] else None


def falls(rung: Rung, record: LaneRecord, rungs: Rungs) -> str:
    """Why a lane falls by one rung, in words with the numbers; empty when it stays. From the lowest none falls."""
    return "; ".join(_against(record, rungs.stay, rungs.stay.judged_on)) if below(rung) else ""


def lacking(rung: Rung, record: LaneRecord, rungs: Rungs) -> tuple[str, ...]:
    """What a lane still lacks to rise from a rung, in words with the numbers; empty when a person may let it.

    What there must be enough of is what a lane can have on that rung. What is against it counts on every rung.
    """
    asked = rungs.promote
    counts = [("looks", record.looks, asked.looks)]
    counts += [("cases", record.cases, asked.cases)] if rung is not Rung.observe else []
    counts += [("rulings", record.rulings, asked.rulings)] if rung not in (Rung.observe, Rung.route) else []
    few = [f"{there} of {wanted} {what}" for what, there, wanted in counts if there < wanted]
    return (*few, *_against(record, asked, 1))


def _against(record: LaneRecord, limits: Limits, fewest: int) -> Iterator[str]:
    """Each limit that a record breaks; a share is taken of so many at the fewest."""
    agreement = share(record.agreed, record.rulings)
    if agreement is not None and record.rulings >= fewest and agreement < limits.agreement:
        yield f"{record.agreed} of {record.rulings} rulings agree, and {_percent(limits.agreement)} is asked"
    for what, part, of, most in (
        ("effects undone", record.undone, record.effects, limits.reversals),
        ("cases overdue", record.overdue, record.cases, limits.overdue),
    ):
        found = share(part, of)
        if found is not None and of >= fewest and found > most:
            yield f"{part} of {of} {what}, and {_percent(most)} is the most"
    if record.breaches > limits.breaches:
        yield f"{record.breaches} contract breaches, and {limits.breaches} is the most"


def _percent(part: float) -> str:
    return f"{part * 100:g} %"


def easier_than_staying(rungs: Rungs, now: datetime) -> Iterator[tuple[str, LaneRecord]]:
    """Each limit by which a lane could rise and fall by one record, with such a record."""
    rise, stay = rungs.promote, rungs.stay
    perfect = LaneRecord(
        since=rungs.since(now), until=now, looks=rise.looks, cases=rise.cases, rulings=rise.rulings, agreed=rise.rulings
    )
    if rise.agreement < stay.agreement:
        many = _enough(rise.agreement, stay.agreement, max(rise.rulings, stay.judged_on))
        yield "agreement", _with(perfect, rulings=many, agreed=ceil(rise.agreement * many))
    if rise.reversals > stay.reversals:
        many = _enough(rise.reversals, stay.reversals, stay.judged_on)
        yield "reversals", _with(perfect, effects=many, undone=floor(rise.reversals * many))
    if rise.breaches > stay.breaches:
        yield "breaches", _with(perfect, breaches=rise.breaches)
    if rise.overdue > stay.overdue:
        many = _enough(rise.overdue, stay.overdue, max(rise.cases, stay.judged_on))
        yield "overdue", _with(perfect, cases=many, overdue=floor(rise.overdue * many))


def _enough(one: float, other: float, fewest: int) -> int:
    """So many that a whole number of them lies between two shares."""
    return max(fewest, ceil(2 / max(abs(one - other), NARROWEST)))


def _with(record: LaneRecord, **counts: int) -> LaneRecord:
    return record.model_copy(update=counts)
