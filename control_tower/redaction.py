"""No secret in any log, artifact, message or error: what looks like one, or is known to be one, is struck out."""

from __future__ import annotations

import json
import logging
import re
import traceback
from typing import Any

STRUCK = "[secret]"
SECRETS = re.compile(
    r"\b(?:sk|rk)_(?:live|test)_\w+|\bwhsec_\w+"  # Stripe
    r"|\bxox[a-z]-[\w-]{8,}|\bxapp-[\w-]{8,}"  # Slack
    r"|\bshp(?:at|ca|pa|ss)_\w+"  # Shopify
    r"|\btower_[\w-]{40,}"  # an approver's token
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # name and password in a URL
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}"  # an HTTP header
)
MARKS = ("_live_", "_test_", "whsec_", "xox", "xapp-", "shpat_", "shpca_", "shppa_", "shpss_", "tower_")
HEADERS = ("bearer ", "basic ")
WITH_A_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
SHORTEST = 6
_known: set[str] = set()


def remember(secret: str) -> str:
    """Strike out this very text from now on; one too short to be told from a word is not remembered."""
    if len(secret) >= SHORTEST:
        _known.add(secret)
    return secret


def redacted(text: str) -> str:
    """The text without secrets."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, STRUCK)
    return SECRETS.sub(STRUCK, text) if _marked(text) else text


def _marked(text: str) -> bool:
    """Whether any pattern can match at all: to look for words takes a tenth of what matching takes."""
    folded = text.casefold()
    return any(mark in folded for mark in (*MARKS, *HEADERS)) or bool(WITH_A_PASSWORD.search(text))


def scrubbed(content: Any) -> Any:
    """JSON content without secrets, whatever it holds them in."""
    if isinstance(content, str):
        return redacted(content)
    text = json.dumps(content, default=str, ensure_ascii=False)
    return content if redacted(text) == text else _scrubbed(content)


def _scrubbed(content: Any) -> Any:
    if isinstance(content, str):
        return redacted(content)
    if isinstance(content, dict):
        return {redacted(str(name)): _scrubbed(value) for name, value in content.items()}
    return [_scrubbed(value) for value in content] if isinstance(content, list | tuple) else content


def guard_logs() -> None:
    """Every log record of this process is made without secrets, whoever writes it; a second call does nothing."""
    make = logging.getLogRecordFactory()
    if getattr(make, "guards", False):
        return

    def guarded(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        try:
            said = record.getMessage()
        except (TypeError, ValueError):
            return record  # malformed; the handler tells
        if (clean := redacted(said)) != said:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[0] is not None:
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            if (clean := redacted(told)) != told:
                record.exc_text, record.exc_info = clean, None
        return record

    guarded.guards = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(guarded)
