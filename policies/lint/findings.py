"""Findings: what the linter has to say of a document, and what its owner knows of already."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from pydantic import Field

from control_tower.nouns import Noun
from policies.lint.solver import Plain


class Level(StrEnum):
    """How much a finding matters: a fault is to be mended or accepted; the undecided was never proved."""

    fault = "fault"
    note = "note"
    undecided = "undecided"


class Finding(Noun):
    """One thing that is wrong with a document, where, and a record that shows it."""

    check: str
    level: Level
    document: str = Field(description="id and version, as in fulfilment@1")
    where: str = Field(description="as in rules.refund_due or tables.return_window.late")
    file: str
    line: int
    sentence: str
    record: dict[str, Plain] = Field(default={}, description="the facts it rests on; None for missing")
    other: dict[str, Plain] | None = Field(default=None, description="the record that the first is held against")
    example: str = Field(default="", description="the records as examples, with what is said of them today")
    accepted: str = Field(default="", description="why the owner wants it so")


Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Found:
    """A finding of one check on one day, before it is told.

    `topic` tells two findings of one check at one place apart; `tables` are those whose outcome shows it.
    """

    check: str
    where: str
    place: Place
    sentence: str
    level: Level = Level.fault
    record: dict[str, Plain] = field(default_factory=dict)
    other: dict[str, Plain] | None = None
    topic: str = ""
    tables: tuple[str, ...] = ()
    day: date | None = None


def undecided(check: str, where: str, place: Place, topic: str = "", why: str = "") -> Found:
    """A question that was left open."""
    sentence = f"Not decided: {why or 'the solver did not settle it in time'}."
    return Found(check, where, place, sentence, Level.undecided, topic=topic)


DISAGREED = "it is so in exact decimals, and not in the floating-point numbers that policies are evaluated with"
