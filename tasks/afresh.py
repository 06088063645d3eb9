"""Afresh: a ruling that is void is no end. What policy recommends now waits for a person again."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.keeping.step import step
from control_tower.ledger import open_ledger
from control_tower.ledger.proposals import find_proposal, paused_as
from control_tower.ledger.waiting import ask_again, propose_afresh
from control_tower.nouns import Proposal
from control_tower.pause import open_pauses
from control_tower.settings import settings
from tasks.ask import request_for


@step(touches="the ledger")
def open_afresh(proposal: str, fresh: Proposal, changed: str) -> str:
    """Open what is recommended now, in place of a proposal whose evidence has changed."""
    ledger = open_ledger(settings().ledger)
    propose_afresh(ledger, proposal, fresh, changed, datetime.now(UTC))
    row = find_proposal(ledger, fresh.digest)
    if row.standing == "waiting":
        paused_as(ledger, open_pauses([request_for(ledger, fresh.digest)]))
    return f"{fresh.id} waits in place of {proposal[:12]}: {changed}"


@step(touches="the ledger")
def ask_anew(proposal: str, why: str) -> str:
    """Ask again about a proposal that holds, and whose ruling no longer does."""
    ask_again(open_ledger(settings().ledger), proposal, f"the ruling is void: {why}", datetime.now(UTC))
    return f"the ruling is void: {why}; it waits for another"
