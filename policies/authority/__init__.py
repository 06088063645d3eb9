"""Who may approve what: `authority.yaml`, read, linted, and asked by whoever writes a ruling."""

from __future__ import annotations

from pathlib import Path

from policies.authority.checks import faults
from policies.authority.granting import WrittenAuthority
from policies.authority.inheriting import inherited, says
from policies.papers import HOUSE, read_paper

SHIPPED = HOUSE / "authority.yaml"

__all__ = ["SHIPPED", "WrittenAuthority", "authority", "says"]


def authority(file: Path | None = None, house: Path | None = None) -> WrittenAuthority:
    """The written authority; read again when its file has changed.

    Args:
        house: what a file inherits that says so, as a shop's own does; the shipped one when left out.

    Raises:
        PolicyError: it is malformed, or its parts contradict one another; names file and line.
    """
    own = file or SHIPPED
    return inherited(own, house or SHIPPED) or read_paper(WrittenAuthority, own, faults)
