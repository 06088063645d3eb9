"""A folder that sources read, and that receives: a file is in it whole, and on disk, or not at all."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

HALF = ".part"
ABANDONED = 60.0
"""Seconds after which what is half written was left behind by a receiver that was killed."""


class ReceivingFolder:
    """One folder, for its owner alone: what it holds is about people.

    Args:
        place: made when it is not there; what a killed receiver left half written is taken away.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.chmod(0o700)
        for half in place.glob(f".*{HALF}"):
            if time.time() - half.stat().st_mtime > ABANDONED:
                half.unlink(missing_ok=True)

    def keep(self, name: str, content: bytes) -> bool:
        """Keep content under a name; whether it is new. It is on disk when this returns.

        Raises:
            OSError: it can't be written; nothing of it stays.
        """
        half = self._written(content)
        try:
            os.link(half, self.place / name)
            new = True
        except FileExistsError:
            new = False
        finally:
            half.unlink()
        self._settle()
        return new

    def _written(self, content: bytes) -> Path:
        opened, name = tempfile.mkstemp(dir=self.place, prefix=".", suffix=HALF)  # readable by its owner alone
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        return Path(name)

    def _settle(self) -> None:
        """A name is on disk when its folder is."""
        folder = os.open(self.place, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
