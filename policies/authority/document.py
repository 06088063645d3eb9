"""Written authority: roles, limits, delegation and patience, as frozen terms of one YAML file."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from control_tower.caps import Breaker, Cap, Caps, Owner
from control_tower.nouns import Action, Shop, Verdict
from policies.business_time import calendar_days, due_after
from policies.papers import Paper
from policies.terms import Calendar, Duration, Identifier, Term

Amounts = dict[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[int, Field(ge=1)]]


class Role(Term):
    """What a person answers for, and who is asked when they don't answer."""

    means: str = Field(min_length=3)
    escalates_to: Identifier | None = None


class Limit(Term):
    """How much of one action a role may approve; without `each`, only what moves no money."""

    role: Identifier
    action: Action
    each: Amounts = Field(default={}, description="most for one ruling, in minor units by currency")
    a_day: Amounts = Field(default={}, description="most for one person in one day")
    rulings_a_day: int | None = Field(default=None, ge=1)


class Together(Term):
    """What takes several people: an action, above an amount or always."""

    action: Action
    people: int = Field(ge=2, le=5)
    above: Amounts = Field(default={}, description="always, when empty; and in any currency that is not listed")


class Delegation(Term):
    """A person's roles for somebody else, for some days, both included."""

    giver: str = Field(alias="from", min_length=1)
    taker: str = Field(alias="to", min_length=1)
    roles: tuple[Identifier, ...] = Field(min_length=1)
    since: date
    until: date
    up_to: Amounts = Field(default={}, description="most for one ruling, if it is to be less than the giver's")
    reason: str = Field(min_length=3)

    def holds(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.since <= day <= self.until


class Reasons(Term):
    """The reasons that a ruling can have: code and words."""

    approve: dict[Identifier, str] = Field(min_length=1)
    reject: dict[Identifier, str] = Field(min_length=1)


class Slack(Term):
    """The most that is ruled on in Slack; of what is not listed, nothing."""

    up_to: Amounts = Field(default={})


class Waiting(Term):
    """Business time since a proposal was opened."""

    remind_after: Duration
    remind_every: Duration
    reminders: int = Field(ge=0, le=20)
    escalate_after: Duration
    expire_after: Duration


Span = Annotated[str, Field(pattern=r"^[1-9]\d{0,3} (minute|hour|day)s?$")]


def _span(text: str) -> timedelta:
    count, _, unit = text.partition(" ")
    return timedelta(**{f"{unit.rstrip('s')}s": int(count)})


class CapTerm(Term):
    """The most of one action that may be done of one order, customer, approver, lane or of the whole tower."""

    of: Owner
    action: Action
    most: Amounts = Field(default={}, description="minor units by currency")
    effects: int | None = Field(default=None, ge=1, description="how many, whatever they move")
    within: Span | None = Field(default=None, description="the time just past; all of it when left out")


class BreakerTerm(Term):
    """What stops all hands of a lane until a person lets them go on."""

    when: Literal["begun", "refused", "unknown"]
    count: int = Field(ge=1)
    within: Span


class AuthorityTerms(Paper):
    """The whole file."""

    time_zone: str
    country: str = Field(pattern=r"^[A-Z]{2}$")
    calendar: Calendar
    roles: dict[Identifier, Role] = Field(min_length=1)
    limits: tuple[Limit, ...] = Field(min_length=1)
    together: tuple[Together, ...] = ()
    edits: tuple[Action, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    on_call: dict[Identifier, tuple[str, ...]] = Field(default={})
    accepted: tuple[str, ...] = Field(default=(), description="what the linter may find here")
    written_reasons: Reasons = Field(alias="reasons")
    slack: Slack = Slack()
    written_caps: tuple[CapTerm, ...] = Field(default=(), alias="caps")
    breakers: tuple[BreakerTerm, ...] = ()
    closes_breakers: tuple[Identifier, ...] = Field(default=(), description="the roles that may close one")
    keepers: tuple[Identifier, ...] = Field(
        default=(), description="the roles that may hold what was kept, release it, and erase a person from it"
    )
    promotes_lanes: tuple[Identifier, ...] = Field(default=(), description="the roles that may let a lane rise")
    waiting: Waiting
    overridden: str = Field(default="", description="what a shop laid over it, as in +berlin@2")

    @property
    def reference(self) -> str:
        """Id and version, as in authority@1; in a shop with its own, as in authority@1+berlin@2."""
        return f"{self.id}@{self.version}{self.overridden}"

    def reasons(self, verdict: Verdict) -> dict[str, str]:
        """The reasons that a ruling can have."""
        return self.written_reasons.approve if verdict is Verdict.approve else self.written_reasons.reject

    @cached_property
    def caps(self) -> Caps:
        """The most that hands may do, and what stops them."""
        return Caps(
            self.reference,
            tuple(
                Cap(one.of, one.action, one.most, one.effects, _span(one.within) if one.within else None)
                for one in self.written_caps
            ),
            tuple(Breaker(one.when, one.count, _span(one.within)) for one in self.breakers),
        )

    @property
    def clock(self) -> Shop:
        """Where the clock stands."""
        return Shop(id="authority", time_zone=self.time_zone, country=self.country, currency="EUR")

    def day(self, now: datetime) -> date:
        """The day on the clock of this authority."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()

    def is_open_on(self, day: date) -> bool:
        """Whether a day is a business day here."""
        return bool(calendar_days(self.country, self.calendar, day, day)["open"].iloc[0])

    def since(self, now: datetime) -> datetime:
        """When that day began."""
        return datetime.combine(self.day(now), time(), ZoneInfo(self.time_zone))

    def after(self, start: datetime, duration: str) -> datetime:
        """So much business time after a moment."""
        return due_after(start, duration, self.clock, self.calendar)

    def has_expired(self, opened_at: datetime, now: datetime) -> bool:
        """Whether a proposal has waited too long to be ruled on."""
        return now >= self.after(opened_at, self.waiting.expire_after)
