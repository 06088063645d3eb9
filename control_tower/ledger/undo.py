"""Undo: the counter-action of an effect is a proposal like any other, asked for by a person and ruled on by another."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from control_tower.authority import Person, must_answer_for
from control_tower.errors import LedgerError, NotProved
from control_tower.ledger.approvers import person_of
from control_tower.ledger.database import Ledger
from control_tower.ledger.proofs import Proof, proved, wrong
from control_tower.ledger.rulings import proposal_row
from control_tower.ledger.tables import EffectRow, EventRow, ProposalRow
from control_tower.nouns import Action, EffectState, Proposal, digest_of
from control_tower.stores.protocol import HANDS, undoing


def propose_undo(ledger: Ledger, handle: str, by: Proof, why: str, now: datetime) -> Proposal:
    """Write down a proposal to take back what was done; nothing is done by it.

    Args:
        handle: the effect, by the proposal it came of: its digest, or the first characters.
        by: what proves who asks. Somebody else rules on it.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: they decide in other shops only.
        NotFound: no such proposal.
        LedgerError: it can't be taken back, there is nothing to take back, or it was asked before.
    """
    try:
        with ledger.write() as session:
            return _proposed(session, handle, person_of(proved(session, by, now)), why, now)
    except NotProved:
        wrong(ledger, by, now)
        raise


def _proposed(session: Session, handle: str, who: Person, why: str, now: datetime) -> Proposal:
    row, person = proposal_row(session, handle, lock=True), who.name
    before = Proposal.model_validate(row.body)
    must_answer_for(who, before.shop)
    effect = session.get(EffectRow, row.digest)
    where = f"effect {row.digest[:12]}"
    if not why.strip():
        raise LedgerError("it takes a reason to undo", where=where)
    if effect is None or effect.state != EffectState.confirmed.value:
        state = effect.state if effect else "not begun"
        raise LedgerError(f"it is {state}: there is nothing to undo", where=where, remedy="`tower effects` lists them")
    if not HANDS[effect.action].counter:
        raise LedgerError(undoing(effect.action), where=where)
    asked = _counter(before, effect, person, why)
    if there := session.get(ProposalRow, asked.digest):
        raise LedgerError(f"it was asked before, and {asked.id} is {there.standing}", where=where)
    session.add(
        ProposalRow(
            digest=asked.digest, case_id=asked.case_id, order_id=asked.order_id, standing="waiting",
            undoes=asked.undoes, opened_at=now, body=asked.model_dump(mode="json"),
        )
    )  # fmt: skip
    for subject in (f"effect:{effect.key}", f"case:{row.case_id}"):
        said = f"{person} asks for {asked.id}, a {asked.action}: {why}"
        session.add(EventRow(subject=subject, what="undo asked", detail=said[:1000], at=now))
    return asked


def _counter(before: Proposal, effect: EffectRow, person: str, why: str) -> Proposal:
    """What would take an effect back, resting on the effect and on what was captured of before."""
    rests_on = {"reference": effect.store_reference, "prior": dict(effect.prior)}
    return Proposal.model_validate(
        before.model_dump()
        | {
            "action": Action(HANDS[effect.action].counter),
            "target": effect.store_reference,
            "money": None,
            "rests_on": rests_on,
            "evidence": digest_of(rests_on),
            "reason": f"undoes the {effect.action} {effect.store_reference}: {why}"[:500],
            "requested_by": person,
            "undoes": effect.key,
            "as_of": None,
        }
    )
