"""Leaks: what in a text to a customer tells what only the shop knows, or promises what nobody has decided.

It reads the final text, whoever wrote it. It is strict on purpose: a harmless sentence that is refused costs a person
another wording, a sentence that leaks can't be taken back. Words with look-alike letters, spaced letters and invisible
characters are read as a customer reads them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from control_tower.nouns import Noun
from policies.messages import Messages

# Cyrillic and Greek letters that are drawn as Latin ones.
LOOK_ALIKE = str.maketrans(
    "аеорсухіјѕԁһгкмтвнαοεικνρτυχıɡ",
    "aeopcyxijsdhrkmtbhaoeikvptuxig",
)
LEET = str.maketrans("013457@$", "oieastas")
SPACED = re.compile(r"(?<!\w)(?:\w[\s._*|-]{1,3}){3,}\w(?!\w)")
LINK = re.compile(
    r"(?:https?://|www\.)([^\s/<>\"')]+)|\b((?:[a-z0-9-]+\.)+(?:com|net|org|io|shop|store|info|example|[a-z]{2}))\b"
)
MARKUP = re.compile(r"[<>{}`|\\]|\]\(|\*\*|__")
NUMBER = re.compile(r"\d[\d.,:/-]*")
BETWEEN = r"\W+(?:\w+\W+){0,4}?"


class Leak(Noun):
    """What was found, and why it may not be read."""

    found: str
    because: str


def leaks(text: str, messages: Messages, draft: str, hidden: Iterable[str] = ()) -> tuple[Leak, ...]:
    """Everything in a final text that a customer may not read; nothing if it may be sent.

    Args:
        draft: what the approved template says in this case; its numbers are known to the customer.
        hidden: names and values that only the shop knows: rules, facts, hashes.
    """
    found = [Leak(found=word, because=because) for word, because in _words(text, messages)]
    readings = _readings(text)
    for secret in hidden:
        told = " ".join(_folded(secret).replace("_", " ").split())
        if len(told) > 3 and any(re.search(rf"(?<!\w){re.escape(told)}(?!\w)", one) for one in readings):
            found.append(Leak(found=secret, because="only the shop knows it"))
    known = set(NUMBER.findall(draft)) | {one.strip(".,:/-") for one in NUMBER.findall(draft)}
    digits = [one.strip(".,:/-") for one in NUMBER.findall(unicodedata.normalize("NFKC", text))]
    found += [Leak(found=one, because="a number that is not the customer's") for one in digits if one not in known]
    hosts = [a or b for a, b in LINK.findall(_folded(text)) if (a or b) not in _folded(draft)]
    found += [Leak(found=host, because="a link to elsewhere") for host in hosts if host not in messages.hosts]
    found += [Leak(found=mark, because="markup") for mark in MARKUP.findall(text)]
    hiding = [one for one in text if unicodedata.category(one) in ("Cf", "Co", "Cs", "Cn") or one in "\u2028\u2029"]
    found += [Leak(found=f"U+{ord(one):04X}", because="a character that is not seen") for one in hiding[:1]]
    if len(text) > messages.longest:
        found.append(Leak(found=f"{len(text)} characters", because=f"longer than {messages.longest}"))
    if not text.strip():
        found.append(Leak(found="nothing", because="there is nothing to read"))
    return tuple(dict.fromkeys(found))


def _words(text: str, messages: Messages) -> Iterable[tuple[str, str]]:
    for never in messages.never:
        for pattern in never.patterns:
            compiled = _pattern(pattern)
            for reading in _readings(text):
                if said := compiled.search(reading):
                    yield said[0], never.because
                    break


@lru_cache(maxsize=2000)
def _pattern(written: str) -> re.Pattern[str]:
    """`word*` any ending, `one...two` a few words between, a space any space."""
    parts = []
    for part in written.split("..."):
        words = [re.escape(_folded(word.rstrip("*"))) + (r"\w*" if word.endswith("*") else "") for word in part.split()]
        parts.append(r"[\W_]+".join(words))
    return re.compile(r"(?<![^\W_])" + BETWEEN.join(parts) + r"(?![^\W_])")


def _readings(text: str) -> list[str]:
    """A text as it is read: folded, with spaced letters together, and with digits as the letters they stand for."""
    folded = _folded(text)
    together = SPACED.sub(lambda run: re.sub(r"[\s._*|-]", "", run[0]), folded)
    return list(dict.fromkeys((folded, together, together.translate(LEET))))


def _folded(text: str) -> str:
    """Without case, accents, width, invisible characters and look-alikes."""
    seen = "".join(one for one in text if unicodedata.category(one) not in ("Cf", "Cc", "Mn") or one in "\n\t")
    low = unicodedata.normalize("NFKD", seen).casefold().translate(LOOK_ALIKE)
    return "".join(one for one in low if unicodedata.category(one) != "Mn")
