"""What happens once a person has ruled: look again, act if it still holds, and settle."""

from __future__ import annotations

from prefect import flow

from control_tower.errors import AuthorityLost, CapReached, NoAuthority
from control_tower.nouns import Verdict
from flows.lanes import find_lane
from tasks.act import ByHand, act
from tasks.afresh import ask_anew, open_afresh
from tasks.authorise import authorise, take_ruling, wait_on
from tasks.follow import follow
from tasks.look_again import look_again
from tasks.settle import by_hand, reject, settle, void
from tasks.tell import tell_case


@flow(name="resolve-case", persist_result=False)
def resolve_case(proposal: str) -> str:
    """Carry out one proposal, if a ruling in the ledger covers it. Resume is a wake-up and no more.

    Args:
        proposal: the digest of the proposal. Whatever else woke this run has no say.
    """
    follow(proposal)
    ruling, refusal = take_ruling(proposal)
    if ruling is None:
        return wait_on(proposal, refusal)
    outcome = reject(proposal) if ruling.verdict is Verdict.reject else carry_out(proposal)
    tell_case(proposal)
    return outcome


def carry_out(proposal: str) -> str:
    """What an approval leads to: one effect; none below the rung `act`; a void ruling when the evidence changed."""
    try:
        leave = authorise(proposal)
    except AuthorityLost as lost:
        return wait_on(proposal, ask_anew(proposal, lost.what))
    except NoAuthority as refusal:
        return void(proposal, refusal.what)
    changed, fresh = look_again(leave, find_lane(leave.proposal.lane))
    if fresh:
        open_afresh(proposal, fresh, changed)
    if changed:
        return void(proposal, changed)
    try:
        acted = act(leave)
    except CapReached as cap:
        return void(proposal, cap.what)
    return by_hand(proposal, acted.why) if isinstance(acted, ByHand) else settle(proposal, acted)
