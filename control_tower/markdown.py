"""Foreign text inside Markdown of ours, as both of Prefect's UIs and the terminal show it."""

from __future__ import annotations

import re

LONGEST = 500
# Backslashes, for one of Prefect's UIs shows entities as they are written.
_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]|!#~<>&:"})
# What Prefect's UIs make a link of wherever it stands, also where its marks are escaped: measured in both.
_LINKS = re.compile(r":(?=//)|(?<=www)\.|@(?=[-\w]+\.)", re.IGNORECASE)
# What begins a list or a rule where a line begins.
_BEGINS = re.compile(r"^(\d*)([-+.)])(?=[ -]|$)")


def inert(text: object) -> str:
    """One line of it that formats nothing, links nothing and fetches nothing; what is too long is cut."""
    shown = str(text)[: LONGEST + 1]
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in shown[:LONGEST]).split())
    defanged = _LINKS.sub(lambda found: f"[{found[0]}]", line)
    return _BEGINS.sub(r"\1\\\2", defanged.translate(_MARKS)) + ("…" if len(shown) > LONGEST else "")
