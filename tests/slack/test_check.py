"""`tower slack check` says what is missing, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from control_tower.errors import SettingError
from control_tower.settings import Settings
from desk.slack_desk.checking import check
from tests.slack.conftest import in_slack_up_to


@pytest.fixture
def configured(tower: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    assert tower.slack_token
    assert tower.slack_app_token
    monkeypatch.setenv("TOWER_SLACK_TOKEN", tower.slack_token.get_secret_value())
    monkeypatch.setenv("TOWER_SLACK_APP_TOKEN", tower.slack_app_token.get_secret_value())
    monkeypatch.setenv("TOWER_SLACK_API_URL", tower.slack_api_url)
    monkeypatch.setenv("TOWER_AUTHORITY", str(tower.authority))
    return tower


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {one["what"]: one["remedy"] for one in json.loads(capsys.readouterr().out)}


def test_a_desk_that_lacks_nothing_is_told_so(
    configured: Settings, workspace: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    check(json=True)
    assert not any(found(capsys).values())
    workspace.granted = "chat:write,groups:read,groups:history,users:read"
    check(json=True)
    assert not any(found(capsys).values()), "in a private channel"


def test_what_is_missing_is_named_with_what_to_do(
    configured: Settings,
    workspace: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    workspace.granted, workspace.deaf = "chat:write,channels:read", True
    monkeypatch.setenv("TOWER_AUTHORITY", str(in_slack_up_to(tmp_path)))
    monkeypatch.setenv("TOWER_SLACK_CHANNEL", "#nowhere")
    with pytest.raises(SettingError, match=r"5 of 10 are missing.*docs/slack\.md"):
        check(json=True)
    missing = {what: remedy for what, remedy in found(capsys).items() if remedy}
    assert set(missing) == {
        "a limit for rulings in Slack",
        "scope channels:history",
        "scope users:read",
        "channel #nowhere",
        "Socket Mode",
    }
    assert "SECRET" not in str(missing)


def test_a_token_in_the_wrong_place_is_seen(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWER_SLACK_APP_TOKEN", "xoxb-1234567890-SECRET")
    with pytest.raises(SettingError, match="begins with xapp-") as wrong:
        check(json=True)
    assert "SECRET" not in str(wrong.value)


def test_a_token_that_slack_does_not_know_is_told(
    configured: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOWER_SLACK_TOKEN", "xoxb-other")
    with pytest.raises(SettingError):
        check(json=True)
    assert found(capsys)["Slack knows the bot token"] == "invalid_auth"
