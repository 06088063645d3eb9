"""See: what a look finds in the evidence, at one go or part by part. Nothing is decided about a case yet."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from control_tower.errors import SettingError
from control_tower.keeping import Kept
from control_tower.settings import settings
from policies import Policy
from tasks.detect import detect
from tasks.divide import divide
from tasks.entitle import entitle
from tasks.gather import gather
from tasks.join_parts import join_parts
from tasks.judge import judge
from tasks.lane import Lane
from tasks.score import Others
from tasks.shadow import shadow
from tasks.spread import spread
from tasks.validate import Accepted, validate

PART = 250_000  # orders, where a cluster is named and nothing else is said


class Seen(NamedTuple):
    """The evidence that was accepted, the facts that it gives, and what rules answer about them.

    In parts, the facts are those of subjects about which anything was found, and the `others` are counted.
    """

    accepted: Accepted
    facts: Kept
    findings: Kept
    others: Others | None = None


def see(lane: Lane, source: str, mapping: str | None, as_of: datetime, rules: Policy, *, live: bool) -> Seen:
    """Gather, validate, detect and judge: all together, or in parts where `TOWER_PART_ORDERS` or `TOWER_DASK` is set.

    A lane whose subjects are compared with one another can't be divided, and is seen whole.

    Raises:
        ContractBreach: a whole table can't be relied on.
    """
    size = settings().part_orders or (PART if settings().dask else None)
    if size and lane.apart:
        return in_parts(lane, source, mapping, as_of, rules, size, live=live)
    return whole(lane, source, mapping, as_of, rules, live=live)


def whole(lane: Lane, source: str, mapping: str | None, as_of: datetime, rules: Policy, *, live: bool) -> Seen:
    """Every step over all of the evidence."""
    accepted = validate(gather(source, mapping, lane.tables, as_of, live=live))
    facts = detect(accepted, lane.signals, rules)
    if rules.conclusions:
        facts = entitle(facts, rules, as_of)
    findings = judge(facts, rules, as_of)
    shadow(facts, rules, accepted)
    return Seen(accepted, facts, findings)


def in_parts(
    lane: Lane, source: str, mapping: str | None, as_of: datetime, rules: Policy, part_orders: int, *, live: bool
) -> Seen:
    """The same steps over the orders of some days at a time, and what is found put together.

    Raises:
        SettingError: the lane's subjects can't be told apart.
    """
    if not lane.apart:
        raise SettingError(f"{lane.name} compares its subjects with one another", remedy="look at it whole")
    divided = divide(source, mapping, lane.tables, as_of, part_orders, live=live)
    joined = join_parts(spread(divided, lane.signals, rules, as_of), rules)
    return Seen(joined.accepted, joined.facts, joined.findings, joined.others)
