"""A Slack on loopback, an outbox in each database there is, and the builders of what is told."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine

from control_tower.ledger.database import Ledger
from control_tower.nouns import Proposal
from control_tower.settings import Settings
from control_tower.slack.channel import SlackChannel
from control_tower.slack.client import slack_client
from control_tower.slack.outbox import Outbox
from policies.authority import SHIPPED
from tests.postgres import new_database


def _beside(name: str) -> ModuleType:
    path = Path(__file__).with_name(f"{name}.py")
    full = f"tests_slack_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, path)
        assert spec
        assert spec.loader
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


@pytest.fixture(scope="session")
def emulator() -> ModuleType:
    return _beside("emulator")


@pytest.fixture(scope="session")
def cases() -> ModuleType:
    return _beside("cases")


@pytest.fixture(scope="session")
def workspaces() -> ModuleType:
    return _beside("workspace")


@pytest.fixture
def workspace(workspaces: ModuleType, cases: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A workspace with Socket Mode, in which Ann and Bob are members."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    workspace = workspaces.Workspace(cases.NOW)
    workspace.users = {user: workspaces.member(user) for user in ("UANN", "UBOB")}
    yield workspace.up()
    workspace.down()


@pytest.fixture
def slack(emulator: ModuleType, cases: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A workspace that is up, and that no proxy stands before."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    workspace = emulator.Emulator(cases.NOW).up()
    yield workspace
    workspace.down()


@pytest.fixture
def settings(slack: Any, emulator: ModuleType, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, slack_token=emulator.TOKEN, slack_api_url=slack.url)


@pytest.fixture
def channel(settings: Settings) -> Callable[..., SlackChannel]:
    """A new client of the channel each time, as each process has its own."""

    def connect(timeout: int = 2) -> SlackChannel:
        client = slack_client(settings, timeout=timeout)
        assert client
        return SlackChannel(client, settings.slack_channel)

    return connect


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """The ledger's engine: SQLite always, PostgreSQL where there is one."""
    engine = Ledger(_url(request, request.param, tmp_path)).engine
    yield engine
    engine.dispose()


def _url(request: pytest.FixtureRequest, database: str, folder: Path) -> str:
    """URL of an empty database."""
    if database == "sqlite":
        return f"sqlite:///{folder / 'ledger.db'}"
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture
def outbox(engine: Engine) -> Outbox:
    return Outbox(engine)


def in_slack_up_to(folder: Path, **up_to: int) -> Path:
    """The shipped authority, with another limit for Slack."""
    lines = SHIPPED.read_text().splitlines(keepends=True)
    folder.mkdir(exist_ok=True)
    amounts = ", ".join(f"{currency}: {amount}" for currency, amount in up_to.items())
    file = folder / "authority.yaml"
    file.write_text("".join(f"slack: {{up_to: {{{amounts}}}}}\n" if one.startswith("slack:") else one for one in lines))
    return file


@pytest.fixture
def tower(workspace: Any, workspaces: ModuleType, emulator: ModuleType, tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path,
        slack_token=emulator.TOKEN,
        slack_app_token=workspaces.APP_TOKEN,
        slack_api_url=workspace.url,
        authority=in_slack_up_to(tmp_path, BRL=20_000),
    )


@pytest.fixture
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger: SQLite, or PostgreSQL where a test asks for it and there is one."""
    return _url(request, getattr(request, "param", "sqlite"), tmp_path)


@pytest.fixture
def desk(workspace: Any, tower: Settings, cases: ModuleType, ledger_url: str) -> Iterator[Any]:
    under_test = _beside("desks").Desk(ledger_url, workspace, tower, cases)
    yield under_test
    under_test.ledger.engine.dispose()


@pytest.fixture
def proposal(desk: Any, cases: ModuleType) -> Proposal:
    refund: Proposal = cases.a_proposal()
    desk.open(refund)
    return refund
