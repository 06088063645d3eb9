"""Retention: how long what was kept stays, and which columns say who somebody is."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Literal

from pydantic import Field

from control_tower.written.faults import Fault
from policies.papers import Paper, read_paper
from policies.terms import Identifier, Term

Kind = Literal["frames", "nouns", "pictures", "pages", "messages", "prompts", "webhooks", "overtaken_webhooks"]
SHELVES: tuple[Kind, ...] = ("frames", "nouns", "pictures", "pages", "messages")
"""What lies in the archive; prompts lie in the ledger, and webhooks where they were received."""
ELSEWHERE: tuple[Kind, ...] = ("prompts", "webhooks", "overtaken_webhooks")


class Stay(Term):
    """How long one kind of what is kept stays, and why."""

    what: Kind
    days: int = Field(ge=1, le=36_500)
    because: str = Field(min_length=10)


class Personal(Term):
    """Columns that say who somebody is, and columns in somebody's own words."""

    identifying: tuple[Identifier, ...] = Field(min_length=1)
    words: tuple[Identifier, ...] = ()


class Retention(Paper):
    """The one in force."""

    stays: tuple[Stay, ...]
    loose_days: int = Field(ge=1, description="after which a file that no record names goes")
    personal: Personal

    def period(self, what: str) -> timedelta:
        """How long a kind stays."""
        return next(timedelta(days=one.days) for one in self.stays if one.what == what)


def faults(found: Retention) -> list[Fault]:
    """What is wrong beyond the form: a kind that is said twice, or not at all."""
    said = [one.what for one in found.stays]
    wrong = [
        Fault(("stays", at, "what"), f"{one.what!r} is there twice")
        for at, one in enumerate(found.stays)
        if said.index(one.what) != at
    ]
    lacking = [kind for kind in (*SHELVES, *ELSEWHERE) if kind not in said]
    return wrong + [Fault(("stays",), f"nothing is said of {kind}") for kind in lacking]


@lru_cache(maxsize=1)
def retention() -> Retention:
    """The paper in force."""
    return read_paper(Retention, "retention", faults)
