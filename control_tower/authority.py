"""What the book asks of authority: who a person is, what is asked of them, and the leave they are given.

The rules are a policy (`policies.authority`); the book brings the facts, inside the transaction that rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from control_tower.errors import NoAuthority
from control_tower.nouns import Action, Money, Proposal, Verdict

ALL_SHOPS = "*"
"""For whoever may rule for every shop of the tower, those to come included."""


@dataclass(frozen=True)
class Person:
    """An enrolled person, as proved: their roles, the customers that they are, and the shops that they rule for."""

    name: str
    roles: tuple[str, ...]
    customers: tuple[str, ...] = ()
    shops: tuple[str, ...] = (ALL_SHOPS,)

    def answers_for(self, shop: str) -> bool:
        """Whether they may rule for a shop; for all of them at once, where none is named."""
        return ALL_SHOPS in self.shops or (bool(shop) and shop in self.shops)


@dataclass(frozen=True)
class Spent:
    """One approval already given: by whom, for whom, of what."""

    by: str
    on_behalf_of: str
    action: Action
    money: Money | None
    at: datetime


@dataclass(frozen=True)
class Grant:
    """Leave to rule: by which role, for whom when it was delegated, and how many people it takes in all."""

    role: str
    on_behalf_of: str = ""
    people: int = 1


def must_answer_for(person: Person, shop: str) -> None:
    """Return if a person may decide in a shop; in all of them, where none is named.

    Raises:
        NoAuthority: they may decide in other shops only.
    """
    if not person.answers_for(shop):
        theirs = ", ".join(person.shops)
        other = f"not in {shop}" if shop else "not in every shop at once"
        where = f"shop {shop}" if shop else ""
        raise NoAuthority(
            f"{person.name} decides in {theirs}, and {other}", where=where, remedy="ask whoever is enrolled for it"
        )


class Authority(Protocol):
    """Written authority in force at a moment."""

    @property
    def reference(self) -> str:
        """Id and version, as in authority@1."""
        ...

    @property
    def edits(self) -> tuple[Action, ...]:
        """The actions whose amount an approver may make smaller."""
        ...

    def people_for(self, action: Action, money: Money | None) -> int:
        """How many different people an approval takes."""
        ...

    def reasons(self, verdict: Verdict) -> Mapping[str, str]:
        """The reasons that a ruling can have: code and words."""
        ...

    def since(self, now: datetime) -> datetime:
        """When the day began whose limits hold at a moment."""
        ...

    def has_expired(self, opened_at: datetime, now: datetime) -> bool:
        """Whether a proposal has waited too long to be ruled on."""
        ...

    def grant(
        self,
        person: Person,
        proposal: Proposal,
        money: Money | None,
        via: str,
        spent: tuple[Spent, ...],
        people: Callable[[str], Person | None],
        now: datetime,
    ) -> Grant:
        """Leave for a person to approve so much of a proposal at a moment.

        Args:
            money: what would move, perhaps less than was proposed.
            via: the door: command, form, slack.
            spent: what was approved since the day began.
            people: somebody else as they are enrolled now; without roles once revoked.

        Raises:
            NoAuthority: they may not, and why.
        """
        ...

    def may_close_breakers(self, person: Person, now: datetime) -> None:
        """Leave to let a lane's hands go on.

        Raises:
            NoAuthority: they may not.
        """
        ...

    def may_keep(self, person: Person, now: datetime) -> None:
        """Leave to hold what was kept, to release it, and to erase a person from it.

        Raises:
            NoAuthority: they may not.
        """
        ...

    def may_promote_lanes(self, person: Person, now: datetime) -> None:
        """Leave to let a lane rise to its next rung.

        Raises:
            NoAuthority: they may not.
        """
        ...

    def may_reject(
        self, person: Person, proposal: Proposal, people: Callable[[str], Person | None], now: datetime
    ) -> Grant:
        """Leave to reject: of whoever could approve some of it.

        Raises:
            NoAuthority: they may not, and why.
        """
        ...
