"""`tower up` with Slack's tokens is a Slack desk: from a button to the effect, in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proposals import find_proposal
from control_tower.ledger.slack_users import SlackUser, enrol_slack_user
from control_tower.settings import Settings
from tests.slack.conftest import in_slack_up_to


@pytest.mark.large
def test_tower_up_rules_from_slack_and_carries_it_out(
    desk: Any, workspace: Any, tower: Settings, tmp_path: Path
) -> None:
    assert tower.slack_token
    assert tower.slack_app_token
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TOWER_"))}
    environment = kept | {
        "TOWER_HOME": str(tmp_path / "home"),
        "TOWER_SLACK_TOKEN": tower.slack_token.get_secret_value(),
        "TOWER_SLACK_APP_TOKEN": tower.slack_app_token.get_secret_value(),
        "TOWER_SLACK_API_URL": tower.slack_api_url,
        "TOWER_AUTHORITY": str(in_slack_up_to(tmp_path / "authority", EUR=10_000_000)),
    }
    command = [sys.executable, "-c", "from desk.command import main; main()"]
    workspace.now = datetime.now(UTC) - timedelta(hours=1)
    up = subprocess.Popen([*command, "up", "--orders", "600"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert desk.eventually(lambda: workspace.connections, 120)
        subprocess.run([*command, "run", "fulfilment"], env=environment, capture_output=True, timeout=200, check=True)
        ledger = Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}")
        enrol(ledger, "ann", datetime.now(UTC))
        enrol_slack_user(ledger, "ann", SlackUser("T0SHOP", "UANN"), datetime.now(UTC))
        shown = re.search(r"Approve refund.*?'value': '([0-9a-f]{64})'", str([m["blocks"] for m in workspace.messages]))
        assert shown
        digest = shown[1]
        workspace.click("UANN", digest)
        assert workspace.submit("UANN", workspace.form_of("UANN"), words="seen") is None
        sent = datetime.now(UTC)
        assert desk.eventually(lambda: find_proposal(ledger, digest).standing == "done", 60)
        effect = find_effect(ledger, digest)
        assert effect
        assert effect.state == "confirmed"
        print(f"from the form to the effect: {(effect.at - sent).total_seconds():.2f} s")
        key = f"case:{find_proposal(ledger, digest).case_id}"
        (message,) = [one for one in workspace.messages if one["metadata"]["event_payload"]["key"] == key]
        assert desk.eventually(lambda: "done" in message["text"])
        assert "approve by ann, by slack" in message["text"]
    finally:
        up.send_signal(signal.SIGTERM)
        said = up.communicate(timeout=60)[0]
    assert up.returncode == 0
    assert "listening to Slack for #control-tower" in said
    assert "SECRET" not in said
