"""Reading quality: precision and recall of a reader on texts whose meaning people have labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from control_tower.nouns import Noun


@dataclass(frozen=True)
class Labelled:
    """A text, what it means, and under which name it is kept."""

    name: str
    text: str
    means: frozenset[str]


class Quality(Noun):
    """One label: how many texts have it, how many were read so, and how many of those rightly."""

    label: str
    labelled: int
    read: int
    right: int

    @property
    def precision(self) -> float | None:
        """The share of what was read so that is so; none where nothing was."""
        return self.right / self.read if self.read else None

    @property
    def recall(self) -> float | None:
        """The share of what is so that was read so; none where nothing is."""
        return self.right / self.labelled if self.labelled else None


class Measured(NamedTuple):
    """Every label, and all of them together."""

    labels: tuple[Quality, ...]
    together: Quality


def measured(
    texts: Iterable[Labelled], reader: Callable[[Labelled], frozenset[str]], labels: Iterable[str]
) -> Measured:
    """Precision and recall for each of some labels; other labels are not counted."""
    counted: Counter[tuple[str, str]] = Counter()
    asked = sorted(labels)
    for one in texts:
        read = reader(one)
        for label in asked:
            counted[label, "labelled"] += label in one.means
            counted[label, "read"] += label in read
            counted[label, "right"] += label in one.means and label in read
    rows = tuple(
        Quality(
            label=label, labelled=counted[label, "labelled"], read=counted[label, "read"], right=counted[label, "right"]
        )
        for label in asked
    )
    together = Quality(
        label="together",
        labelled=sum(row.labelled for row in rows),
        read=sum(row.read for row in rows),
        right=sum(row.right for row in rows),
    )
    return Measured(rows, together)
