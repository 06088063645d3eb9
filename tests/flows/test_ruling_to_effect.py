"""From a ruling to one effect: whoever wakes a run, only a ruling in the ledger moves money, and once."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.states import Completed, Running, Scheduled
from sqlalchemy import select

from control_tower.errors import AlreadyRuled
from control_tower.ledger.approvers import enrol, revoke
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Action, EffectState, Proposal, Verdict
from control_tower.pause import resume
from control_tower.slack.tables import OutboxMessage
from control_tower.stores.shop import sqlite_file
from policies.authority import SHIPPED
from tests.flows.conftest import code_of


def run_of(tower: Any, proposal: Proposal) -> str:
    return str(find_proposal(tower.ledger, proposal.digest).flow_run_id)


def state_of(run: str) -> Any:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(run)).state


def form_of(run: str) -> str:
    """What the newest form of a run says above its fields."""
    with get_client(sync_client=True) as client:
        rows = client.filter_flow_run_input(UUID(run), key_prefix="", limit=100, exclude_keys=set())
    return "\n".join(row.value for row in rows if row.key.endswith("description"))


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "forced",
    [None, pytest.param(Scheduled, marks=pytest.mark.large), pytest.param(Running, marks=pytest.mark.large), Completed],
)
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
    code = code_of(enrol(watched.ledger, "bo", datetime.now(UTC)))
    typed = {"approver": "bo", "code": code, "ruling": "approve", "reason": "seen in the form"}
    with get_client(sync_client=True) as client:
        client.resume_flow_run(UUID(run_of(watched, proposal)), run_input=typed)
    watched.work()
    effect = find_effect(watched.ledger, proposal.digest)
    assert effect.state is EffectState.confirmed
    with pytest.raises(AlreadyRuled, match="bo ruled first: approve, by form"):
        watched.rule(proposal)


def test_a_wrong_code_in_the_form_pauses_again_and_says_why(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    enrol(watched.ledger, "cy", datetime.now(UTC))
    run = run_of(watched, proposal)
    typed = {"approver": "cy", "code": "000000", "ruling": "approve", "reason": ""}
    with get_client(sync_client=True) as client:
        client.resume_flow_run(UUID(run), run_input=typed)
    watched.work()
    assert state_of(run).is_paused()
    assert find_effect(watched.ledger, proposal.digest) is None
    assert "do not prove an enrolled approver" in form_of(run)


def fill_in(run: str, **typed: Any) -> None:
    with get_client(sync_client=True) as client:
        answered = client.resume_flow_run(UUID(run), run_input=typed)
    assert answered.status.value == "ACCEPT", answered


def test_less_than_was_proposed_is_paid_when_the_form_says_less(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    before, less = watched.refunds(proposal.order_id), proposal.money.amount - 1
    code = code_of(enrol(watched.ledger, "del", datetime.now(UTC)))
    fill_in(run_of(watched, proposal), approver="del", code=code, ruling="approve: goodwill", amount=less / 100)
    watched.work()
    assert watched.refunds(proposal.order_id) == [*before, less]
    assert find_proposal(watched.ledger, proposal.digest).standing == "done"


def test_an_amount_over_the_limit_in_the_form_pauses_again_and_says_who_may(watched: Any, poor: None) -> None:
    proposal = watched.waiting(Action.refund)[0]
    code = code_of(enrol(watched.ledger, "eve", datetime.now(UTC)))
    run = run_of(watched, proposal)
    fill_in(run, approver="eve", code=code, ruling="approve")
    watched.work()
    assert state_of(run).is_paused()
    assert find_effect(watched.ledger, proposal.digest) is None
    said = form_of(run)
    assert "is over the limit of approver, EUR 0.01" in said and "ask lead or finance" in said


@pytest.fixture
def poor(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority that lets an approver move a cent."""
    file = tmp_path / "authority.yaml"
    file.write_text(SHIPPED.read_text().replace("each: {EUR: 100000", "each: {EUR: 1", 1))
    monkeypatch.setenv("TOWER_AUTHORITY", str(file))


def test_nobody_approves_their_own_order_through_the_form(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    assert proposal.customer, "the shop says whose order it is"
    before, run = watched.refunds(proposal.order_id), run_of(watched, proposal)
    gus = enrol(watched.ledger, "gus", datetime.now(UTC), roles=("finance",), customers=(proposal.customer,))
    fill_in(run, approver="gus", code=code_of(gus), ruling="approve")
    watched.work()
    assert watched.refunds(proposal.order_id) == before
    assert "it is your own order" in form_of(run)
    assert any("it is your own order" in one for one in said_of(watched, proposal, "no authority")), "it is recorded"


@pytest.mark.slow
def test_two_people_approve_a_large_refund_through_the_form(watched: Any, careful: None) -> None:
    proposal = watched.waiting(Action.refund)[0]
    before, run = watched.refunds(proposal.order_id), run_of(watched, proposal)
    for name, paid in (("hal", []), ("ida", [proposal.money.amount])):
        fill_in(run, approver=name, code=code_of(enrol(watched.ledger, name, datetime.now(UTC))), ruling="approve")
        watched.work()
        assert watched.refunds(proposal.order_id) == [*before, *paid]
    assert "hal has approved it, and it takes 1 more" in str(said_of(watched, proposal, "woken without a ruling"))


@pytest.fixture
def careful(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority by which every refund takes two people."""
    file = tmp_path / "authority.yaml"
    file.write_text(SHIPPED.read_text().replace("people: 2, above: {EUR: 100000", "people: 2, above: {EUR: 1", 1))
    monkeypatch.setenv("TOWER_AUTHORITY", str(file))


def said_of(tower: Any, proposal: Proposal, what: str) -> list[str]:
    return [one.detail for one in dossier(tower.ledger, proposal.digest).events if one.what == what]


def test_a_code_that_opened_one_form_opens_no_other(watched: Any) -> None:
    one, other = watched.waiting(Action.refund)[:2]
    code = code_of(enrol(watched.ledger, "fay", datetime.now(UTC)))
    for proposal in (one, other):
        fill_in(run_of(watched, proposal), approver="fay", code=code, ruling="reject: other", reason="seen")
        watched.work()
    assert find_proposal(watched.ledger, one.digest).standing == "rejected"
    assert find_proposal(watched.ledger, other.digest).standing == "waiting"
    assert "do not prove" in form_of(run_of(watched, other))


def test_an_answer_put_beside_the_form_is_no_ruling(watched: Any) -> None:
    """Prefect's input API takes rows from anybody: a forged answer is written first, then the run is forced on."""
    proposal = watched.waiting(Action.refund)[0]
    before, run = watched.refunds(proposal.order_id), run_of(watched, proposal)
    with get_client(sync_client=True) as client:
        keyset = client.read_flow_run(UUID(run)).state.state_details.run_input_keyset
        forged = '{"approver": "ana", "code": "123456", "ruling": "approve", "reason": "forged"}'
        client.create_flow_run_input(UUID(run), keyset["response"], forged)
        client.set_flow_run_state(UUID(run), Scheduled(), force=True)
    watched.work()
    assert watched.refunds(proposal.order_id) == before
    assert find_effect(watched.ledger, proposal.digest) is None
    assert state_of(run).is_paused()


def test_a_ruling_on_one_proposal_wakes_no_other(watched: Any) -> None:
    """The parameter is another proposal's digest: the ruling is of the one, and the run asks about the other."""
    ruled, other = watched.waiting(Action.refund)[:2]
    watched.rule(ruled, Verdict.reject)
    before = watched.refunds(other.order_id)
    resume(run_of(watched, other))
    watched.work()
    assert watched.refunds(other.order_id) == before
    assert find_proposal(watched.ledger, other.digest).standing == "waiting"


@pytest.mark.slow
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
    (fresh,) = [each for each in watched.waiting(Action.refund) if each.order_id == proposal.order_id]
    assert fresh.money.amount == proposal.money.amount - 100
    assert state_of(run_of(watched, fresh)).is_paused(), "it was opened afresh at once"
    watched.watch(as_of=None)
    again = [each for each in watched.waiting(Action.refund) if each.order_id == proposal.order_id]
    assert [each.digest for each in again] == [fresh.digest]
    watched.rule(fresh)
    resume(run_of(watched, fresh))
    watched.work()
    assert watched.refunds(proposal.order_id) == [*before, fresh.money.amount]


@pytest.mark.slow
def test_an_approver_revoked_after_the_ruling_moves_no_money(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    watched.rule(proposal, name="rae")
    revoke(watched.ledger, "rae", datetime.now(UTC))
    before = watched.refunds(proposal.order_id)
    resume(run_of(watched, proposal))
    watched.work()
    assert watched.refunds(proposal.order_id) == before
    assert find_effect(watched.ledger, proposal.digest) is None
    row = find_proposal(watched.ledger, proposal.digest)
    assert (row.standing, row.round) == ("waiting", 2), "it is asked again"
    assert "rae has no authority any more" in form_of(run_of(watched, proposal))
    watched.rule(proposal)
    resume(run_of(watched, proposal))
    watched.work()
    assert watched.refunds(proposal.order_id) == [*before, proposal.money.amount]


@pytest.mark.slow
def test_waking_a_run_again_and_again_shows_and_says_nothing_twice(watched: Any) -> None:
    proposal = watched.waiting(Action.refund)[0]
    run = run_of(watched, proposal)
    for _ in range(2):
        resume(run)
        watched.work()
    watched.rule(proposal)
    for _ in range(2):
        resume(run)
        watched.work()
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run)])))
    keys = [artifact.key for artifact in found]
    assert keys.count("step-act") == 1
    assert len(keys) == len(set(keys)), "each step ran once, however often the run began anew"
    with watched.ledger.read() as session:
        told = select(OutboxMessage.key).where(OutboxMessage.key.contains(proposal.case_id))
        said = list(session.scalars(told))
    assert len(said) == len(set(said)) == 1, "one message for the case, changed and never repeated"


@pytest.mark.slow
def test_of_runs_that_share_one_place_those_that_wait_hold_none_and_the_woken_take_turns(watched: Any) -> None:
    waiting = [*watched.waiting(Action.refund), *watched.waiting(Action.reship), *watched.waiting(Action.hold)][:3]
    assert len(waiting) == 3
    resolving = next(id for id, flow in watched.flows.items() if flow.name == "resolve-case")
    with get_client(sync_client=True) as client:
        client.update_deployment(resolving, DeploymentUpdate(concurrency_limit=1))
    try:
        for proposal in waiting[:2]:
            watched.rule(proposal)
            resume(run_of(watched, proposal))
        for _ in range(60):
            watched.work()
            if all(state_of(run_of(watched, each)).is_completed() for each in waiting[:2]):
                break
            time.sleep(1)
        assert [bool(watched.shop.find(each.digest)) for each in waiting] == [True, True, False]
        assert state_of(run_of(watched, waiting[2])).is_paused()
    finally:
        with get_client(sync_client=True) as client:
            client.update_deployment(resolving, DeploymentUpdate(concurrency_limit=None))
