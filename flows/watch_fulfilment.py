"""The fulfilment lane: orders that are not moving as promised, and what a person might do about them."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow

from policies import policy
from tasks.ask import ask
from tasks.detect import detect
from tasks.gather import gather
from tasks.judge import judge
from tasks.lane import lane
from tasks.open_cases import form_cases, form_proposals, open_cases
from tasks.recommend import recommend
from tasks.report import LaneReport, report
from tasks.score import score
from tasks.shadow import shadow
from tasks.tell import breaches_told, tell
from tasks.validate import validate

LANE = lane(
    "fulfilment",
    __file__,
    "orders",
    "order_lines",
    "payments",
    "promises",
    "fulfillments",
    "shipment_events",
    "holds",
    "refunds",
)


@flow(name="watch-fulfilment", persist_result=False)
def watch_fulfilment(
    source: str = "shop", mapping: str | None = None, as_of: datetime | None = None, dry_run: bool = False
) -> LaneReport:
    """Find the orders that are not moving as promised, and ask a person what to do.

    Args:
        source: `shop`, or `folder:PATH` with a mapping.
        mapping: a mapping file, or the name of a shipped one.
        as_of: timezone-aware; nothing later is seen. Now, when left out.
        dry_run: find, score and report; open nothing.
    """
    moment = as_of or datetime.now(UTC)
    rules = policy(LANE.name, moment)
    with breaches_told(LANE.name, source):
        accepted = validate(gather(source, mapping, LANE.tables, moment, live=as_of is None))
    facts = detect(accepted, LANE.signals, rules)
    findings = judge(facts, rules, moment)
    shadow(facts, rules, accepted)
    scored = score(findings, facts, rules, accepted)
    recommended = recommend(findings, facts, rules)
    if dry_run:
        return report(LANE.name, accepted, findings, recommended, rules.kinds)
    cases = form_cases(scored, findings, facts, rules, accepted)
    proposals = form_proposals(recommended, cases, rules, source, mapping, accepted, replay=as_of is not None)
    opened = open_cases(LANE.name, cases, proposals, findings, accepted)
    ask(LANE.name, accepted.shop.id)
    tell(LANE.name, accepted, opened)
    return report(LANE.name, accepted, findings, recommended, rules.kinds, opened)
