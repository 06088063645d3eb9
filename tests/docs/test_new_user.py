"""From a clean clone to one's own export on a schedule with Slack: the page's own commands, as they stand there."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, PROJECT, Block, blocks
from tests.docs.terminal import TOKEN, Terminal, eventually

PAGE = DOCS / "your_own_orders.md"
EXPORT = Path(__file__).with_name("export")
ANN, TEAM = "U0456EFGH", "T0123ABCD"
SETUP = 1500  # seconds: two hundred packages from an index


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The emulated Slack, in which the ids and tokens of the page are real."""
    workspaces = _own("workspace")
    monkeypatch.setattr(workspaces, "TEAM", TEAM)
    monkeypatch.setattr(workspaces, "APP_TOKEN", "xapp-...")
    slack = workspaces._emulator()
    monkeypatch.setattr(slack, "TOKEN", "xoxb-...")
    monkeypatch.setattr(slack, "BOT", slack.BOT | {"team_id": TEAM})
    workspace = workspaces.Workspace(datetime.now(UTC) - timedelta(hours=1))
    workspace.users = {ANN: workspaces.member(ANN) | {"team_id": TEAM}}
    yield workspace.up()
    workspace.down()


def _own(name: str) -> Any:
    file = PROJECT / "tests" / "slack" / f"{name}.py"
    spec = spec_from_file_location(f"new_users_{name}", file)
    assert spec
    assert spec.loader
    sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
    return sys.modules[spec.name]


def told_of(workspace: Any, order: str) -> str:
    """What the channel says of an order's case now."""
    cases = [m for m in workspace.messages if m["metadata"]["event_payload"]["key"].startswith("case:")]
    return "\n".join(said for one in cases if order in (said := json.dumps([one["text"], one["blocks"]])))


def approve_in_slack(workspace: Any, order: str) -> None:
    """Press Approve at the refund of an order, and send the form."""

    def button() -> str | None:
        found = re.search(r"Approve refund.*?\"value\": \"([0-9a-f]{64})\"", told_of(workspace, order))
        return found[1] if found else None

    digest = eventually(button, 300)
    workspace.click(ANN, digest)
    assert workspace.submit(ANN, workspace.form_of(ANN, 30), words="she cancelled on the day") is None


@pytest.mark.large
@pytest.mark.timeout(SETUP + 600)
def test_a_new_user_has_their_own_orders_on_a_schedule_and_rules_in_slack(tmp_path: Path, workspace: Any) -> None:
    terminal = Terminal(
        tmp_path, REPOSITORY=str(PROJECT), EXPORT=str(EXPORT), PYTHON=sys.executable,
        TOWER_SLACK_API_URL=workspace.url, NO_PROXY="127.0.0.1", COLUMNS="200",
    )  # fmt: skip
    said: dict[str, str] = {}
    with ExitStack() as running:
        for block in blocks(PAGE):
            if "read -rs" in block.text:
                approve_in_slack(workspace, "B-2026-4003")
            if "tower audit verify" in block.text:
                for order in ("B-2026-4003", "B-2026-4009"):
                    eventually(lambda order=order: "refused" in told_of(workspace, order), 300)
            began = time.monotonic()
            follow(block, terminal, running, said)
            print(f"{block}: {time.monotonic() - began:.1f} s")
    expect(said, (tmp_path / "running").read_text())


def follow(block: Block, terminal: Terminal, running: ExitStack, said: dict[str, str]) -> None:
    """Do what a block says: it is a file, or a command that is left running, or commands."""
    if block.title:
        file = terminal.here / block.title
        file.parent.mkdir(exist_ok=True)
        file.write_text(block.text)
    elif block.language == "sh" and block.mark == "keep running":
        running.enter_context(terminal.keep(block.text, terminal.folder / "running"))
    elif block.language == "sh":
        token = TOKEN.search(said.get("tower approver add", ""))
        answers = f"{token[1]}\n" if token and "read -rs" in block.text else ""
        told = terminal.type(block.text, answers, SETUP if "make setup" in block.text else 600)
        for line in block.text.splitlines():
            said[" ".join(line.split()[:3])] = told


def expect(said: dict[str, str], running: str) -> None:
    """What the page promises came to be."""
    looked = " ".join(said["tower run fulfilment"].split())
    assert "│ orders │ 12 │ 3 │" in looked
    assert "EUR 49.90" in looked
    assert "a dry run: nothing was opened" in looked
    assert "listening to Slack for #control-tower" in running
    assert "every row is what was written" in said["tower audit verify"]
    assert "B-2026-4009" in said["tower audit verify"]
    assert "refused" in said["tower audit verify"]
    assert "Traceback" not in running + "".join(said.values())
    assert "xoxb" not in running
