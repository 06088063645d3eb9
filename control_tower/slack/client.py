"""Whom the tower talks to: a Slack workspace through slack-sdk, or the console when there is no token."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState

from control_tower.errors import SettingError
from control_tower.settings import Settings
from control_tower.slack.channel import LONGEST_WAIT, SlackChannel, asked_wait
from control_tower.slack.escape import readable

CONSOLE_CASES = 5


class _BoundedWait(RateLimitErrorRetryHandler):
    """The SDK's own handler, which would sleep for as long as it is told to."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        return response is not None and response.status_code == 429 and asked_wait(response) <= LONGEST_WAIT


def slack_client(settings: Settings, *, timeout: int = 10) -> WebClient | None:
    """The client of the workspace that the token is for; None without a token.

    It retries after a rate limit only: the SDK's default would post again when a reply is lost.

    Raises:
        SettingError: the token can't be one, or would cross the network in the clear.
    """
    token = _token(settings.slack_token, "TOWER_SLACK_TOKEN")
    if token is None:
        return None
    url = urlsplit(settings.slack_api_url)
    if url.scheme != "https" and url.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise SettingError("the Slack API is https, or on this machine", where="TOWER_SLACK_API_URL")
    # Every failure is kept in the outbox, scrubbed; the SDK would log it as it came.
    logger = logging.getLogger("control_tower.slack.sdk")
    logger.setLevel(logging.CRITICAL)
    return WebClient(
        token=token,
        base_url=settings.slack_api_url,
        timeout=timeout,
        logger=logger,
        retry_handlers=[_BoundedWait(max_retry_count=2)],
    )


def app_token(settings: Settings) -> str | None:
    """The app-level token, with which Slack is listened to; None without one.

    Raises:
        SettingError: it is none.
    """
    token = _token(settings.slack_app_token, "TOWER_SLACK_APP_TOKEN")
    if token and not token.startswith("xapp-"):
        raise SettingError(
            "an app-level token begins with xapp-",
            where="TOWER_SLACK_APP_TOKEN",
            remedy="the bot token, xoxb-, is TOWER_SLACK_TOKEN",
        )
    return token


def _token(secret: SecretStr | None, name: str) -> str | None:
    token = secret.get_secret_value().strip() if secret else ""
    if not re.fullmatch(r"[!-~]*", token):
        raise SettingError("the Slack token has a space or a letter that no token has", where=name)
    return token or None


def open_channel(settings: Settings, write: Callable[[str], None] | None = None) -> SlackChannel | Console:
    """The channel that the settings name, or the console when there is no token."""
    client = slack_client(settings)
    return SlackChannel(client, settings.slack_channel) if client else Console(write or write_out)


def write_out(text: str) -> None:
    """Print, with a question mark for what the terminal can't show."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


class Console:
    """The console: every digest, and the first cases of a delivery."""

    def __init__(self, write: Callable[[str], None] = write_out) -> None:
        self.write = write

    def show(self, messages: list[tuple[str, str]], left: int = 0) -> None:
        """Write (key, text) pairs: digests in full, then the first cases and how many more there are.

        Args:
            left: how many beside these the outbox holds.
        """
        cases = [text for key, text in messages if not key.startswith("digest:")]
        for text in [text for key, text in messages if key.startswith("digest:")] + cases[:CONSOLE_CASES]:
            self.write(readable(text) + "\n")
        if more := max(len(cases) - CONSOLE_CASES, 0) + left:
            self.write(f"and {more:,} more messages are in the outbox")
