"""External text made inert: it can say anything, and do nothing, in Slack and on a terminal.

Slack has no escape character beyond `&amp; &lt; &gt;`, so what would format, mention, link or draw an
emoji is replaced by a look-alike. The marks that are left (`*` and the backtick) are therefore ours.
"""

from __future__ import annotations

import re
import unicodedata

# Letters, marks and symbols that are drawn as nothing, beside the categories below.
_BLANK = frozenset(map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)))
_BLANK |= frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_STACKED = 2  # marks on one letter; more would be drawn over the lines above and below

_LOOK_ALIKE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'", "*": "∗", "~": "∼"})
_LOOSE_UNDERSCORES = re.compile(r"(?<!\w)_+|_+(?!\w)")  # SKU_1 is no italic, _SKU_ is
_EMOJI = re.compile(r":(?!\d\d:)(?=[\w+'-]{1,100}:)")  # 12:30:45 is none
_EVERYBODY = re.compile(r"@(?=(?:channel|here|everyone)\b)", re.IGNORECASE)
_OUR_MARKS = str.maketrans("", "", "*`")


def visible(text: str) -> str:
    """The text on one line, without what is not seen: controls, bidirectional and zero-width characters."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(_seen(text))
    return " ".join(text.split())


def _seen(text: str) -> list[str]:
    seen: list[str] = []
    stacked = 0
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cf", "Cs") or character in _BLANK:
            continue  # and starts no new stack: marks on both sides of it are on one letter
        stacked = stacked + 1 if category in ("Mn", "Me") else 0
        if category in ("Cc", "Zl", "Zp"):
            seen.append(" ")
        elif category in ("Co", "Cn"):
            seen.append("\ufffd")
        elif stacked <= _STACKED:
            seen.append(character)
    return seen


def inert(text: object, limit: int = 240) -> str:
    """External text as one line of Slack mrkdwn that is shown letter by letter and does nothing.

    Args:
        text: anything; its `str` is used.
        limit: the longest result, in UTF-16 units after escaping; what is cut off ends in "…".
    """
    full = str(text)
    shown = visible(full[: 8 * limit])
    escaped = _escaped(shown)
    if len(full) <= 8 * limit and length(escaped) <= limit:
        return escaped
    keep = min(len(shown), limit - 1)
    while keep and length(_escaped(shown[:keep])) >= limit:
        keep = keep * 7 // 8
    return f"{_escaped(shown[:keep].rstrip())}…"


def _escaped(text: str) -> str:
    text = text.translate(_LOOK_ALIKE).replace("://", "[:]//")
    text = _LOOSE_UNDERSCORES.sub(lambda run: "\uff3f" * len(run[0]), text)
    return _EVERYBODY.sub("\uff20", _EMOJI.sub("\ua789", text))


def length(text: str) -> int:
    """Length in UTF-16 units, the strictest way in which Slack may count characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def unmarked(text: str) -> str:
    """Our mrkdwn without our own marks: the same words as plain text, still escaped."""
    return text.translate(_OUR_MARKS)


def readable(text: str) -> str:
    """Escaped text as a person reads it on a terminal."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
