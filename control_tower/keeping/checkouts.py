"""The code of before: the commit of a repository whose sources are the ones that a record names."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from control_tower.keeping.code import ROOMS, version_of

FARTHEST = 500
"""Commits that are looked at, newest first."""


def unpack_code(version: str, into: Path, repository: Path) -> str:
    """Unpack the sources that a code version names.

    Returns:
        The commit, or nothing where no repository is there or none of its newest commits is that version.
    """
    for commit in _commits(repository):
        content = _git(repository, "archive", "--format=tar", commit, "--", *_rooms_of(repository, commit))
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            if version_of(_sources(archive)) == version:
                archive.extractall(into, filter="data")
                return commit
    return ""


def _commits(repository: Path) -> list[str]:
    if not (repository / ".git").exists():
        return []
    found = _git(repository, "log", "--format=%H", f"--max-count={FARTHEST}", "--", *ROOMS)
    return found.decode().split()


def _rooms_of(repository: Path, commit: str) -> list[str]:
    there = _git(repository, "ls-tree", "--name-only", commit).decode().split()
    return [room for room in ROOMS if room in there]


def _sources(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        if member.isfile() and (file := archive.extractfile(member)):
            yield member.name, file.read()


def _git(repository: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", str(repository), *words], capture_output=True, check=True).stdout
