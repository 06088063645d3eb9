"""The nouns of a case's life: `Case → Evidence → Risk → Proposal → Ruling → Authorised → Effect`.

Each is frozen; a step hands on the next noun and never changes what it was handed. Each has a
`digest`, the SHA-256 of its content in canonical JSON. `Authorised` is made in one place only,
`control_tower.ledger.rulings`, from a ruling that is in the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from control_tower.markdown import inert


def canonical(content: Any) -> bytes:
    """JSON with sorted keys and no spaces, so that equal content has equal bytes."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def digest_of(content: Any) -> str:
    """SHA-256, in hex, of canonical JSON."""
    return hashlib.sha256(canonical(content)).hexdigest()


class Noun(BaseModel):
    """A frozen value with a digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of this noun's content."""
        return digest_of(self.model_dump(mode="json"))


class Action(StrEnum):
    """What hands can do. Every one of them waits for a person."""

    refund = "refund"
    reship = "reship"
    hold = "hold"
    release = "release"
    cancel_reship = "cancel_reship"


class Measure(StrEnum):
    """What a team can be advised to do. No hands here take any of them."""

    suppress_recommendations = "suppress_recommendations"
    lower_ranking = "lower_ranking"
    change_message = "change_message"
    pause_ads = "pause_ads"
    set_backorder = "set_backorder"
    ask_for_method = "ask_for_method"

    @property
    def changes(self) -> bool:
        """Whether it changes what there is, and so has something to put back; who asks changes nothing."""
        return self is not Measure.ask_for_method


class Answer(StrEnum):
    """What a rule says. Missing evidence is `unknown`, never `no`."""

    yes = "yes"
    no = "no"
    unknown = "unknown"


class Verdict(StrEnum):
    """What a person rules."""

    approve = "approve"
    reject = "reject"


class EffectState(StrEnum):
    """Where a logical effect stands. `unknown` blocks every retry until a read settles it."""

    intended = "intended"
    sent = "sent"
    confirmed = "confirmed"
    refused = "refused"
    unknown = "unknown"


class Severity(StrEnum):
    """How soon somebody must look: sev1 in minutes, sev2 in hours, sev3 in a business day."""

    sev1 = "sev1"
    sev2 = "sev2"
    sev3 = "sev3"


class Money(Noun):
    """An amount in integer minor units (cents) of one ISO 4217 currency."""

    amount: int
    currency: str = Field(pattern=r"^[A-Z]{3}$")

    def __str__(self) -> str:
        from babel.numbers import format_currency, get_currency_precision

        units = self.amount / 10 ** get_currency_precision(self.currency)
        return str(format_currency(units, self.currency, format="¤¤ #,##0.00", locale="en"))


NO_SHOP = ""
"""Said where the id of a shop is asked for: none of the tower's file, but its one shop, or the tower itself."""
OF_SHOP = "shop:"
"""A source that is a shop of the tower's file begins with this, as in `shop:berlin`."""


class Shop(Noun):
    """Whose orders these are: identity, time zone, calendar country and home currency."""

    id: str
    time_zone: str
    country: str
    currency: str


class Finding(Noun):
    """One rule's answer about one subject, with the values it saw and the sentence that explains it."""

    kind: str
    subject: str = Field(
        validation_alias=AliasChoices("subject", "order_id"),  # which every subject once was
        description="what it is about: an order, a return, a product",
    )
    answer: Answer
    sentence: str
    values: dict[str, JsonValue]
    missing: tuple[str, ...] = ()
    ask: dict[str, str] = Field(default={}, description="whom to ask for each fact that is missing")


class Told(NamedTuple):
    """A finding, and every subject of which the very same is to be said."""

    finding: Finding
    subjects: tuple[str, ...]

    @property
    def named(self) -> str:
        """The first few subjects, and how many more."""
        more = len(self.subjects) - NAMED
        return ", ".join(self.subjects[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


NAMED = 3


def told_once(findings: Iterable[Finding]) -> list[Told]:
    """Findings that say the same of several subjects, once each, in the order of the first."""
    alike: dict[tuple[str, Answer, str, tuple[str, ...]], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.kind, finding.answer, finding.sentence, finding.missing), []).append(finding)
    return [Told(same[0], tuple(dict.fromkeys(one.subject for one in same))) for same in alike.values()]


class Link(Noun):
    """Something that orders share, as a card or a device, and some of the orders that share it."""

    hop: int = Field(description="1 where an order of the case shares it, 2 where a neighbour of one does")
    shares: str = Field(description="what sort of thing it is: customer, email, card, device, ip or address")
    value: str = Field(description="its hash or fingerprint")
    orders: int = Field(description="how many orders share it in all")
    own: tuple[str, ...] = Field(description="the orders that it is reached from: of the case, or neighbours of one")
    others: tuple[str, ...] = Field(description="the orders that it leads to")


class Evidence(Noun):
    """What is known of the subjects of one case: the facts that rules read, as they were at `as_of`."""

    as_of: AwareDatetime
    facts: tuple[dict[str, JsonValue], ...]
    tables: dict[str, str] = Field(description="digest of each accepted table by contract name")
    links: tuple[Link, ...] = Field(default=(), description="what its orders share with others")
    picture: str = Field(default="", description="digest of the links drawn; none, where there are none")


class Risk(Noun):
    """How bad a case is, by policy: severity, money at risk, urgency, and the policy that said so."""

    severity: Severity
    score: int
    money: Money | None
    due_at: AwareDatetime
    priority: float
    policy: str = Field(description="policy id and version, as in fulfilment@1")


class Advice(Noun):
    """One measure that policy advises a team to take. It is theirs to take, and nothing here does it for them."""

    kind: str
    subject: str
    action: Measure
    owner: str = Field(description="the team that can take it")
    reason: str
    evidence: dict[str, JsonValue] = Field(description="the facts that it rests on, with their values")
    expires_at: AwareDatetime = Field(description="from when on it is no longer advised, and what was done is undone")
    prior_of: str = Field(description="the fact that holds what the measure changes; empty where it changes nothing")
    prior: JsonValue = Field(description="its value when the advice was given")
    counter: str = Field(description="what puts the prior value back; empty where nothing is to be put back")


class Case(Noun):
    """One root cause: every finding that shares a pivot, with its owner and what it rests on."""

    id: str
    lane: str
    shop: str
    pivot: str = Field(description="what findings merged on, as in order:1001 or pickup:acme/2026-01-05/W1")
    kinds: tuple[str, ...]
    about: str = Field(default="order", description="what its subjects are: an order, a return")
    subjects: tuple[str, ...] = Field(description="the names of its subjects; orders, in a lane of orders")
    orders: tuple[str, ...] = Field(description="the orders concerned; none, where none is known")
    team: str
    owner: str = Field(description="the member of the team, as a seller or a warehouse; empty if none is known")
    findings: tuple[Finding, ...]
    advice: tuple[Advice, ...] = ()
    evidence: Evidence
    risk: Risk

    @model_validator(mode="before")
    @classmethod
    def _once_of_orders(cls, given: Any) -> Any:
        """A case from a book in which every subject was an order."""
        if isinstance(given, dict) and "subjects" not in given and "orders" in given:
            return given | {"subjects": given["orders"]}
        return given

    @cached_property
    def material(self) -> str:
        """Digest of what makes a change worth telling: never the passing of time alone."""
        worth = self.model_dump(mode="json", include={"pivot", "kinds", "subjects", "orders", "team", "owner"})
        money = self.risk.money.model_dump() if self.risk.money else None
        advised = [[each.subject, each.action, each.owner, each.prior] for each in self.advice]
        return digest_of([worth, self.risk.severity, money, self.risk.policy, *([advised] if advised else [])])

    @property
    def title(self) -> str:
        """One line that a person recognises the case by."""
        kinds = ", ".join(kind.replace("_", " ") for kind in self.kinds)
        name, _, of = self.pivot.partition(":")
        if len(self.subjects) > 1:
            of = f"{len(self.subjects)} {self.about}s, {self.pivot}"
        elif name != "order":
            of = f"{name} {of}"
        return f"{kinds} · {of}"


class Proposal(Noun):
    """One action that policy recommends, and everything an approval of it covers."""

    case_id: str
    lane: str
    shop: str
    source: str = Field(description="where its evidence comes from, as in shop or folder:PATH")
    mapping: str | None = None
    action: Action
    order_id: str
    subject: str = Field(default="", description="what the finding was about; the order, when empty")
    target: str = Field(description="what it acts on: an order, a return or a fulfilment")
    money: Money | None
    rests_on: dict[str, JsonValue] = Field(description="the facts that must still hold when it acts")
    evidence: str = Field(description="digest of what it rests on")
    policy: str
    reason: str
    customer: str = Field(default="", description="whose order it is; empty where the source does not say")
    requested_by: str = Field(default="", description="the person who asked for it; empty when policy did")
    undoes: str = Field(default="", description="the key of the effect that it takes back; empty for all others")
    as_of: AwareDatetime | None = Field(description="the moment of a replay; None when the lane ran on now")

    @cached_property
    def covered(self) -> dict[str, JsonValue]:
        """What a ruling covers: action, target, amount, currency, evidence, policy version, shop, what it undoes."""
        covered: dict[str, JsonValue] = {
            "case": self.case_id,
            "action": self.action.value,
            "order": self.order_id,
            "target": self.target,
            "amount": self.money.amount if self.money else None,
            "currency": self.money.currency if self.money else None,
            "evidence": self.evidence,
            "policy": self.policy,
        }
        if self.source.startswith(OF_SHOP):  # where several shops are, a ruling is on one of them
            covered |= {"shop": self.shop, "source": self.source}
        return covered | {"undoes": self.undoes} if self.undoes else covered

    @property
    def named_shop(self) -> str:
        """The id of the shop of the tower's file that it is about; empty where it is the tower's one shop."""
        return self.source.removeprefix(OF_SHOP) if self.source.startswith(OF_SHOP) else NO_SHOP

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what a ruling covers; the same proposal found again has the same digest."""
        return digest_of(self.covered)

    @property
    def id(self) -> str:
        """The first twelve characters of the digest: what a person types."""
        return self.digest[:12]


class Ruling(Noun):
    """What was ruled on one proposal digest: by whom, when, why, through which door, and by what authority."""

    proposal: str = Field(description="digest of the proposal")
    verdict: Verdict
    approver: str
    reason: str
    reason_code: str = ""
    via: str
    ruled_at: AwareDatetime
    amount: int | None = Field(default=None, description="minor units that may move, where a person asked for less")
    role: str = ""
    on_behalf_of: str = Field(default="", description="who delegated the role, if somebody did")
    seconded_by: str = Field(default="", description="the other person, where it takes two; they approved first")
    authority: str = Field(default="", description="authority policy and version, as in authority@1")


class Vote(Noun):
    """One person's approval of a proposal that takes more people: it waits for the others."""

    proposal: str
    approver: str
    needs: int = Field(description="how many more people it takes")
    at: AwareDatetime


class Effect(Noun):
    """One logical effect on a store and where it stands."""

    key: str = Field(description="unique for ever: the proposal's digest")
    action: Action
    order_id: str
    money: Money | None
    state: EffectState
    store_reference: str = ""
    detail: str = ""
    at: AwareDatetime

    @property
    def told(self) -> str:
        """What was done, in a line."""
        money = f" of {self.money}" if self.money else ""
        return f"{self.action}{money} on order {self.order_id}: {self.state} {self.store_reference}".strip()

    @property
    def markdown(self) -> str:
        """What was done, for the artifact."""
        return inert(self.told)


def as_json(moment: datetime) -> str:
    """A moment as ISO 8601 text in UTC."""
    from datetime import UTC

    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
