"""What is wrong with a written file, and where in it."""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """What is wrong, where in the document, and what would be right."""

    place: Place
    what: str
    remedy: str = ""
