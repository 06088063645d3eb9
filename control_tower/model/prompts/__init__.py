"""Prompts: text files by name and version. A version that was used is never changed; a better one is a new version."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from control_tower.errors import NotFound
from control_tower.nouns import Noun


class Prompt(Noun):
    """One version of what a model is told."""

    name: str
    version: int
    text: str

    @property
    def reference(self) -> str:
        """Name and version, as in brief@1."""
        return f"{self.name}@{self.version}"


@lru_cache(maxsize=32)
def prompt(reference: str) -> Prompt:
    """A prompt by reference.

    Raises:
        NotFound: there is no such version.
    """
    name, _, version = reference.partition("@")
    file = resources.files(__name__) / f"{reference}.txt"
    if not version.isdecimal() or not file.is_file():
        raise NotFound(f"there is no prompt {reference!r}")
    return Prompt(name=name, version=int(version), text=file.read_text("utf-8").strip())
