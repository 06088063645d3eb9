"""What the book tells of a lane, for policy to say how far it may go: counts of one stretch of time, and shares."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from control_tower.nouns import Noun


class LaneRecord(Noun):
    """What a lane did, and what people made of it, since it came to its rung or since its window began."""

    since: AwareDatetime
    until: AwareDatetime
    looks: int = Field(default=0, ge=0, description="that no contract stopped, dry runs apart")
    breaches: int = Field(default=0, ge=0, description="of contracts that stopped a look; one that goes on counts once")
    cases: int = Field(default=0, ge=0, description="open at some time, and not due before")
    overdue: int = Field(default=0, ge=0, description="of them neither ruled on nor closed when they were due")
    rulings: int = Field(default=0, ge=0, description="by people, on what the lane proposed")
    agreed: int = Field(default=0, ge=0, description="of them approvals of the full amount")
    effects: int = Field(default=0, ge=0, description="that were confirmed")
    undone: int = Field(default=0, ge=0, description="of them taken back since")

    def __str__(self) -> str:
        return (
            f"{self.looks} looks, {self.breaches} breaches, {self.overdue} of {self.cases} cases overdue, "
            f"{self.agreed} of {self.rulings} rulings agree, {self.undone} of {self.effects} effects undone"
        )


def share(part: int, of: int) -> float | None:
    """A part of a whole, from nought to one; None where there is nothing to take it of."""
    return part / of if of else None
