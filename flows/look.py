"""One look of a lane: from the evidence of a shop to the people who decide. Every lane's flow is this."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

from prefect import State

from control_tower.settings import settings
from control_tower.traces import tell as told_of
from flows.closed import closed
from flows.see import Sought, see, surveyed
from policies.terms import Rung
from tasks.advise import advise
from tasks.ask import ask
from tasks.lane import Lane
from tasks.neighbourhood import link
from tasks.note_look import note_look
from tasks.open_cases import form_cases, form_proposals, open_cases
from tasks.prepare import prepare
from tasks.recommend import recommend
from tasks.report import LaneReport, report
from tasks.score import score
from tasks.sight import has_watermark, leave
from tasks.stand_down import stand_down
from tasks.standing import rules_as_earned
from tasks.tell import breaches_told, tell

Looked: TypeAlias = LaneReport | State[Any]
"""What a look came to; a state where the calendar of its deployment left it out."""


def look(
    lane: Lane,
    source: str,
    mapping: str | None,
    as_of: datetime | None,
    dry_run: bool,
    *,
    only_changed: bool = False,
    all_daily: bool = False,
) -> Looked:
    """Gather, validate, detect, judge and score; then, unless it is a dry run, open cases, ask and tell.

    A lane that stands on `observe` stops there, too: it opens nothing, and asks and tells nobody.
    Where a model is configured, it prepares what people are shown; what was found and proposed is settled before.

    Args:
        source: `shop`, `folder:PATH` with a mapping, or `shop:ID` of the tower's shops.
        mapping: a mapping file, or the name of a shipped one.
        as_of: timezone-aware; nothing later is seen. Now, when left out.
        dry_run: find, score and report; open nothing.
        only_changed: look at what changed since the last look, at what time may move, and at nothing else. Of a lane
            that is `apart`, and now; else at everything, as the first look does, and any that can't be sure.
        all_daily: the first look of each of the shop's days is at everything all the same.
    """
    if skipped := closed(source):
        return skipped
    moment = (as_of or datetime.now(UTC)).astimezone(UTC)
    rules = rules_as_earned(lane.name, moment, source)
    told_of(flow=f"watch-{lane.name}", lane=lane.name, source=source.partition(":")[0], policy=rules.reference)
    sought = Sought(lane, source, mapping, moment, rules, live=as_of is None)
    lasting = lane.apart and sought.live and not dry_run and rules.rung is not Rung.observe
    with breaches_told(lane.name, source, moment):
        goes_on = lasting and (only_changed or has_watermark(lane.name, source))
        seen = see(
            sought, surveyed=surveyed(sought, only_changed=only_changed, all_daily=all_daily) if goes_on else None
        )
    accepted, facts, findings = seen.accepted, seen.facts, seen.findings
    scored = score(findings, facts, rules, accepted, seen.others)
    recommended = recommend(findings, facts, rules)
    advised = advise(findings, facts, rules, accepted) if any(rule.advise for rule in rules.rules) else None
    counted = (lane.name, accepted, findings, recommended, rules.kinds, rules.rung)
    orders = seen.looked.rows if seen.looked else None
    if dry_run:
        return report(*counted, advised=advised, dry_run=True)
    note_look(lane.name, source, accepted)
    if rules.rung is Rung.observe:
        stand_down(lane.name, accepted.shop.id)
        return report(*counted, advised=advised)
    linked = link(scored, accepted) if lane.linked else None
    cases = form_cases(scored, findings, facts, rules, accepted, advised, linked)
    proposals = form_proposals(recommended, cases, rules, source, mapping, accepted, replay=as_of is not None)
    opened = open_cases(lane.name, cases, proposals, findings, accepted, rules.rung, seen.looked)
    if seen.sight and not opened.looked_back:
        leave(lane.name, source, seen.basis, moment, seen.sight)
    if settings().model:
        prepare(lane.name, accepted.shop.id)
    ask(lane.name, accepted.shop.id)
    tell(lane.name, accepted, opened)
    return report(*counted, opened, advised, looked_at=orders, why_all=seen.why_all)
