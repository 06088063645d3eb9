"""Personal data in a text, replaced before it leaves: the record's own values, and what is proved to be such a thing.

A token is keyed: who has the text alone can't tell whose value it stands for, the same value of the same case has the
same token, and of another case another one.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

from control_tower.slack.escape import visible
from control_tower.wording import folded

SHORTEST = 3  # characters of an own value that is worth replacing
TOKEN = re.compile(r"<[A-Z_]{2,40}_[0-9a-f]{12}>")


def tower_key(folder: Path) -> bytes:
    """The tower's own key for tokens, made when first asked for; it never leaves this folder."""
    path = folder / "model.key"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(32))
    except FileExistsError:
        pass
    return path.read_bytes()


def luhn(digits: str) -> bool:
    """Whether a card's number ends in its own check digit."""
    odd = sum(int(one) for one in digits[-1::-2])
    even = sum(sum(divmod(2 * int(one), 10)) for one in digits[-2::-2])
    return (odd + even) % 10 == 0


def _is_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return 13 <= len(digits) <= 19 and luhn(digits)


def _is_iban(text: str) -> bool:
    """ISO 13616: moved, lettered and divided by 97 leaves 1."""
    plain = re.sub(r"\s", "", text).upper()
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _is_cpf(text: str) -> bool:
    """Receita Federal: two check digits, each weighted from the one before it."""
    digits = [int(one) for one in text if one.isdecimal()]
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for length in (9, 10):
        total = sum(digit * (length + 1 - place) for place, digit in enumerate(digits[:length]))
        if total * 10 % 11 % 10 != digits[length]:
            return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_phone(text: str) -> bool:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()):
        return False
    return 8 <= len(re.sub(r"\D", "", text)) <= 15


PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("EMAIL", re.compile(r"[^\s<>@,;:()\"]{1,64}@[\w.-]{1,190}\.\w{2,24}"), lambda _: True),
    ("LINK", re.compile(r"(?:https?://|www\.)[^\s<>]{1,400}", re.IGNORECASE), lambda _: True),
    ("IBAN", re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{1,4}){3,8}(?![A-Za-z0-9])"), _is_iban),
    ("CPF", re.compile(r"(?<!\d)\d{3}\.?\d{3}\.?\d{3}-?\d{2}(?!\d)"), _is_cpf),
    ("CARD", re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)"), _is_card),
    ("ADDRESS", re.compile(r"(?<![\w.])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]+)(?![\w.])"),
     _is_address),
    ("PHONE", re.compile(r"(?<![\w.])\+?\(?\d[\d ()./-]{6,22}\d(?!\w)"), _is_phone),
    ("NUMBER", re.compile(r"\d{9,}"), lambda _: True),
)  # fmt: skip


def cleaned(text: str, limit: int) -> str:
    """A text on one line, without what is not seen or looks like a token of ours, and not longer than `limit`."""
    return visible(unicodedata.normalize("NFC", text[: 8 * limit])).replace("<", "‹").replace(">", "›")[:limit]


class Redactor:
    """Replaces and restores, for one case."""

    def __init__(self, key: bytes, case: str, own: Mapping[str, str]) -> None:
        """Keyed for a case.

        Args:
            own: the record's own values by the name of their field; they become `<FIELD_…>`.
        """
        self._key = hmac.digest(key, case.encode(), hashlib.sha256)
        self._values: dict[str, str] = {}
        longest_first = sorted(((value, name) for name, value in own.items()), key=lambda pair: -len(pair[0]))
        self._own = [(name.upper(), _alike(value)) for value, name in longest_first if len(value.strip()) >= SHORTEST]

    def redact(self, text: str, limit: int) -> str:
        """The text on one line, shortened to `limit` characters first, with tokens in place of personal data."""
        clean = cleaned(text, limit)
        for name, pattern in self._own:
            for found in reversed(list(pattern.finditer(folded(clean)))):
                if not _inside_token(clean, found.start()):
                    clean = (
                        clean[: found.start()] + self._token(name, clean[slice(*found.span())]) + clean[found.end() :]
                    )
        for name, pattern, proved in PATTERNS:
            clean = self._by_pattern(clean, name, pattern, proved)
        return clean

    def _by_pattern(self, text: str, name: str, pattern: re.Pattern[str], proved: Callable[[str], bool]) -> str:
        parts, ends = [], 0
        for token in TOKEN.finditer(text):  # between tokens, never in them
            parts += [self._replaced(text[ends : token.start()], name, pattern, proved), token[0]]
            ends = token.end()
        return "".join([*parts, self._replaced(text[ends:], name, pattern, proved)])

    def _replaced(self, text: str, name: str, pattern: re.Pattern[str], proved: Callable[[str], bool]) -> str:
        return pattern.sub(lambda found: self._token(name, found[0]) if proved(found[0]) else found[0], text)

    def _token(self, name: str, value: str) -> str:
        mark = hmac.new(self._key, f"{name}:{folded(value)}:{value}".encode(), hashlib.sha256).hexdigest()[:12]
        token = f"<{name}_{mark}>"
        self._values[token] = value
        return token

    def restore(self, text: str) -> str:
        """The text with what its tokens stand for; here only, and for people who may see the case."""
        return TOKEN.sub(lambda token: self._values.get(token[0], token[0]), text)


def _alike(value: str) -> re.Pattern[str]:
    """A value however it is written: any case, with or without accents, its words with any space between."""
    words = [re.escape(folded(word)) for word in value.replace("<", "‹").replace(">", "›").split()]
    return re.compile(r"(?<!\w)" + r"\s+".join(words) + r"(?!\w)")


def _inside_token(text: str, place: int) -> bool:
    return any(token.start() <= place < token.end() for token in TOKEN.finditer(text))
