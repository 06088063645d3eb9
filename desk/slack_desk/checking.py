"""`tower slack check`: what stands between this tower and a Slack desk, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from control_tower.errors import SettingError
from control_tower.settings import Settings, settings
from control_tower.slack.channel import SlackChannel, SlackTrouble
from control_tower.slack.client import app_token, slack_client
from desk.show import as_json, table
from policies.authority import authority

SCOPES = ("chat:write", "channels:read", "channels:history", "users:read")  # as the manifest asks for them
FOR_RULINGS = ("an app-level token", "a limit for rulings in Slack")
PRIVATE = {"channels:read": "groups:read", "channels:history": "groups:history"}  # instead, in a private channel


def check(*, json: bool) -> None:
    """Say what stands between this tower and a Slack desk, and what to do about it.

    Raises:
        SettingError: something does.
    """
    found = list(findings(settings()))
    if json:
        as_json([{"what": what, "ok": not remedy, "remedy": remedy} for what, remedy in found])
    else:
        table("The Slack desk", ("what", "", "what to do"), [(w, "no" if r else "yes", r or "-") for w, r in found])
    if missing := sum(bool(remedy) for _, remedy in found):
        raise SettingError(f"{missing} of {len(found)} are missing", where="Slack", remedy="docs/slack.md")


def findings(tower: Settings) -> Iterator[tuple[str, str]]:
    """What a desk needs, and what to do where it is missing; it stops where nothing further can be told."""
    web = slack_client(tower)
    yield "a bot token", "" if web else "set TOWER_SLACK_TOKEN to the token that begins with xoxb-"
    token = app_token(tower)
    yield FOR_RULINGS[0], "" if token else "set TOWER_SLACK_APP_TOKEN to the token that begins with xapp-"
    limit = "" if authority(tower.authority).slack.up_to else "without one, Slack rules on no money"
    yield FOR_RULINGS[1], limit
    if web is None:
        return
    channel = SlackChannel(web, tower.slack_channel)
    try:
        granted = channel.scopes()
    except SlackTrouble as trouble:
        yield "Slack knows the bot token", trouble.what
        return
    yield "Slack knows the bot token", ""
    for scope in SCOPES:
        has = scope in granted or PRIVATE.get(scope) in granted
        yield f"scope {scope}", "" if has else "add it to the app, as the manifest does, and install it again"
    try:
        channel.find()
        yield f"channel {tower.slack_channel}", ""
    except SlackTrouble as trouble:
        yield f"channel {tower.slack_channel}", f"{trouble.what}; invite the app to it"
    if token:
        try:
            channel.may_connect(token)
            yield "Socket Mode", ""
        except SlackTrouble as trouble:
            yield "Socket Mode", f"{trouble.what}; switch it on, and give the token connections:write"
