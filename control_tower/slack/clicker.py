"""Who pressed the button: a member of our own workspace, as Slack itself says at that moment, or nobody.

Being in the channel gives no authority, and neither does an e-mail address: a guest may have an
approver's. Only the workspace and user id that an approver was enrolled with count, and only while
Slack calls that user a full, living, human member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from control_tower.errors import NotProved
from control_tower.slack.channel import SlackChannel, SlackTrouble
from control_tower.slack.interactions import Clicker

# In the order in which they are told. A flag that Slack leaves out is not taken for a no.
_MUST_BE_FALSE = {
    "deleted": "your Slack account is deactivated",
    "is_bot": "bots do not rule",
    "is_restricted": "guests do not rule, whatever their e-mail address is",
    "is_ultra_restricted": "guests do not rule, whatever their e-mail address is",
}
_MAY_BE_TRUE_FOR_NOBODY = {
    "is_stranger": "you are of another workspace",
    "is_app_user": "bots do not rule",
    "is_workflow_bot": "bots do not rule",
    "is_forgotten": "your Slack account is gone",
}
NOBODY = "USLACKBOT"  # which Slack does not call a bot


def prove_member(channel: SlackChannel, by: Clicker) -> None:
    """Return if this is a full member of the app's own workspace.

    Raises:
        NotProved: it is not, and why; said to that person.
        SlackTrouble: Slack did not say.
    """
    ours = channel.team()
    if by.team != ours or by.home != ours:
        raise NotProved("you are of another workspace than this tower", remedy="an approver of this one can rule")
    user = channel.user(by.user)
    if user.get("id") != by.user:
        raise SlackTrouble("Slack told of somebody else", "later")
    if objection := _objection(user, ours):
        raise NotProved(objection, remedy="a full member of this workspace who is enrolled can rule")


def _objection(user: Mapping[str, Any], ours: str) -> str:
    if user.get("team_id") != ours:
        return "you are of another workspace than this tower"
    if user["id"] == NOBODY:
        return "bots do not rule"
    for flag, said in _MUST_BE_FALSE.items():
        if user.get(flag) is not False:
            return said if user.get(flag) else f"Slack does not say whether you are {flag.removeprefix('is_')}"
    return next((said for flag, said in _MAY_BE_TRUE_FOR_NOBODY.items() if user.get(flag)), "")
