"""A folder that sources read, and that receives: a file is in it whole, and on disk, or not at all."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

HALF = ".part"
GONE = "gone"
"""The folder inside of the names of what was let go: it holds nothing of it, and what comes again is known."""
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

        What was let go is not new: it was here, and stays away however often it is sent again.

        Raises:
            OSError: it can't be written; nothing of it stays.
        """
        if self._gone(name).exists():
            return False
        half = self._written(content)
        try:
            os.link(half, self.place / name)
            new = True
        except FileExistsError:
            new = False
        finally:
            half.unlink()
        if self._gone(name).exists():  # it was let go at this very moment
            (self.place / name).unlink(missing_ok=True)
            new = False
        _settle(self.place)
        return new

    def put(self, name: str, content: bytes) -> None:
        """Put other content in the place of a file. It came when it came: its time stays.

        Raises:
            OSError: it can't be written; the file is as it was.
        """
        there = (self.place / name).stat()
        half = self._written(content)
        os.utime(half, ns=(there.st_atime_ns, there.st_mtime_ns))
        half.replace(self.place / name)
        _settle(self.place)

    def let_go(self, name: str) -> None:
        """Take a file away for good. Its name is written down first: killed between, it goes the next time."""
        self._gone(name).parent.mkdir(exist_ok=True, mode=0o700)
        self._gone(name).touch(mode=0o600)
        _settle(self._gone(name).parent)
        (self.place / name).unlink(missing_ok=True)

    def _gone(self, name: str) -> Path:
        return self.place / GONE / name

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


def _settle(place: Path) -> None:
    """A name is on disk when its folder is."""
    folder = os.open(place, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
