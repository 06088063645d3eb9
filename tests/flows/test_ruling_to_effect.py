"""From a ruling to one effect: whoever wakes a run, only a ruling in the ledger moves money, and once."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Completed, Running, Scheduled

from control_tower.errors import AlreadyRuled
from control_tower.ledger.approvers import enrol, revoke
from control_tower.ledger.cases import find_proposal
from control_tower.ledger.effects import find_effect
from control_tower.nouns import Action, EffectState, Proposal, Verdict
from control_tower.pause import resume
from control_tower.stores.shop import sqlite_file


def run_of(tower: Any, proposal: Proposal) -> str:
    return str(find_proposal(tower.ledger, proposal.digest).flow_run_id)


def state_of(run: str) -> Any:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(run)).state


def test_an_approved_refund_is_paid_once_however_often_it_is_woken(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    before = watched.refunds(proposal.order_id)
    watched.rule(proposal)
    for _ in range(3):
        resume(run_of(watched, proposal))
        watched.work()
    assert watched.refunds(proposal.order_id) == [*before, proposal.money.amount]
    assert find_effect(watched.ledger, proposal.digest).state is EffectState.confirmed
    assert find_proposal(watched.ledger, proposal.digest).standing == "done"
    assert state_of(run_of(watched, proposal)).is_completed()


def test_an_approved_reship_and_an_approved_hold_reach_the_shop(watched: Any) -> None:
    for action in (Action.reship, Action.hold):
        proposal = watched.waiting(action)[0]
        watched.rule(proposal)
        resume(run_of(watched, proposal))
        watched.work()
        recorded = watched.shop.find(proposal.digest)
        assert (recorded.action, recorded.order_id) == (action.value, proposal.order_id)


def test_a_rejected_reship_leaves_no_trace_in_the_shop(watched: Any) -> None:
    proposal = watched.waiting(Action.reship)[0]
    watched.rule(proposal, Verdict.reject, reason="the carrier has found it")
    resume(run_of(watched, proposal))
    watched.work()
    assert watched.shop.find(proposal.digest) is None
    assert find_effect(watched.ledger, proposal.digest) is None
    assert find_proposal(watched.ledger, proposal.digest).standing == "rejected"


@pytest.mark.parametrize("forced", [None, Scheduled, Running, Completed])
def test_a_run_woken_or_forced_without_a_ruling_does_nothing(watched: Any, forced: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    before, run = watched.refunds(proposal.order_id), run_of(watched, proposal)
    if forced is None:
        resume(run)
    else:
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(UUID(run), forced(), force=True)
    watched.work()
    assert watched.refunds(proposal.order_id) == before
    assert find_effect(watched.ledger, proposal.digest) is None
    if forced in (None, Scheduled):
        assert state_of(run).is_paused(), "it waits again"
    watched.rule(proposal)
    resume(run)
    watched.work()
    paid = 0 if forced in (Running, Completed) else 1
    assert len(watched.refunds(proposal.order_id)) - len(before) == paid


def test_a_run_made_by_hand_with_a_proposals_parameters_does_nothing(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    before = watched.refunds(proposal.order_id)
    resolving = next(id for id, flow in watched.flows.items() if flow.name == "resolve-case")
    with get_client(sync_client=True) as client:
        made = client.create_flow_run_from_deployment(resolving, parameters={"proposal": proposal.digest})
    watched.work()
    assert watched.refunds(proposal.order_id) == before
    assert state_of(str(made.id)).is_paused()


def test_the_form_rules_like_the_command_does(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    token = enrol(watched.ledger, "bo", datetime.now(UTC))
    typed = {"approver": "bo", "token": token, "verdict": "approve", "reason": "seen in the form"}
    with get_client(sync_client=True) as client:
        client.resume_flow_run(UUID(run_of(watched, proposal)), run_input=typed)
    watched.work()
    effect = find_effect(watched.ledger, proposal.digest)
    assert effect.state is EffectState.confirmed
    with pytest.raises(AlreadyRuled, match="bo ruled first: approve, by form"):
        watched.rule(proposal)


def test_a_wrong_token_in_the_form_pauses_again_and_says_why(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    enrol(watched.ledger, "cy", datetime.now(UTC))
    run = run_of(watched, proposal)
    typed = {"approver": "cy", "token": "tower_forged", "verdict": "approve", "reason": ""}
    with get_client(sync_client=True) as client:
        client.resume_flow_run(UUID(run), run_input=typed)
    watched.work()
    assert state_of(run).is_paused()
    assert find_effect(watched.ledger, proposal.digest) is None
    with get_client(sync_client=True) as client:
        rows = client.filter_flow_run_input(UUID(run), key_prefix="", limit=100, exclude_keys=set())
    descriptions = [row.value for row in rows if row.key.endswith("description")]
    assert any("do not prove an enrolled approver" in text for text in descriptions), [row.key for row in rows] + [
        d[:300] for d in descriptions
    ]
    assert not any("tower_forged" in row.value for row in rows)


def test_when_the_evidence_has_changed_the_ruling_is_void(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    watched.rule(proposal)
    with sqlite3.connect(sqlite_file(watched.settings.shop)) as shop:
        shop.execute(
            "UPDATE payments SET amount = amount - 100 WHERE payment_id ="
            " (SELECT min(payment_id) FROM payments WHERE order_id = ? AND amount > 200)",
            (proposal.order_id,),
        )
    before = watched.refunds(proposal.order_id)
    resume(run_of(watched, proposal))
    watched.work()
    assert watched.refunds(proposal.order_id) == before
    row = find_proposal(watched.ledger, proposal.digest)
    assert row.standing == "void"
    assert "refundable_amount was" in row.detail
    watched.watch(as_of=None)
    fresh = [each for each in watched.waiting(Action.refund) if each.order_id == proposal.order_id]
    assert [each.money.amount for each in fresh] == [proposal.money.amount - 100]


def test_an_approver_revoked_after_the_ruling_moves_no_money(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    watched.rule(proposal, name="rae")
    revoke(watched.ledger, "rae", datetime.now(UTC))
    before = watched.refunds(proposal.order_id)
    resume(run_of(watched, proposal))
    watched.work()
    assert watched.refunds(proposal.order_id) == before
    assert find_effect(watched.ledger, proposal.digest) is None
    assert "no authority any more" in find_proposal(watched.ledger, proposal.digest).detail
