"""The terms of a policy: the parts that its YAML may have, as frozen models.

`policies.document` puts them together, and `policies.reader` makes them of a file.
"""

from __future__ import annotations

from datetime import date, time
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, ConfigDict, Field, model_validator

from control_tower.nouns import Action, Measure, Noun, Severity

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Duration = Annotated[str, Field(pattern=r"^[1-9]\d{0,4} (minute|hour|business day)s?$")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Value = bool | int | float | str
Situation = dict[str, Value | None]
Cell = Value | tuple[Value, ...]  # of a table: `"<= 30"`, `"31..60"`, `[defective, wrong_item]`, `missing`


class Term(Noun):
    """A part of a policy; YAML says `from` where Python can't."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, allow_inf_nan=False)


class Rung(StrEnum):
    """How far a lane may go. On every rung a refund, a reship and a hold wait for a person's ruling.

    `observe`: it looks, judges, keeps and is measured; it opens no case, and asks and tells nobody.
    `route`: it opens cases and tells their owners; it proposes nothing.
    `recommend`: it proposes, and a person rules; what is approved that person does, and the tower's hands do not move.
    `act`: the tower's hands carry out what a person has approved.
    """

    observe = "observe"
    route = "route"
    recommend = "recommend"
    act = "act"


class InForce(Term):
    """The days on which a policy holds, both ends included: of UTC, or of purchase on the shop's calendar."""

    since: date = Field(alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until and self.until < self.since:
            raise ValueError("it ends before it begins")
        return self

    def covers(self, day: date) -> bool:
        """Whether the policy is in force on a day."""
        return self.since <= day and (self.until is None or day <= self.until)


class Hours(Term):
    """Opening hours of a business day, on the clock of the shop's zone."""

    opens: time = Field(alias="from")
    closes: time = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.closes <= self.opens:
            raise ValueError("it closes before it opens")
        return self


class Calendar(Term):
    """When business is done. Public holidays come from the shop's country, the clock from its zone."""

    weekend: tuple[Weekday, ...] = Field(default=("saturday", "sunday"), max_length=6)
    cut_off: time = Field(description="what comes later in the day counts on the next business day")
    extra_closed_days: tuple[date, ...] = ()
    hours: Hours


class Fact(Term):
    """What a signal says about an order: its type, its meaning, and who has it when it is missing."""

    type: Literal["boolean", "integer", "number", "text", "timestamp", "date"]
    means: str = Field(min_length=3)
    owner: str = Field(min_length=2)
    clock: bool = Field(default=False, description="it changes with the passing of time alone")
    at_least: float | None = Field(default=None, description="the smallest number that can be meant; less is missing")
    at_most: float | None = Field(default=None, description="the largest number that can be meant; more is missing")
    one_of: tuple[str, ...] = Field(default=(), description="the only texts that can be meant; others are missing")

    @model_validator(mode="after")
    def _of_its_type(self) -> Self:
        bounded = self.at_least is not None or self.at_most is not None
        if bounded and self.type not in ("integer", "number"):
            raise ValueError(f"a {self.type} has no at_least and at_most")
        if self.one_of and self.type != "text":
            raise ValueError(f"a {self.type} has no one_of")
        if self.at_least is not None and self.at_most is not None and self.at_most < self.at_least:
            raise ValueError("its at_most is below its at_least")
        return self


class Dated(Term):
    """A value and the first day on which it holds."""

    since: date = Field(alias="from")
    value: int | float


class Threshold(Term):
    """A number that the business chose: its unit, where it comes from, and its values by date."""

    unit: str
    source: str = Field(min_length=3)
    values: tuple[Dated, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        days = [dated.since for dated in self.values]
        if days != sorted(set(days)):
            raise ValueError("its dates must rise, each only once")
        return self

    def on(self, day: date) -> int | float | None:
        """The value in force on a day; None before the first."""
        held = [dated.value for dated in self.values if dated.since <= day]
        return held[-1] if held else None


class TableRow(Term):
    """One row of a table: when it holds, what then, and the clause it is published as."""

    id: Identifier
    when: str | dict[str, Cell] = Field(description="an expression, or a cell for each fact it depends on")
    then: str | int | float
    clause: str = Field(default="", description="where the customer can read it, as in 4.2")
    because: str = Field(default="", description="the sentence it is explained with")


class Table(Term):
    """Outcomes by ranges of facts. Every row is evaluated; what they say together depends on `hit`.

    `one`: rows never overlap (the linter proves it). `strictest`: of the rows that hold, the strictest
    outcome counts. `first`: the first row that holds counts, which can hide a stricter one.
    """

    means: str = Field(min_length=5)
    outcomes: tuple[str, ...] | tuple[float, ...] = Field(min_length=1, description="the best for the customer first")
    unit: str = Field(default="", description="of outcomes that are numbers")
    hit: Literal["one", "first", "strictest"] = "one"
    falls_with: tuple[str, ...] = Field(default=(), description="facts of which more is never more generous")
    rows: tuple[TableRow, ...] = Field(min_length=1, max_length=200)
    otherwise: str | int | float | None = Field(default=None, description="the outcome where every row says no")

    @property
    def type(self) -> str:
        """The type of its outcomes: text or number."""
        return "text" if isinstance(self.outcomes[0], str) else "number"

    def rank(self, outcome: str | float) -> int:
        """The place of an outcome: 0 is the best for the customer.

        Raises:
            ValueError: it is none of the outcomes.
        """
        return [str(one) if self.type == "text" else float(one) for one in self.outcomes].index(
            str(outcome) if self.type == "text" else float(outcome)
        )


class Derived(Term):
    """A fact that the policy works out of others, as an amount of what a table allows."""

    type: Literal["boolean", "integer", "number"]
    means: str = Field(min_length=3)
    owner: str = ""
    expression: str = Field(alias="is", description="arithmetic, or a condition; an integer is rounded down")


class Accepted(Term):
    """A finding of the linter that the owner knows and wants, with the reason."""

    check: Identifier
    where: str = Field(min_length=2, description="the rule or table, or table.row, it is about")
    because: str = Field(min_length=10)


class Entitled(Term):
    """Which documents say what a customer is owed, and the fact that dates the promise."""

    in_force_on: Identifier = Field(description="the date fact of the purchase")
    documents: tuple[Identifier, ...] = Field(min_length=1)


class Floor(Term):
    """A severity that a case never falls below while a condition holds, or may hold."""

    when: str
    severity: Severity
    because: str = Field(min_length=5)


class Listing(Term):
    """Names that somebody wrote down, whose list it is, and why: what is on it is told, and nobody is judged by it.

    `block` is never less than sev1. `allow` is never more than sev3, and scores nothing. `trusted` leaves the
    severity of each finding and takes away its score, of the kinds that it names. A block on any finding about
    a subject undoes what the others do for it, and a floor holds whatever they say.
    """

    id: Identifier
    means: str = Field(min_length=5)
    fact: Identifier
    members: tuple[str, ...]
    says: Literal["allow", "block", "trusted"]
    owner: str = Field(min_length=2)
    because: str = Field(min_length=5)
    kinds: tuple[str, ...] = Field(default=(), description="the kinds it speaks of; all when left out")
    until: date | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.says == "trusted" and not self.kinds:
            raise ValueError("trust is of some kinds; name them")
        return self


class Due(Term):
    """How soon somebody must look, in business time, by severity."""

    sev1: Duration
    sev2: Duration
    sev3: Duration


class SeverityRow(Term):
    """A severity, and when it applies. Rows that are unknown apply: missing evidence lowers no risk."""

    when: str | None = None
    severity: Severity


class TeamRow(Term):
    """A team, the fact that names its member, and when it is theirs: the first row that says yes."""

    when: str | None = None
    team: str = Field(min_length=2)
    member: str | None = None


class Merge(Term):
    """A cause that many orders share: those with equal facts, when enough of the group are hit."""

    name: Identifier
    on: tuple[str, ...] = Field(min_length=1)
    when: str
    at_least: int = Field(default=1, ge=1)
    share: float = Field(default=0.0, ge=0, le=1)
    alone: bool = Field(default=False, description="the subject's other findings stay in its own case")


class Remedy(Term):
    """An action that a rule proposes to a person, and the facts that must still hold when it acts."""

    action: Action
    when: str | None = None
    target: str = Field(description="the fact that names what it acts on")
    amount: str | None = Field(default=None, description="the fact that holds the money, in minor units")
    reason: str
    rests_on: tuple[str, ...] = Field(min_length=1)


class Offer(Remedy):
    """An action that is proposed about whatever scores so much, whichever findings make up the score.

    Only answers of yes count. What may be allowed or trusted, for want of the name, is not proposed about.
    """

    score_at_least: Identifier = Field(description="the threshold that the score has to reach")


class Advised(Term):
    """A measure that a rule advises a team to take, how long for, and how what it changes is put back."""

    action: Measure
    when: str | None = None
    owner: str = Field(min_length=2, description="the team that can take it")
    expires_after: Duration
    prior: str | None = Field(
        default=None, description="the fact that holds what the measure changes; unknown, nothing is advised"
    )
    counter: str | None = Field(default=None, description="what puts it back, with the prior value in it")
    reason: str

    @model_validator(mode="after")
    def _puts_back(self) -> Self:
        if self.action.changes != (self.prior is not None) or self.action.changes != (self.counter is not None):
            wanted = "needs prior and counter" if self.action.changes else "changes nothing: no prior, no counter"
            raise ValueError(f"{self.action} {wanted}")
        return self


class Rule(Term):
    """One kind of finding: when it holds, how it is told, how bad it is, whose, and what then."""

    kind: Identifier
    means: str
    when: str
    sentence: str
    severity: tuple[SeverityRow, ...] = Field(min_length=1)
    family: str
    score: int = Field(ge=0, le=1000)
    team: tuple[TeamRow, ...] = Field(min_length=1)
    money: str | None = Field(default=None, description="the fact that holds the money at risk, in minor units")
    likelihood: float = Field(default=1.0, gt=0, le=1, description="how likely it is lost if nobody acts")
    clock: str | None = Field(default=None, description="the fact that counts the hours it has been so")
    effort_minutes: int = Field(ge=1)
    due: Due | None = None
    merge: Merge | None = None
    propose: tuple[Remedy, ...] = ()
    advise: tuple[Advised, ...] = ()


class Family(Term):
    """Signals that say much the same thing: together they score no more than the cap."""

    cap: int = Field(ge=0)


class Band(Term):
    """A score from which on a case has at least this severity."""

    at_least: int
    severity: Severity


class Urgency(Term):
    """What presses: a weight by severity, growing with the hours that pass, up to a ceiling."""

    sev1: float = Field(gt=0)
    sev2: float = Field(gt=0)
    sev3: float = Field(gt=0)
    doubles_every_hours: float = Field(gt=0)
    at_most: float = Field(ge=1)
    loss_when_unknown: int = Field(ge=0, description="money at risk, in minor units, where the amount is missing")


class Example(Term):
    """A situation and what the policy must say of it. Facts not named are those of an ordinary order."""

    name: str = Field(min_length=5)
    as_of: date | None = Field(
        default=None,
        validation_alias=AliasChoices("as_of", "bought_on"),
        description="the day whose policy decides: of the look, or of the purchase for an entitlement",
    )
    facts: Situation = Field(default={})
    yes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    proposes: tuple[Action, ...] = ()
    advises: tuple[Measure, ...] = ()
    gives: Situation = Field(default={}, description="the outcome of a table, or a derived fact; null for unknown")
