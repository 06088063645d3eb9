"""From a button in Slack to one effect in the shop, through a real Prefect server."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client

from control_tower.ledger.approvers import enrol
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proposals import find_proposal
from control_tower.ledger.rulings import find_ruling
from control_tower.ledger.slack_users import SlackUser, enrol_slack_user
from control_tower.nouns import Action, EffectState, Proposal
from control_tower.pause import resume
from control_tower.settings import settings
from desk.slack_desk.serving import serve
from tests.slack.conftest import in_slack_up_to


def _workspace() -> Any:
    path = Path(__file__).parents[1] / "slack" / "workspace.py"
    spec = importlib.util.spec_from_file_location("tests_slack_workspace", path)
    assert spec
    assert spec.loader
    module = sys.modules.setdefault("tests_slack_workspace", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def eventually(so: Callable[[], Any], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while not so() and time.monotonic() < until:
        time.sleep(0.05)
    return so()


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A Slack that this tower is a desk of, and in which Ann is a member."""
    module = _workspace()
    workspace = module.Workspace(datetime.now(UTC)).up()
    workspace.users = {"UANN": module.member("UANN")}
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TOWER_SLACK_TOKEN", workspace.allowed("chat.postMessage"))
    monkeypatch.setenv("TOWER_SLACK_APP_TOKEN", module.APP_TOKEN)
    monkeypatch.setenv("TOWER_SLACK_API_URL", workspace.url)
    monkeypatch.setenv("TOWER_AUTHORITY", str(in_slack_up_to(tmp_path / "authority", EUR=1_000_000)))
    yield workspace
    workspace.down()


def message_of(slack: Any, tower: Any, proposal: Proposal) -> dict[str, Any]:
    key = f"case:{find_proposal(tower.ledger, proposal.digest).case_id}"
    return next(one for one in slack.messages if one["metadata"]["event_payload"]["key"] == key)


def test_a_refund_approved_in_slack_is_paid_once_and_its_message_says_so(slack: Any, tower: Any) -> None:
    tower.fill_now(600)
    tower.watch(as_of=None)
    shown = str([one["blocks"] for one in slack.messages])
    refund, wrong = [one for one in tower.waiting(Action.refund) if one.digest in shown][:2]
    digests = {one["ts"] for one in slack.messages if one["metadata"]["event_payload"]["key"].startswith("digest:")}
    assert message_of(slack, tower, refund)["thread_ts"] in digests, "cases hang under their digest"
    enrol(tower.ledger, "ann", datetime.now(UTC))
    enrol_slack_user(tower.ledger, "ann", SlackUser("T0SHOP", "UANN"), datetime.now(UTC))
    before, stop = tower.refunds(refund.order_id), threading.Event()
    woken: list[str] = []

    def wake(digest: str) -> None:
        woken.append(digest)
        resume(str(find_proposal(tower.ledger, digest).flow_run_id))

    serving = threading.Thread(
        target=serve, args=(settings(), stop), kwargs={"write": lambda _: None, "wake": wake, "turn": 1}, daemon=True
    )
    serving.start()
    try:
        for proposal, verdict in ((refund, "approve"), (wrong, "reject")):
            slack.forms.clear()
            slack.click("UANN", proposal.digest, verdict)
            form = slack.form_of("UANN")
            assert slack.submit("UANN", form, reason="other", words="seen") is None
            assert "ann ruled first" in str(slack.submit("UANN", form, reason="other", words="seen"))
        assert eventually(lambda: set(woken) >= {refund.digest, wrong.digest})
        tower.work()
    finally:
        stop.set()
        serving.join(30)
    assert tower.refunds(refund.order_id) == [*before, refund.money.amount]
    effect = find_effect(tower.ledger, refund.digest)
    assert effect
    assert effect.state is EffectState.confirmed
    ruling = find_ruling(tower.ledger, refund.digest)
    assert ruling
    assert (ruling.approver, ruling.via) == ("ann", "slack")
    said = message_of(slack, tower, refund)
    assert "approve by ann, by slack" in said["text"]
    assert "done" in said["text"]
    assert refund.digest not in str(said["blocks"]), "its buttons are gone"
    assert find_effect(tower.ledger, wrong.digest) is None
    assert "reject by ann, by slack" in message_of(slack, tower, wrong)["text"]
    with get_client(sync_client=True) as client:
        for proposal in (refund, wrong):
            run = client.read_flow_run(UUID(str(find_proposal(tower.ledger, proposal.digest).flow_run_id)))
            assert run.state
            assert run.state.is_completed()
