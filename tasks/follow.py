"""Follow: let the trace of a run say which case, and which proposal, it is about."""

from __future__ import annotations

from contextlib import suppress

from control_tower.errors import NotFound
from control_tower.ledger import open_ledger
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Proposal
from control_tower.settings import settings
from control_tower.traces import tell, tracing


def follow(proposal: str) -> None:
    """Tell it on the span of this run, where it is traced; every span inside the run tells it too."""
    if not tracing():
        return
    tell(flow="resolve-case", proposal=proposal)
    with suppress(NotFound):
        asked = Proposal.model_validate(find_proposal(open_ledger(settings().ledger), proposal).body)
        tell(case_id=asked.case_id, lane=asked.lane, shop=asked.shop, policy=asked.policy, action=asked.action.value)
