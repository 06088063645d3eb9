"""Authorise: find the ruling, through whichever door it came, and get leave to act from the ledger."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.errors import AlreadyRuled, NoAuthority, TowerError
from control_tower.ledger import open_ledger
from control_tower.ledger import rulings as book
from control_tower.ledger.authorised import Authorised
from control_tower.ledger.authorised import authorise as leave_to_act
from control_tower.ledger.cases import note
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.proofs import Code
from control_tower.ledger.proposals import find_proposal
from control_tower.markdown import inert
from control_tower.nouns import Proposal, Ruling, Verdict, Vote
from control_tower.pause import answer, pause_again
from control_tower.settings import settings
from control_tower.traces import end_span, tell, traced
from tasks.authority import authority_over, in_minor_units, ruling_choices
from tasks.brief import brief
from tasks.prepare import brief_for


@traced
def take_ruling(proposal: str) -> tuple[Ruling | None, str]:
    """The ruling on a proposal, taking one from Prefect's form if the form was filled in.

    Not a step: what is typed into the form holds a one-time code, and inputs of steps are kept.

    Returns:
        The ruling, or None and why what was typed is none.
    """
    ledger = open_ledger(settings().ledger)
    typed = answer()
    refusal = "" if typed is None else "the form was left empty"
    if typed and typed.approver.strip():
        try:
            asked = Proposal.model_validate(find_proposal(ledger, proposal).body)
            said = book.rule(
                ledger,
                proposal,
                Verdict(typed.verdict),
                by=Code(typed.approver, typed.code),
                authority=authority_over(asked),
                reason=typed.reason,
                reason_code=typed.why,
                amount=in_minor_units(asked, typed.amount),
                via="form",
                now=datetime.now(UTC),
            )
            if isinstance(said, Vote):
                refusal = f"{said.approver} has approved it, and it takes {said.needs} more"
        except AlreadyRuled as late:
            note(ledger, f"proposal:{proposal}", "late answer", str(late), datetime.now(UTC))
        except TowerError as fault:
            refusal = f"{fault.what}; {fault.remedy}" if isinstance(fault, NoAuthority) else fault.what
    return book.find_ruling(ledger, proposal), refusal


def wait_on(proposal: str, refusal: str) -> str:
    """Pause again: this run was woken without a ruling. Says so, in the form and in the book.

    Returns only when the proposal waits for nobody any more.
    """
    ledger = open_ledger(settings().ledger)
    row = find_proposal(ledger, proposal)
    if row.standing != "waiting":
        return f"nothing was done: the proposal is {row.standing}: {row.detail}"
    why = refusal or "nobody has ruled"
    note(ledger, f"proposal:{proposal}", "woken without a ruling", why, datetime.now(UTC))
    held = dossier(ledger, row.case_id)
    text = brief(held.case, (Proposal.model_validate(row.body),), brief_for(ledger, held.case))
    tell(outcome="waits")
    end_span()
    reasons = ruling_choices(Proposal.model_validate(row.body))
    pause_again(f"**Nothing was done: {inert(why)}.** This run waits for a ruling.\n\n{text}", reasons=reasons)
    return "waiting"


@traced
def authorise(proposal: str) -> Authorised:
    """Leave to act, from the ledger alone.

    Raises:
        NoAuthority: no ruling covers the proposal as it stands at this moment.
    """
    ledger = open_ledger(settings().ledger)
    asked = Proposal.model_validate(find_proposal(ledger, proposal).body)
    return leave_to_act(ledger, proposal, authority_over(asked), datetime.now(UTC))
