"""What the book asks of caps and breakers: the most that hands may do, and what stops them.

They are written in policy (`policies/authority.yaml`); the book counts, inside the transaction that intends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from control_tower.nouns import Action

Owner = Literal["order", "customer", "approver", "lane", "tower"]
"""Whose effects are counted together; a tower's are all of them."""


@dataclass(frozen=True)
class Cap:
    """The most of one action that may be done of one order, customer, approver, lane or tower.

    Args:
        most: minor units by currency; a currency that is not listed is not capped by this one.
        effects: how many, whatever they move.
        within: the time just past that is counted; all of it when left out.
    """

    of: Owner
    action: Action
    most: Mapping[str, int] = field(default_factory=dict)
    effects: int | None = None
    within: timedelta | None = None


@dataclass(frozen=True)
class Breaker:
    """So many effects of a lane that were begun, or came to be refused or unknown, in the time just past."""

    when: Literal["begun", "refused", "unknown"]
    count: int
    within: timedelta


@dataclass(frozen=True)
class Caps:
    """All caps and breakers in force."""

    reference: str = ""
    caps: tuple[Cap, ...] = ()
    breakers: tuple[Breaker, ...] = ()


NONE = Caps()
