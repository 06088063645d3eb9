"""See: what a look finds in the evidence: of all of it, part by part, or of what changed. No case is touched yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from control_tower.keeping import Kept
from control_tower.settings import settings
from control_tower.traces import tell as told_of
from policies import Policy
from tasks.beside import beside
from tasks.detect import detect
from tasks.divide import Part, divide
from tasks.entitle import entitle
from tasks.gather import gather
from tasks.join_parts import join_parts
from tasks.judge import judge
from tasks.lane import Lane
from tasks.part import look_at_part
from tasks.rest import rest
from tasks.score import Others
from tasks.shadow import shadow
from tasks.sight import Sight, sight_of_whole
from tasks.spread import spread
from tasks.survey import Survey, survey
from tasks.ties import with_tied
from tasks.validate import Accepted, validate

PART = 250_000  # orders, where a cluster is named and nothing else is said
ROUNDS = 5
"""How often more orders may turn out to be tied to those that changed, before everything is looked at."""


@dataclass(frozen=True)
class Seen:
    """The evidence that was accepted, the facts that it gives, and what rules answer about them.

    Attributes:
        facts: in parts, only of the subjects about which anything was found.
        others: of the subjects that are not in `facts`, how many could share a cause with those that are.
        looked: the orders that were looked at, where these are not all.
        why_all: why they are all, where only what changed was to be looked at.
        basis, sight: what the next look needs, where one is to go on from here.
    """

    accepted: Accepted
    facts: Kept
    findings: Kept
    others: Others | None = None
    looked: Kept | None = None
    why_all: str = ""
    basis: str = ""
    sight: Sight | None = None


@dataclass(frozen=True)
class Sought:
    """What a look is to see: a lane's evidence in a source as of a moment, by the rules in force."""

    lane: Lane
    source: str
    mapping: str | None
    as_of: datetime
    rules: Policy
    live: bool


def see(sought: Sought, *, surveyed: Survey | None = None) -> Seen:
    """Gather, validate, detect and judge.

    In parts where `TOWER_PART_ORDERS` or `TOWER_DASK` is set, but for a lane whose subjects are compared with one
    another, which is seen whole; and of what changed alone where a survey says so.

    Raises:
        ContractBreach: a whole table can't be relied on.
    """
    if surveyed is None:
        return _all(sought, None)
    seen = changed(sought, surveyed) if surveyed.orders else surveyed.whole
    if isinstance(seen, str):
        seen = replace(_all(sought, surveyed), why_all=seen)
    return replace(seen, basis=surveyed.basis)


def surveyed(sought: Sought, *, only_changed: bool, all_daily: bool) -> Survey:
    """What of the source a look has to see."""
    lane = sought.lane
    given = (lane.name, sought.source, sought.mapping, lane.tables, lane.signals, sought.rules, sought.as_of)
    return survey(*given, only_changed, all_daily)


def _all(sought: Sought, surveyed: Survey | None) -> Seen:
    size = settings().part_orders or (PART if settings().dask else None)
    return in_parts(sought, size, surveyed) if size and sought.lane.apart else whole(sought, surveyed)


def whole(sought: Sought, surveyed: Survey | None) -> Seen:
    """Every step over all of the evidence."""
    lane, rules, as_of = sought.lane, sought.rules, sought.as_of
    accepted = validate(gather(sought.source, sought.mapping, lane.tables, as_of, live=sought.live))
    told_of(shop=accepted.shop.id)
    facts = detect(accepted, lane.signals, rules)
    if rules.conclusions:
        facts = entitle(facts, rules, as_of)
    findings = judge(facts, rules, as_of)
    shadow(facts, rules, accepted)
    if surveyed is None:
        return Seen(accepted, facts, findings)
    restless = rest(facts, accepted, rules, as_of)
    sight = sight_of_whole(accepted, (facts,), restless, surveyed.tides)
    return Seen(accepted, facts, findings, sight=sight)


def in_parts(sought: Sought, part_orders: int, surveyed: Survey | None) -> Seen:
    """The same steps over the orders of some days at a time, and what is found put together."""
    lane, rules, as_of = sought.lane, sought.rules, sought.as_of
    divided = divide(sought.source, sought.mapping, lane.tables, as_of, part_orders, live=sought.live)
    told_of(shop=divided.parts[0].gathered.shop.id)
    joined = join_parts(spread(divided, lane.signals, rules, as_of, rests=surveyed is not None), rules)
    seen = Seen(joined.accepted, joined.facts, joined.findings, joined.others)
    if surveyed is None or joined.restless is None:
        return seen
    sight = sight_of_whole(joined.accepted, joined.every, joined.restless, surveyed.tides)
    return replace(seen, sight=sight)


def changed(sought: Sought, surveyed: Survey) -> Seen | str:
    """The same steps over the orders that a survey names, and those tied to them; or why that is not enough."""
    lane, rules, as_of, orders = sought.lane, sought.rules, sought.as_of, surveyed.orders
    assert orders is not None and surveyed.before is not None  # noqa: S101 - narrows the types
    for _ in range(ROUNDS):
        gathered = gather(sought.source, sought.mapping, lane.tables, as_of, live=sought.live, chosen=orders)
        told_of(shop=gathered.shop.id)
        tied = with_tied(sought.source, sought.mapping, gathered, orders)
        if tied == orders:
            break
        orders = tied
    else:
        return "ever more orders are tied to those that changed"
    part = Part(number=0, since=as_of.date(), until=as_of.date(), gathered=gathered)
    found = look_at_part(part, lane.signals, rules, as_of, True)
    known = beside(found, orders, surveyed.before, rules, surveyed.tides)
    if known.doubt:
        return f"a look at everything might stop: {known.doubt}"
    return Seen(found.accepted, found.facts, found.findings, known.others, looked=orders, sight=known.sight)
