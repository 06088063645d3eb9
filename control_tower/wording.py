"""Letters as they are compared: without accent and case, each in its place."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """The text without accents and case; as long as the text, so that a place in one is the same place in the other."""
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    low = unicodedata.normalize("NFKD", character)[:1].casefold()
    return low if len(low) == 1 else character
