"""A listener killed at any moment, then started again: no click is lost in silence, none counts twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from control_tower.ledger.rulings import find_ruling
from control_tower.nouns import Proposal

pytestmark = pytest.mark.slow

KILLED = -signal.SIGKILL


@contextmanager
def listener(desk: Any, boundary: str = "") -> Iterator[subprocess.Popen[str]]:
    """A listener in a process of its own, connected; it is told to stop at the end if it still lives."""
    environment = {
        **os.environ,
        "TOWER_HOME": str(desk.tower.home),
        "TOWER_LEDGER_URL": desk.ledger.url,
        "TOWER_SLACK_TOKEN": desk.tower.slack_token.get_secret_value(),
        "TOWER_SLACK_APP_TOKEN": desk.tower.slack_app_token.get_secret_value(),
        "TOWER_SLACK_API_URL": desk.tower.slack_api_url,
        "TOWER_AUTHORITY": str(desk.tower.authority),
        "WOKEN": str(desk.tower.home / "woken"),
    }
    program = Path(__file__).with_name("listener.py")
    before = len(desk.slack.connections)
    running = subprocess.Popen(
        [sys.executable, str(program), boundary], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert desk.eventually(lambda: len(desk.slack.connections) > before, 30)
        yield running
    finally:
        if running.poll() is None:
            running.terminate()
            assert running.wait(30) == 0
        assert running.stdout
        running.stdout.close()


def woken(desk: Any) -> list[str]:
    file = desk.tower.home / "woken"
    return file.read_text().split() if file.exists() else []


@contextmanager
def killed(desk: Any, boundary: str) -> Iterator[None]:
    """A listener that dies in the block, of which nothing is left when the block ends."""
    with listener(desk, boundary) as doomed:
        yield
        assert doomed.wait(20) == KILLED
    assert desk.eventually(lambda: not desk.slack.connections)


RULED = [
    "after write the form", "before rule", "after rule", "before mark it done", "after mark it done",
    "before acknowledge the form", "after acknowledge the form",
    "before lock the message", "after lock the message", "before wake", "after wake",
]  # fmt: skip
SOME = ["after rule"]


@pytest.mark.parametrize("boundary", [pytest.param(b, marks=() if b in SOME else pytest.mark.large) for b in RULED])
@pytest.mark.parametrize("ledger_url", ["sqlite", "postgresql"], indirect=True)
def test_a_form_that_was_written_down_is_ruled_on_once_whenever_the_listener_dies(
    desk: Any, workspace: Any, proposal: Proposal, boundary: str
) -> None:
    with killed(desk, boundary):
        workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        workspace.submit("UANN", form, reason="evidence_holds", words="seen it")
    with listener(desk):
        assert desk.eventually(lambda: find_ruling(desk.ledger, proposal.digest))
        assert desk.locked()
        assert desk.eventually(lambda: proposal.digest in woken(desk))
        assert desk.eventually(lambda: all(row.state == "done" for row in desk.inbox()))
        # She saw an error, or nothing, and sends it again.
        assert "ann ruled first: approve, by slack" in str(
            workspace.submit("UANN", form, reason="evidence_holds", words="seen it")
        )
    ruling = find_ruling(desk.ledger, proposal.digest)
    assert ruling
    assert (ruling.approver, ruling.reason) == ("ann", "The evidence holds: seen it")
    assert len(workspace.messages) == 1, "one message a case"


def test_a_form_that_was_never_written_down_is_not_counted_and_can_be_sent_again(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    with killed(desk, "before write the form"):
        workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        assert workspace.submit("UANN", form) == "no answer", "so Slack shows her an error, and keeps the form open"
    with listener(desk):
        assert find_ruling(desk.ledger, proposal.digest) is None
        assert workspace.submit("UANN", form) is None
        assert desk.locked()


@pytest.mark.parametrize(
    "boundary",
    [
        "after write the click",
        pytest.param("after acknowledge the click", marks=pytest.mark.large),
        pytest.param("before show the form", marks=pytest.mark.large),
    ],
)
def test_who_clicked_when_the_listener_died_is_asked_to_click_again(
    desk: Any, workspace: Any, proposal: Proposal, boundary: str
) -> None:
    with killed(desk, boundary):
        workspace.click("UANN", proposal.digest)
    with listener(desk):
        assert "nobody was at the desk when you clicked. Please click again" in desk.told("UANN")
        workspace.click("UANN", proposal.digest)
        assert workspace.submit("UANN", workspace.form_of("UANN")) is None
        assert desk.locked()
    assert len(workspace.ephemeral) == 1
