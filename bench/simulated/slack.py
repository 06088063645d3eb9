"""The emulated Slack of a simulated week, and the hour in which it is down."""

from __future__ import annotations

import importlib.util
import random
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STAND = Path(__file__).parents[2] / "tests" / "slack" / "workspace.py"


def _stand() -> Any:
    name = "tests_slack_workspace"
    spec = importlib.util.spec_from_file_location(name, STAND)
    assert spec
    assert spec.loader
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


class Outage:
    """What every call meets while Slack is down; some are taken all the same, and answered wrongly or not at all."""

    def __init__(self, faults: Any, seed: int) -> None:
        self.fault, self.chance, self.met = faults, random.Random(seed), 0

    def get(self, method: str, default: Any = None) -> Outage:
        """The same for every method."""
        return self

    def popleft(self) -> Any:
        """What this call meets."""
        self.met += 1
        kind = self.chance.choice(("error", "refused", "taken", "dropped", "hangs", "slower"))
        return {
            "error": self.fault(status=500, error="internal_error"),
            "refused": self.fault(status=503, error="service_unavailable"),
            "taken": self.fault(accept=True, status=500, body=b"upstream error"),
            "dropped": self.fault(accept=True, drop=True),
            "hangs": self.fault(seconds=1.5, drop=True),
            "slower": self.fault(status=429, error="ratelimited", retry_after="1"),
        }[kind]


@dataclass(frozen=True)
class Slack:
    """The workspace, and what the tower is told of it."""

    workspace: Any
    environment: dict[str, str]
    seed: int

    def break_down(self) -> Outage:
        """Everything fails, and every connection of the app is gone."""
        outage = Outage(sys.modules["tests_slack_emulator"].Fault, self.seed)
        self.workspace.faults, self.workspace.deaf = outage, True
        self.workspace.disconnect()
        return outage

    def come_back(self) -> None:
        """Everything works again."""
        self.workspace.faults, self.workspace.deaf = {}, False


def open_slack(users: tuple[str, ...], seed: int) -> Slack:
    """A workspace on loopback, with these members; it lives by everybody's clock."""
    stand = _stand()

    class Today(stand.Workspace):  # type: ignore[misc, name-defined]
        """Dates its messages when they are posted."""

        @property
        def now(self) -> datetime:
            return datetime.now(UTC)

        @now.setter
        def now(self, begun: datetime) -> None:
            """It begins when it begins."""

    workspace = Today(datetime.now(UTC)).up()
    workspace.users = {user: stand.member(user) for user in users}
    environment = {
        "TOWER_SLACK_TOKEN": workspace.allowed("chat.postMessage"),
        "TOWER_SLACK_APP_TOKEN": stand.APP_TOKEN,
        "TOWER_SLACK_API_URL": workspace.url,
    }
    return Slack(workspace, environment, seed)
