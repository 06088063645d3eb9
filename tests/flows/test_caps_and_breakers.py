"""Caps and breakers where they bite: a ruling that goes over is void; a lane's hands stop, and its eyes go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from control_tower.ledger.approvers import enrol
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Action, EffectState, Proposal
from control_tower.pause import resume
from control_tower.slack.tables import OutboxMessage
from desk.command import main
from flows.sweep_approvals import sweep_approvals
from policies.authority import SHIPPED
from tests.flows.conftest import own_tower

pytestmark = pytest.mark.slow


@pytest.fixture
def strict(tmp_path: Path, deployed: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A tower that pays one refund, then its cap is reached; its people may stop and start hands."""
    cap = "  - {of: tower, action: refund, effects: 1, within: 1 day}\n"
    written = SHIPPED.read_text().replace("caps:\n", f"caps:\n{cap}", 1)
    file = tmp_path / "authority.yaml"
    file.write_text(written)
    monkeypatch.setenv("TOWER_AUTHORITY", str(file))
    with own_tower(tmp_path, deployed) as mine:
        mine.fill_now(1500)
        mine.watch(as_of=None)
        yield mine


def approved(tower: Any, proposal: Proposal) -> str:
    tower.rule(proposal)
    resume(str(find_proposal(tower.ledger, proposal.digest).flow_run_id))
    tower.work()
    return str(find_proposal(tower.ledger, proposal.digest).standing)


def told(tower: Any) -> list[str]:
    with tower.ledger.read() as session:
        return [row.text for row in session.scalars(select(OutboxMessage))]


def test_an_approval_over_a_cap_is_void_and_says_why(strict: Any) -> None:
    first, second = strict.waiting(Action.refund)[:2]
    assert approved(strict, first) == "done"
    before = strict.refunds(second.order_id)
    assert approved(strict, second) == "void"
    assert "capped at 1, and 1 were made before" in find_proposal(strict.ledger, second.digest).detail
    assert find_effect(strict.ledger, second.digest) is None
    assert strict.refunds(second.order_id) == before


def test_a_lane_whose_hands_are_stopped_still_sees_and_goes_on_when_a_lead_says_so(
    strict: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = enrol(strict.ledger, "lea", datetime.now(UTC), roles=("lead",))
    monkeypatch.setenv("TOWER_TOKEN", lead.token)
    main_ok(["breaker", "trip", "fulfilment", "--as", "lea", "--reason", "refunds look wrong"])
    proposal = strict.waiting(Action.refund)[0]
    assert approved(strict, proposal) == "approved", "it was ruled on, and waits"
    assert find_effect(strict.ledger, proposal.digest) is None
    found = strict.watch(as_of=None).findings
    assert any(said.yes for said in found.values()), "its eyes go on"
    assert sum("The hands of fulfilment are stopped" in text for text in told(strict)) == 1
    assert sweep_approvals(now=datetime.now(UTC)).woken == (), "nobody knocks while they are stopped"
    main_ok(["breaker", "list"])
    assert "refunds look wrong" in capsys.readouterr().out
    main_ok(["breaker", "close", "fulfilment", "--as", "lea", "--reason", "looked at: all is well"])
    assert sweep_approvals(now=datetime.now(UTC)).woken
    strict.work()
    assert find_effect(strict.ledger, proposal.digest).state is EffectState.confirmed


def main_ok(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert not ended.value.code
