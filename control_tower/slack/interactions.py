"""What a person did in Slack, as far as it concerns us: pressed one of our buttons, or sent our form.

A payload comes over the app's own connection, so Slack vouches for the team and the user in it.
Everything else in it is text from outside: read strictly, and never trusted to say what is proposed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from control_tower.nouns import Noun, Verdict
from control_tower.slack.case_message import RULE

FORM = "tower:ruling"  # callback id of the form
DIGEST = r"^[0-9a-f]{64}$"
_ID = r"^[A-Z0-9]{2,32}$"
_TS = r"^[0-9]{1,12}\.[0-9]{1,9}$"
AMOUNT, REASON, WORDS = "amount", "reason", "words"  # the blocks of the form, and of its errors
LONGEST = 2000  # characters of any one field


class Clicker(Noun):
    """Who it was, by Slack's ids: the workspace that the app is asked in, and the one that the user is of."""

    team: str = Field(pattern=_ID)
    user: str = Field(pattern=_ID)
    home: str = Field(pattern=_ID, description="the user's own workspace, another one with Slack Connect")


class Click(Noun):
    """One press of a button under a proposal."""

    kind: Literal["click"] = "click"
    key: str = Field(description="the same press delivered twice has the same key")
    by: Clicker
    proposal: str = Field(pattern=DIGEST)
    verdict: Verdict
    channel: str = Field(pattern=_ID)
    ts: str = Field(pattern=_TS, description="the message")
    thread: str | None = Field(default=None, pattern=_TS)


class Submission(Noun):
    """One form that was sent. What was typed is text until it is checked."""

    kind: Literal["submission"] = "submission"
    key: str
    by: Clicker
    proposal: str = Field(pattern=DIGEST)
    verdict: Verdict
    channel: str = Field(pattern=_ID)
    thread: str | None = Field(default=None, pattern=_TS)
    reason: str = Field(default="", max_length=LONGEST)
    words: str = Field(default="", max_length=LONGEST)
    amount: str | None = Field(default=None, max_length=LONGEST)


def understood(envelope_id: str, payload: Mapping[str, Any]) -> Click | Submission | None:
    """What an interactive payload says, or None when it is none of ours or not of the documented shape."""
    try:
        if payload.get("type") == "block_actions":
            return _click(payload)
        if payload.get("type") == "view_submission" and payload["view"]["callback_id"] == FORM:
            return _submission(envelope_id, payload)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ValidationError):
        return None
    return None


def _clicker(payload: Mapping[str, Any]) -> Clicker:
    user = payload["user"]
    return Clicker(team=payload["team"]["id"], user=user["id"], home=user.get("team_id") or payload["team"]["id"])


def _click(payload: Mapping[str, Any]) -> Click | None:
    (action,) = payload["actions"]
    if not action["action_id"].startswith(RULE):
        return None
    by, message = _clicker(payload), payload["container"]
    return Click(
        key=f"click:{by.team}:{by.user}:{action['action_ts']}:{action['action_id']}"[:200],
        by=by,
        proposal=action["value"],
        verdict=Verdict(action["action_id"].removeprefix(RULE)),
        channel=message["channel_id"],
        ts=message["message_ts"],
        thread=message.get("thread_ts"),
    )


def _submission(envelope_id: str, payload: Mapping[str, Any]) -> Submission:
    view = payload["view"]
    about = About.model_validate_json(view["private_metadata"])
    state = view["state"]["values"]
    if not re.fullmatch(r"[\w-]{1,100}", envelope_id):
        raise ValueError("an envelope has an id")
    chosen = state.get(REASON, {}).get(REASON, {}).get("selected_option") or {}
    return Submission(
        key=f"form:{envelope_id}",
        by=_clicker(payload),
        **about.model_dump(),
        reason=chosen.get("value") or "",
        words=state.get(WORDS, {}).get(WORDS, {}).get("value") or "",
        amount=state.get(AMOUNT, {}).get(AMOUNT, {}).get("value"),
    )


class About(Noun):
    """What a form is about: kept in its private metadata."""

    proposal: str = Field(pattern=DIGEST)
    verdict: Verdict
    channel: str = Field(pattern=_ID)
    thread: str | None = Field(default=None, pattern=_TS)
