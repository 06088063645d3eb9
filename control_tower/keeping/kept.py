"""What is kept, as tasks hand it on: the address of a frame, and batches of nouns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from control_tower.nouns import Noun

N = TypeVar("N", bound=Noun)
Address = tuple[str, str, str]
"""Shelf, digest and suffix of a kept file. The digest is the SHA-256 of the file as it lies there."""
FRAME, NOUN = "parquet", "json.gz"


class Kept(BaseModel):
    """The address of a kept frame: what tasks hand on in place of the frame itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    digest: str = Field(description="SHA-256 of the Parquet file")
    rows: int
    columns: tuple[str, ...]
    contract: str = ""

    @property
    def address(self) -> Address:
        """Where it is kept."""
        return "frames", self.digest, FRAME


class Nouns(Generic[N]):
    """A batch of nouns that a task hands on. Not a list, so that Prefect does not walk through it."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[N] = ()) -> None:
        self.items = tuple(items)

    def __iter__(self) -> Iterator[N]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Lying(NamedTuple):
    """One file that lies in an archive."""

    address: Address
    size: int
    since: datetime
