"""The Slack app asks for what is used, and for nothing else."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from desk.slack_desk.checking import PRIVATE, SCOPES

ROOT = Path(__file__).parents[2]


def test_the_apps_manifest_asks_for_the_scopes_that_are_checked_and_for_no_public_address() -> None:
    text = (ROOT / "deployments" / "slack_app_manifest.yaml").read_text("utf-8")
    manifest = YAML(typ="safe").load(text)
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == {*SCOPES, *PRIVATE.values()}
    assert "user" not in manifest["oauth_config"]["scopes"], "it acts for nobody"
    assert manifest["settings"]["socket_mode_enabled"]
    assert manifest["settings"]["interactivity"] == {"is_enabled": True}
    assert "event_subscriptions" not in manifest["settings"]
    assert "request_url" not in text
    assert len(manifest["display_information"]["name"]) <= 35
    assert len(manifest["display_information"]["description"]) <= 140
