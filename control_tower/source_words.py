"""The words that name a source: a kind, or a kind and a path, and several laid over one another by `+`."""

from __future__ import annotations

import re
from pathlib import Path

KINDS = ("shop", "folder", "shopify", "stripe", "woocommerce", "tracking")
# A + may stand in the name of a folder: only one before a kind of source begins the next.
NEXT = re.compile(rf"\+(?=(?:{'|'.join(KINDS[1:])}):)")


def words_of(source: str) -> list[str]:
    """The words of sources that are laid over one another, as in `folder:EXPORT+tracking:FOLDER`."""
    return NEXT.split(source)


def placed(source: str, folder: Path = Path()) -> str:
    """A source with its paths in full, from a folder."""
    words = [word.partition(":") for word in words_of(source)]
    return "+".join(
        f"{kind}:{(folder / Path(path).expanduser()).resolve()}" if path and kind in KINDS[1:] else kind + colon + path
        for kind, colon, path in words
    )
