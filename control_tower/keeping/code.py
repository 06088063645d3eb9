"""Which code runs: the release, and a hash of every source file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import resources
from typing import Any

from control_tower import __version__

ROOMS = ("control_tower", "data_contracts", "policies", "tasks", "flows", "desk")
SOURCES = (".py", ".yaml", ".sql", ".txt", ".jinja")


@lru_cache(maxsize=1)
def code_version() -> str:
    """The release and a hash of every source file, so that an edited checkout does not pass for a release."""
    return version_of(
        (name, file.read_bytes()) for room in ROOMS for name, file in _sources(room, resources.files(room))
    )


def version_of(sources: Iterable[tuple[str, bytes]]) -> str:
    """What `code_version` says of these files.

    Args:
        sources: names from the rooms on, as in tasks/gather.py, and contents; others than sources are passed over.
    """
    found = hashlib.sha256()
    for name, content in sorted(sources):
        if name.partition("/")[0] in ROOMS and name.endswith(SOURCES):
            found.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return f"{__version__}+{found.hexdigest()[:12]}"


def _sources(name: str, folder: Any) -> Iterator[tuple[str, Any]]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(f"{name}/{entry.name}", entry)
        elif entry.name.endswith(SOURCES):
            yield f"{name}/{entry.name}", entry
