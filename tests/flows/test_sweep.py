"""The clock of approvals: it reminds, escalates and lets go, mends what is out of step, and never acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Cancelled
from sqlalchemy import select

from control_tower.errors import AlreadyRuled, LedgerError, NotProved
from control_tower.ledger.approvers import enrol
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import find_proposal, settle_proposal
from control_tower.ledger.tables import EventRow
from control_tower.ledger.waiting import reopen
from control_tower.nouns import Action, Proposal
from control_tower.slack.tables import OutboxMessage
from desk.rule import reopen as ask_once_more
from flows.sweep_approvals import sweep_approvals
from tests.flows.conftest import own_tower


@pytest.fixture
def asked(tmp_path: Any, deployed: Any) -> Iterator[Any]:
    """A tower whose lane has asked; its shop is like no other."""
    with own_tower(tmp_path, deployed) as mine:
        mine.fill_now(400)
        mine.watch(as_of=None)
        yield mine


def state_of(tower: Any, proposal: Proposal) -> Any:
    run = find_proposal(tower.ledger, proposal.digest).flow_run_id
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(str(run))).state


def happened(tower: Any, what: str) -> list[str]:
    with tower.ledger.read() as session:
        found = select(EventRow.subject).where(EventRow.what == what, EventRow.subject.startswith("proposal:"))
        return list(session.scalars(found))


def told(tower: Any) -> str:
    with tower.ledger.read() as session:
        return str([row.text for row in session.scalars(select(OutboxMessage))])


def everybody(tower: Any) -> list[Proposal]:
    return [each for action in (Action.refund, Action.reship, Action.hold) for each in tower.waiting(action)]


def test_it_reminds_escalates_and_lets_go_each_once_and_moves_no_money(asked: Any) -> None:
    waiting, opened = everybody(asked), datetime.now(UTC)
    assert waiting
    assert sweep_approvals(now=opened + timedelta(minutes=1)).reminded == ()
    later = sweep_approvals(now=opened + timedelta(days=5))
    assert {*later.reminded} == {*later.escalated} == {each.digest for each in waiting}
    assert {find_proposal(asked.ledger, each.digest).escalated_to for each in waiting} == {"lead"}
    assert sweep_approvals(now=opened + timedelta(days=5)).escalated == ()
    gone = sweep_approvals(now=opened + timedelta(days=40))
    assert {*gone.expired} == {each.digest for each in waiting}
    assert sorted(happened(asked, "expired")) == sorted(f"proposal:{each.digest}" for each in waiting)
    for each in waiting:
        assert find_proposal(asked.ledger, each.digest).standing == "expired"
        assert state_of(asked, each).is_cancelled()
        assert asked.shop.find(each.digest) is None
    assert "nobody ruled in time, and nothing was done" in told(asked)
    with pytest.raises(AlreadyRuled, match="it is expired"):
        asked.rule(waiting[0])
    assert sweep_approvals(now=opened + timedelta(days=41)).expired == ()


@pytest.mark.slow
def test_a_proposal_whose_run_was_taken_away_is_asked_again(asked: Any) -> None:
    cancelled, deleted = everybody(asked)[:2]
    with get_client(sync_client=True) as client:
        run = UUID(str(find_proposal(asked.ledger, cancelled.digest).flow_run_id))
        client.set_flow_run_state(run, Cancelled(), force=True)
        client.delete_flow_run(UUID(str(find_proposal(asked.ledger, deleted.digest).flow_run_id)))
    assert {*sweep_approvals().asked_again} == {cancelled.digest, deleted.digest}
    asked.work()
    assert state_of(asked, cancelled).is_paused()
    assert state_of(asked, deleted).is_paused()
    assert sweep_approvals().asked_again == ()


@pytest.mark.slow
def test_a_ruling_whose_run_nobody_woke_is_carried_out(asked: Any) -> None:
    proposal = asked.waiting(Action.refund)[0]
    asked.rule(proposal)
    run = str(find_proposal(asked.ledger, proposal.digest).flow_run_id)
    assert run in sweep_approvals().woken
    asked.work()
    assert find_proposal(asked.ledger, proposal.digest).standing == "done"


@pytest.mark.slow
def test_a_run_that_asks_about_what_waits_for_nobody_is_called_off(asked: Any) -> None:
    proposal = everybody(asked)[0]
    settle_proposal(asked.ledger, proposal.digest, "void", "by hand", datetime.now(UTC))
    run = str(find_proposal(asked.ledger, proposal.digest).flow_run_id)
    assert run in sweep_approvals().called_off
    assert state_of(asked, proposal).is_cancelled()


@pytest.mark.slow
def test_what_expired_is_asked_once_more_when_a_person_says_so_and_then_takes_a_ruling(asked: Any) -> None:
    proposal = asked.waiting(Action.refund)[0]
    token = enrol(asked.ledger, "eva", datetime.now(UTC)).token
    with pytest.raises(LedgerError, match="only what has expired"):
        reopen(asked.ledger, proposal.digest, Token("eva", token), "too early", datetime.now(UTC))
    first_run = find_proposal(asked.ledger, proposal.digest).flow_run_id
    sweep_approvals(now=datetime.now(UTC) + timedelta(days=40))
    with pytest.raises(NotProved):
        reopen(asked.ledger, proposal.digest, Token("eva", "guessed"), "", datetime.now(UTC))
    with pytest.raises(LedgerError, match="takes a reason"):
        reopen(asked.ledger, proposal.digest, Token("eva", token), " ", datetime.now(UTC))
    ask_once_more(proposal.digest, "eva", token, "the customer wrote again", json=True)
    row = find_proposal(asked.ledger, proposal.digest)
    assert (row.standing, row.round) == ("waiting", 2)
    assert row.flow_run_id == first_run, "the same proposal is the same run, which waits again"
    asked.work()
    assert state_of(asked, proposal).is_paused()
    assert asked.shop.find(proposal.digest) is None
    asked.rule(proposal)
    assert sweep_approvals(now=datetime.now(UTC)).woken
    asked.work()
    assert asked.shop.find(proposal.digest)


def test_a_reminder_says_how_many_wait_for_whom(asked: Any) -> None:
    enrol(asked.ledger, "ana", datetime.now(UTC))
    number = len(everybody(asked))
    sweep_approvals(now=datetime.now(UTC) + timedelta(hours=30))
    assert re.search(rf"{number} for (approver: ana|lead: nobody is enrolled)", told(asked))
