"""One Slack channel: a message is posted once, changed later, and looked up when nobody knows.

What can go wrong with a call is one of four things, and the outbox needs to know which: Slack refused
the message, the message that should change is gone, nothing was posted and a later try may work, or
nobody knows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from socket import gaierror
from ssl import SSLCertVerificationError
from typing import Any, Literal, cast
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.web import SlackResponse

from control_tower.errors import TowerError
from control_tower.slack.escape import inert, visible
from control_tower.slack.tables import OutboxMessage

EVENT = "control_tower_message"
LONGEST_WAIT = 30  # seconds that one call waits for a rate limit, at most twice
LONGEST_LOOK = 120  # seconds; a deliverer's lease must outlast the look-up and the post
CLOCKS_DIFFER = timedelta(minutes=5)  # between this machine and Slack
PAGES = 50

_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}
_REFUSED = {
    "invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text",
    "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large", "thread_not_found",
    "cannot_reply_to_message", "restricted_action_thread_locked", "invalid_arguments",
}  # fmt: skip
_UNSURE = {"fatal_error", "internal_error", "service_unavailable", "request_timeout"}
_NEVER_SENT = (ConnectionRefusedError, gaierror, SSLCertVerificationError)
_ID = re.compile(r"[CGD][A-Z0-9]{8,}")
_SECRET = re.compile(r"\bx(?:ox[a-z]|app|wfp)[-.][\w.-]+|\bBearer\s+\S+", re.IGNORECASE)


class SlackTrouble(TowerError):
    """A call to Slack did not do what was asked.

    Args:
        kind: refused (this message, as it is), gone (the message to change), later (surely nothing was
            posted) or unsure (it may have been).
        wait: seconds that Slack asked for; everything else should wait too.
    """

    def __init__(self, what: str, kind: Literal["refused", "gone", "later", "unsure"], wait: int | None = None) -> None:
        self.kind, self.wait = kind, wait
        super().__init__(what, where="Slack")


@dataclass(frozen=True)
class Carried:
    """Where a message now is, and whether it was there before."""

    channel_id: str
    ts: str
    was_there: bool


def asked_wait(response: HttpResponse | SlackResponse) -> int:
    """Seconds that Slack asks to wait; an answer without a number counts as too long."""
    for name, value in response.headers.items():
        if name.lower() == "retry-after":
            value = value[0] if isinstance(value, list) else value
            return int(value) if re.fullmatch(r"\d{1,9}", value) else LONGEST_WAIT + 1
    return LONGEST_WAIT + 1


class SlackChannel:
    """One workspace, and the channel of it that a message goes to which names no other.

    Args:
        channel: its name, as in #control-tower, or its id.
    """

    def __init__(self, client: WebClient, channel: str) -> None:
        self._client = client
        self.channel = channel
        self._ids: dict[str, str] = {}
        self._me: set[str] = set()
        self._team = ""

    def carry(self, row: OutboxMessage, since: datetime | None) -> Carried:
        """Bring the message up to date in the channel: post it, change it, or find that it is there.

        Args:
            row: the message; `ts` says whether it was posted, and is filled in when it is found.
            since: when a post of it may have gone out without an answer; then it is looked up first.

        Raises:
            SlackTrouble: of each kind; nothing else.
        """
        if row.ts:
            return self._update(row, row.channel_id or self._known_id(row.channel), row.ts)
        began = time.monotonic()
        found = self._find(row, since) if since else None
        if found is None:
            if time.monotonic() - began > LONGEST_LOOK:
                raise SlackTrouble("the look-up took too long to act on", "unsure")
            return self._post(row)
        row.channel_id, row.ts, revision = found
        if revision == row.revision:
            return Carried(row.channel_id, row.ts, was_there=False)
        return self._update(row, row.channel_id, row.ts)

    def _post(self, row: OutboxMessage) -> Carried:
        reply = self._call(
            "chat_postMessage",
            channel=row.channel_id or row.channel or self.channel,
            thread_ts=row.thread_ts,
            mrkdwn=False,
            unfurl_links=False,
            unfurl_media=False,
            **_content(row),
        )
        if not row.channel_id and reply.get("channel"):
            self._ids[row.channel or self.channel] = str(reply["channel"])
        return self._carried(reply, was_there=False)

    def _update(self, row: OutboxMessage, channel_id: str, ts: str) -> Carried:
        reply = self._call("chat_update", channel=channel_id, ts=ts, **_content(row))
        return self._carried(reply, was_there=True)

    def _carried(self, reply: dict[str, Any], was_there: bool) -> Carried:
        if not (reply.get("ts") and reply.get("channel")):
            raise SlackTrouble("the answer names no message", "unsure")
        return Carried(str(reply["channel"]), str(reply["ts"]), was_there)

    def _find(self, row: OutboxMessage, since: datetime) -> tuple[str, str, str] | None:
        """Channel id, ts and revision of our message with this key, posted since; None if there is none."""
        try:
            channel_id = row.channel_id or self._channel_id(row.channel)
            me = self._identity()
            for message in self._messages(channel_id, row.thread_ts, since):
                metadata = message.get("metadata") or {}
                payload = metadata.get("event_payload") or {}
                ours = {message.get("user"), message.get("bot_id")} & me
                if ours and metadata.get("event_type") == EVENT and payload.get("key") == row.key:
                    return channel_id, str(message["ts"]), str(payload.get("revision"))
        except SlackTrouble as trouble:
            # Until a look-up has answered, nobody knows whether it was posted.
            raise SlackTrouble(f"could not look it up: {trouble.what}", "unsure", trouble.wait) from None
        except (AttributeError, KeyError, TypeError) as error:
            raise SlackTrouble(f"could not look it up: {type(error).__name__}", "unsure") from None
        return None

    def _messages(self, channel_id: str, thread_ts: str | None, since: datetime) -> Iterator[dict[str, Any]]:
        oldest = f"{(since - CLOCKS_DIFFER).timestamp():.6f}"
        where = {"channel": channel_id, "oldest": oldest, "include_all_metadata": True, "limit": 200}
        method = "conversations_replies" if thread_ts else "conversations_history"
        thread = {"ts": thread_ts} if thread_ts else {}
        for page in self._pages(method, **where, **thread):
            yield from page.get("messages") or []

    def _known_id(self, channel: str) -> str:
        """The id of a channel by its name, of our own by none; empty while it is not known."""
        named = channel or self.channel
        return named if _ID.fullmatch(named) else self._ids.get(named, "")

    def _channel_id(self, channel: str = "") -> str:
        named = channel or self.channel
        name = named.lstrip("#")
        if not self._known_id(named):
            pages = self._pages(
                "conversations_list",
                limit=1000,
                exclude_archived=True,
                types="public_channel,private_channel",
            )
            listed = (one for page in pages for one in page.get("channels") or [])
            self._ids[named] = next((str(one["id"]) for one in listed if one.get("name") == name), "")
        if not (known := self._known_id(named)):
            where = "set TOWER_SLACK_CHANNEL to its id" if named == self.channel else "give its id in the shops' file"
            raise SlackTrouble(f"no channel #{name} is listed; {where}", "later")
        return known

    def _identity(self) -> set[str]:
        if not self._me:
            reply = self._call("auth_test")
            self._me = {str(reply[name]) for name in ("user_id", "bot_id") if reply.get(name)}
        return self._me

    def team(self) -> str:
        """The id of the workspace that our token is for."""
        if not self._team:
            self._team = str(self._call("auth_test").get("team_id") or "")
        if not self._team:
            raise SlackTrouble("Slack does not say whose workspace this is", "later")
        return self._team

    def scopes(self) -> set[str]:
        """The scopes that our token has been granted."""
        headers = self._reply("auth_test").headers
        told = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), "")
        return {scope.strip() for scope in (told if isinstance(told, str) else ",".join(told)).split(",")}

    def may_connect(self, app_token: str) -> None:
        """Return if Slack would let this token listen."""
        self._call("apps_connections_open", app_token=app_token)

    def find(self, channel: str = "") -> str:
        """The id of a channel, of our own if none is named, if it can be seen and read."""
        found = self._channel_id(channel)
        self._call("conversations_history", channel=found, limit=1)
        return found

    def user(self, user: str) -> dict[str, Any]:
        """A user as Slack has it now."""
        found = self._call("users_info", user=user).get("user")
        if not isinstance(found, dict):
            raise SlackTrouble("Slack does not say who that is", "later")
        return found

    def open_form(self, trigger_id: str, view: dict[str, Any]) -> None:
        """Show a form to whoever caused the trigger, within the three seconds that it lives."""
        self._call("views_open", trigger_id=trigger_id, view=view)

    def tell_one(self, channel_id: str, user: str, text: str, thread_ts: str | None = None) -> None:
        """Say something that one person alone sees. It may be lost; nothing rests on it.

        Args:
            text: plain words, escaped here.
        """
        self._call(
            "chat_postEphemeral",
            channel=channel_id,
            user=user,
            text=inert(text, 1500),
            thread_ts=thread_ts,
            parse="none",
            link_names=False,
        )

    def _pages(self, method: str, **arguments: object) -> Iterator[dict[str, Any]]:
        cursor = None
        for _ in range(PAGES):
            page = self._call(method, cursor=cursor, **arguments)
            yield page
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
        raise SlackTrouble(f"more than {PAGES} pages to look through", "later")

    def _call(self, method: str, **arguments: object) -> dict[str, Any]:
        reply = self._reply(method, **arguments).data
        if not isinstance(reply, dict):
            raise SlackTrouble("the answer is not an object", "unsure")
        return reply

    def _reply(self, method: str, **arguments: object) -> SlackResponse:
        try:
            reply = getattr(self._client, method)(**arguments)
            _ = reply.data
        except SlackApiError as error:
            raise _understood(error, self.scrub) from None
        except (SlackClientError, HTTPException, OSError, ValueError, AttributeError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            kind: Literal["later", "unsure"] = "later" if isinstance(reason, _NEVER_SENT) else "unsure"
            raise SlackTrouble(self.scrub(f"{type(error).__name__}: {error}"), kind) from None
        return cast(SlackResponse, reply)

    def scrub(self, text: str) -> str:
        """One line of at most 300 characters that holds no token."""
        if self._client.token:
            text = text.replace(self._client.token, "[token]")
        return visible(_SECRET.sub("[token]", text))[:300]


def _content(row: OutboxMessage) -> dict[str, Any]:
    return {
        "text": row.text,
        "blocks": row.blocks,
        "metadata": {"event_type": EVENT, "event_payload": {"key": row.key, "revision": row.revision}},
        "parse": "none",  # chat.update alone would turn names and addresses into links
        "link_names": False,
    }


def _understood(error: SlackApiError, scrub: Callable[[str], str]) -> SlackTrouble:
    """What an answer that is not ok means for the message."""
    response = error.response
    body = response.data if isinstance(response.data, dict) else {}
    code = str(body.get("error") or f"HTTP {response.status_code}")
    if response.status_code == 429 or code in ("ratelimited", "rate_limited"):
        return SlackTrouble("ratelimited", "later", asked_wait(response))
    if response.status_code >= 500 or code in _UNSURE or not re.fullmatch(r"[a-z0-9_]+", code):
        return SlackTrouble(scrub(f"HTTP {response.status_code}: {code}"), "unsure")
    if code in _GONE:
        return SlackTrouble(code, "gone")
    what = f"{code}: {body['needed']}" if body.get("needed") else code  # the scope that the token lacks
    return SlackTrouble(scrub(what), "refused" if code in _REFUSED else "later")
