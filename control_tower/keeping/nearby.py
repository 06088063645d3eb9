"""Files of a bucket that this machine holds, so that what was just kept or read is not fetched again."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path

from control_tower.keeping.kept import Address

CACHED = 8 << 30
"""Bytes that are held at the most."""


class Nearby:
    """A folder of this process, gone with it; what was read least lately goes first."""

    @cached_property
    def folder(self) -> Path:
        """Where they lie."""
        self._held = tempfile.TemporaryDirectory(prefix="tower-kept-")  # removed when this object goes
        return Path(self._held.name)

    def find(self, address: Address) -> Path | None:
        """A file that is held, as just read."""
        file = self._path(address)
        if not file.exists():
            return None
        file.touch()
        return file

    def hold(self, fetched: Path, address: Address) -> Path:
        """Take a file in, and let go of others where there are too many."""
        file = self._path(address)
        file.parent.mkdir(parents=True, exist_ok=True)
        fetched.replace(file)
        there = sorted(self.folder.glob("*/*.*"), key=lambda each: each.stat().st_mtime)
        size = sum(each.stat().st_size for each in there)
        for each in there[:-1]:
            if size <= CACHED:
                break
            size -= each.stat().st_size
            each.unlink()
        return file

    def drop(self, address: Address) -> None:
        """Hold a file no longer."""
        self._path(address).unlink(missing_ok=True)

    def _path(self, address: Address) -> Path:
        return self.folder / address[0] / f"{address[1]}.{address[2]}"
