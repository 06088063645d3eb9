"""Look again: gather the evidence of one order anew, and say what the proposal rested on that has changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from control_tower.errors import ContractBreach
from control_tower.keeping.step import open_archive
from control_tower.ledger import open_ledger
from control_tower.ledger.authorised import Authorised
from control_tower.ledger.effects import find_effect
from control_tower.nouns import EffectState, Money, Proposal, digest_of
from control_tower.settings import settings
from control_tower.shops import settings_of
from control_tower.stores import open_store
from control_tower.stores.protocol import Standing
from control_tower.traces import traced
from policies import policy
from policies.terms import Rung
from tasks.detect import detect
from tasks.entitle import entitle
from tasks.gather import gather
from tasks.judge import judge
from tasks.lane import Lane
from tasks.open_cases import plain_rows
from tasks.recommend import recommend
from tasks.validate import validate


class Looked(NamedTuple):
    """What has changed since a proposal was made, and what policy recommends in its place, if anything."""

    changed: str = ""
    fresh: Proposal | None = None


@traced
def look_again(leave: Authorised, watched: Lane) -> Looked:
    """What has changed since the proposal was made; nothing when everything it rests on still holds.

    The same lane looks at the same order again, and must recommend the very same thing: action,
    target, amount, evidence and policy. An effect of our own that already happened is no change.
    """
    proposal = leave.proposal
    begun = find_effect(open_ledger(settings().ledger), proposal.digest)
    if begun and begun.state is not EffectState.intended:
        return Looked()
    if proposal.undoes:
        return Looked(_undone_meanwhile(proposal))
    moment = proposal.as_of or datetime.now(UTC)
    # What has changed is asked here; on which rung the lane stands, the hands ask last of all.
    rules = policy(proposal.lane, moment, settings_of(proposal.source, settings()).policies).on(Rung.act)
    if rules.reference != proposal.policy:
        return Looked(f"the policy in force is {rules.reference}, not {proposal.policy}")
    live, only = proposal.as_of is None, () if watched.whole else (proposal.order_id,)
    try:
        accepted = validate(gather(proposal.source, proposal.mapping, watched.tables, moment, only, live))
    except ContractBreach as breach:
        if breach.rule.endswith(".minimum_rows"):  # the order is gone, or not to be relied on any more
            return Looked(f"order {proposal.order_id} has no evidence to rely on")
        raise
    facts = detect(accepted, watched.signals, rules)
    if rules.conclusions:
        facts = entitle(facts, rules, moment)
    found = recommend(judge(facts, rules, moment), facts, rules)
    archive = open_archive(settings().artifacts)
    subject = proposal.subject or proposal.order_id
    known = [row for row in plain_rows(archive.frame(facts)) if row[rules.subject] == subject]
    mine = [row for row in plain_rows(archive.frame(found)) if row["subject"] == subject]
    changed = _difference(proposal, mine, known[0] if known else {})
    same = [row for row in mine if row["action"] == proposal.action and row["target"] == proposal.target]
    return Looked(changed, _afresh(proposal, same[0]) if changed and same else None)


def _undone_meanwhile(proposal: Proposal) -> str:
    """What has changed of an effect since somebody asked to take it back; nothing while the store still shows it."""
    tower = settings()
    effect = find_effect(open_ledger(tower.ledger), proposal.undoes)
    if effect is None or effect.state is not EffectState.confirmed:
        return f"what it undoes is {effect.state if effect else 'gone'}"
    shown = open_store(proposal.source, tower).effects(proposal.undoes, proposal.order_id)
    if not any(each.reference == proposal.target and each.standing is Standing.done for each in shown):
        return f"the store shows no {effect.action} {proposal.target} any more"
    return ""


def _afresh(proposal: Proposal, row: dict[str, Any]) -> Proposal:
    """The proposal as policy would make it now."""
    rests_on = json.loads(row["rests_on"])
    return Proposal.model_validate(
        proposal.model_dump()
        | {
            "money": Money(amount=int(row["amount"]), currency=row["currency"]) if row["amount"] is not None else None,
            "rests_on": rests_on,
            "evidence": digest_of(rests_on),
            "reason": row["reason"],
        }
    )


def _difference(proposal: Proposal, found: list[dict[str, Any]], facts: dict[str, Any]) -> str:
    for row in found:
        same_amount = row["amount"] == (proposal.money.amount if proposal.money else None)
        same = row["action"] == proposal.action and row["target"] == proposal.target
        if same and same_amount and json.loads(row["rests_on"]) == proposal.rests_on:
            return ""
    changes = [
        f"{name} was {before}, is {facts.get(name)}"
        for name, before in proposal.rests_on.items()
        if facts.get(name) != before
    ]
    return "; ".join(changes) or f"policy no longer recommends a {proposal.action}"
