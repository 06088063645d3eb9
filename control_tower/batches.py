"""Many things in parts, each of a size that one statement or one request can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in their order, so many at a time; the last part may be shorter, and of nothing there is none.

    Raises:
        ValueError: the size is less than one.
    """
    if size < 1:
        raise ValueError(f"a batch holds one thing at least, not {size}")
    return (items[start : start + size] for start in range(0, len(items), size))
