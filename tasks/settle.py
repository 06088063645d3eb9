"""Settle: write down how a proposal ended."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.errors import OutcomeUnknown
from control_tower.keeping.step import step
from control_tower.ledger import open_ledger
from control_tower.ledger.cases import note
from control_tower.ledger.proposals import find_proposal, settle_proposal
from control_tower.ledger.rulings import find_ruling
from control_tower.nouns import Effect, EffectState, Proposal
from control_tower.settings import settings


@step(touches="the ledger")
def settle(proposal: str, effect: Effect) -> str:
    """Close the book on a proposal: done, or refused by the store.

    Raises:
        OutcomeUnknown: the effect may or may not have happened; the proposal stays open until a read settles it.
    """
    if effect.state is EffectState.unknown:
        raise OutcomeUnknown(
            f"{effect.action} on order {effect.order_id}: {effect.detail}",
            remedy="it is read again on the next run",
        )
    standing = "done" if effect.state is EffectState.confirmed else "refused"
    said = f"{effect.action} {effect.state.value} {effect.store_reference} {effect.detail}".strip()
    ledger, now = open_ledger(settings().ledger), datetime.now(UTC)
    settle_proposal(ledger, proposal, standing, said, now)
    undoes = Proposal.model_validate(find_proposal(ledger, proposal).body).undoes
    if undoes and standing == "done":
        note(ledger, f"effect:{undoes}", "undone", said, now)
    return said


@step(touches="the ledger")
def reject(proposal: str) -> str:
    """A person said no: nothing is done, and the ruling is the last word on this proposal."""
    ruling = find_ruling(open_ledger(settings().ledger), proposal)
    return f"rejected by {ruling.approver}: {ruling.reason}" if ruling else "rejected"


@step(touches="the ledger")
def by_hand(proposal: str, why: str) -> str:
    """A person approved it, and the lane has no hands: whoever approved it does it, and the book says so."""
    settle_proposal(open_ledger(settings().ledger), proposal, "by hand", why, datetime.now(UTC))
    return f"by hand: {why}"


@step(touches="the ledger")
def void(proposal: str, changed: str) -> str:
    """Void the ruling: what it rested on has changed. What was left to a person's hands stays theirs."""
    ledger = open_ledger(settings().ledger)
    row = find_proposal(ledger, proposal)
    if row.standing == "by hand":
        return f"by hand: {row.detail}"
    said = f"the ruling is void: {changed}"
    settle_proposal(ledger, proposal, "void", said, datetime.now(UTC))
    return said
