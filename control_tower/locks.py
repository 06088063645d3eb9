"""Locks on files: a process holds one while it lives, and the kernel drops it however the process dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def take(file: IO[str]) -> bool:
    """Take the lock of an open file for oneself alone; False, at once, when others have it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_taken(path: Path) -> bool:
    """Whether anybody has the lock of this file, alone or shared."""
    with path.open("a") as file:
        return not take(file)


@contextmanager
def shared(path: Path) -> Iterator[IO[str]]:
    """Share a file's lock for as long as the block lasts; waits while somebody has it alone."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


def alone(file: IO[str]) -> bool:
    """Give up one's share of a lock, and take it alone if nobody else has a share."""
    fcntl.flock(file, fcntl.LOCK_UN)
    return take(file)
