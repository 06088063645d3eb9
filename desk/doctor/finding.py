"""What the doctor says of one part of the tower."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from control_tower.errors import TowerError
from control_tower.redaction import redacted

PATIENCE = 8.0
"""Seconds that any one part is waited for."""


class Finding(NamedTuple):
    """One part: how it is, and what to do about it; nothing to do where it is well."""

    part: str
    found: str
    remedy: str = ""


Look = Callable[[], Iterator[Finding]]


class Looking:
    """Looks at one part in a thread of its own, so that none keeps the others waiting."""

    def __init__(self, part: str, look: Look) -> None:
        self.part, self._look, self._found = part, look, list[Finding]()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._found.extend(looked(self.part, self._look))

    def findings(self) -> list[Finding]:
        """What was found, or that nothing answers."""
        self._thread.join(PATIENCE)
        found = list(self._found)
        if self._thread.is_alive():
            found.append(Finding(self.part, f"no answer in {PATIENCE:g} s", "see whether it runs, and the way to it"))
        return found


def looked(part: str, look: Look) -> Sequence[Finding]:
    """What a look finds, without secrets; a fault of its own is a finding, and its words may hold a secret."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except TowerError as fault:
        found.append(Finding(part, fault.what, fault.remedy or "see docs/keeping.md and the README"))
    except Exception as fault:  # noqa: BLE001 - one part that can't be looked at hides no other
        found.append(Finding(part, f"could not be looked at: {type(fault).__name__}", "see its own log"))
    return [Finding(*map(redacted, each)) for each in found]
