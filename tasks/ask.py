"""Ask: open a paused run for each proposal that waits. No process runs while it waits."""

from __future__ import annotations

from control_tower.batches import batches
from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.proposals import find_proposal, paused_as, unopened, withdrawn
from control_tower.model.briefs import Brief
from control_tower.nouns import Case, Noun, Proposal
from control_tower.pause import PauseRequest, open_pauses
from control_tower.pause.calling_off import call_off
from control_tower.settings import settings
from tasks.authority import ruling_choices
from tasks.brief import brief
from tasks.prepare import brief_for, briefs_for


class Asked(Noun):
    """Which flow run waits for which proposal: digest to flow run id."""

    runs: dict[str, str]

    @property
    def markdown(self) -> str:
        """How many, for the artifact."""
        return f"{len(self.runs)} paused runs opened; each waits for a person"


@step(touches="Prefect")
def ask(lane: str, shop: str) -> Asked:
    """Open a run, born suspended, for each waiting proposal of this lane and shop that has none.

    The runs of proposals that were withdrawn are called off.
    """
    ledger = open_ledger(settings().ledger)
    gone = withdrawn(ledger, lane, shop)
    call_off(dict(gone.values()))
    paused_as(ledger, dict.fromkeys(gone))
    opened: dict[str, str] = {}
    waiting = [
        (Case.model_validate(case.body), Proposal.model_validate(row.body))
        for case, row in unopened(ledger, lane, shop)
    ]
    for batch in batches(waiting, 200):  # written down as we go: a killed run does not ask twice
        briefs = briefs_for(ledger, settings(), [case for case, _ in batch])
        runs = open_pauses([request(case, proposal, briefs[case.id]) for case, proposal in batch])
        paused_as(ledger, runs)
        opened |= runs
    return Asked(runs=opened)


def request_for(ledger: Ledger, digest: str) -> PauseRequest:
    """The paused run of a proposal in the book."""
    row = find_proposal(ledger, digest)
    case = dossier(ledger, row.case_id).case
    return request(case, Proposal.model_validate(row.body), brief_for(ledger, case))


def request(case: Case, proposal: Proposal, prepared: Brief | None = None) -> PauseRequest:
    """The paused run of one proposal: its name, its form's description and its parameters."""
    tags = [f"lane:{proposal.lane}", f"action:{proposal.action}", f"case:{case.id}"]
    return PauseRequest(
        proposal_id=proposal.digest,
        name=f"{proposal.action}-{proposal.order_id}-{proposal.id}"[:120],
        description_markdown=brief(case, (proposal,), prepared),
        parameters={"proposal": proposal.digest},
        tags=[*tags, *([f"shop:{proposal.shop}"] if proposal.named_shop else [])],
        key=f"ruling-{proposal.id}",
        reasons=ruling_choices(proposal),
    )
