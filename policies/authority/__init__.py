"""Who may approve what: `authority.yaml`, read, linted, and asked by whoever writes a ruling."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from policies.authority.checks import faults
from policies.authority.granting import WrittenAuthority
from policies.plain_yaml import plain
from policies.refusals import refusal
from policies.validation import content_of, tree, validated

SHIPPED = Path(__file__).parents[1] / "authority.yaml"

__all__ = ["SHIPPED", "WrittenAuthority", "authority"]


def authority(file: Path | None = None) -> WrittenAuthority:
    """The written authority; read again when its file has changed.

    Raises:
        PolicyError: it is malformed, or its parts contradict one another; names file and line.
    """
    path = file or SHIPPED
    return _read(str(path), content_of(path))


@lru_cache(maxsize=8)
def _read(file: str, content: bytes) -> WrittenAuthority:
    written = tree(file, content)
    found = validated(WrittenAuthority, plain(written), written, file)
    if wrong := faults(found):
        raise refusal(wrong, written, file)
    return found
