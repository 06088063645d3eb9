"""Who may approve what: `authority.yaml`, read, linted, and asked by whoever writes a ruling."""

from __future__ import annotations

from pathlib import Path

from policies.authority.checks import faults
from policies.authority.granting import WrittenAuthority
from policies.papers import HOUSE, read_paper

SHIPPED = HOUSE / "authority.yaml"

__all__ = ["SHIPPED", "WrittenAuthority", "authority"]


def authority(file: Path | None = None) -> WrittenAuthority:
    """The written authority; read again when its file has changed.

    Raises:
        PolicyError: it is malformed, or its parts contradict one another; names file and line.
    """
    return read_paper(WrittenAuthority, file or SHIPPED, faults)
