"""Differences: where two versions' outcomes part, subject by subject."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.backtest.outcomes import Codes, Flags, Outcomes

NO, UNKNOWN, YES = 0, 1, 2
ANSWERS = ("no", "unknown", "yes")
ASKED = ("gained", "lost", "amended")
MIXER = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no bit is lost


class Differences:
    """Two versions' outcomes for the same facts, side by side."""

    def __init__(self, before: Outcomes, after: Outcomes) -> None:
        self.before, self.after = before, after
        self.kinds = tuple(dict.fromkeys((*before.policy.kinds, *after.policy.kinds)))

    def turns(self, kind: str) -> dict[str, Flags]:
        """The subjects about which the answer turned, by how; one that was or becomes unknown counts as that."""
        was, now = self.before.answers(kind), self.after.answers(kind)
        return {
            "newly found": (was == NO) & (now == YES),
            "no longer found": (was == YES) & (now == NO),
            "became unknown": (was != UNKNOWN) & (now == UNKNOWN),
            "became known": (was == UNKNOWN) & (now != UNKNOWN),
        }

    @cached_property
    def asked(self) -> pd.DataFrame:
        """The proposals that differ: row, action, how (of ASKED), amount_before, amount_after."""
        key = ["row", "action", "target"]
        both = self.before.asked.merge(self.after.asked, on=key, how="outer", suffixes=("_before", "_after"))
        was, now = both["amount_before"], both["amount_after"]
        both["how"] = np.select([was.isna(), now.isna(), was != now], ASKED, default="")
        both = both[both["how"] != ""].fillna({"amount_before": 0, "amount_after": 0})
        return both.astype({"amount_before": np.int64, "amount_after": np.int64}).reset_index(drop=True)

    @cached_property
    def severity_moved(self) -> npt.NDArray[np.int8]:
        """By how many steps each subject's severity differs; nothing found is a step below the least."""
        moved: npt.NDArray[np.int8] = np.abs(self.after.severity - self.before.severity)
        return moved

    @cached_property
    def money_moved(self) -> Codes:
        """How much money is at stake in each subject's differences, in minor units: proposed or at risk."""
        moved = np.abs(self.after.money - self.before.money)
        change = np.zeros(len(moved), dtype=np.int64)
        np.add.at(change, self.asked["row"], np.abs(self.asked["amount_after"] - self.asked["amount_before"]))
        return np.asarray(np.maximum(moved, change))

    @cached_property
    def pattern(self) -> npt.NDArray[np.uint64]:
        """A number for each set of differences that a subject can have; 0 where there is none."""
        pattern = np.zeros(len(self.before.severity), dtype=np.uint64)
        for place, (_, rows) in enumerate(self._each(), start=1):
            pattern[rows] = pattern[rows] * MIXER + np.uint64(place)
        return pattern

    def told(self, rows: npt.NDArray[np.intp]) -> list[tuple[str, ...]]:
        """The differences of a few subjects, in words."""
        several: list[list[str]] = [[] for _ in rows]
        for name, differing in self._each():
            for words, differs in zip(several, differing[rows], strict=True):
                words += [name] if differs else []
        return [tuple(words) for words in several]

    def _each(self) -> Iterator[tuple[str, Flags]]:
        """Each difference there is, and the subjects that have it; weights only where nothing else differs."""
        plain = np.ones(len(self.before.severity), dtype=bool)
        for kind in self.kinds:
            for turn, rows in self.turns(kind).items():
                plain &= ~rows
                yield f"{kind}: {turn}", rows
        for (action, how), asked in self.asked.groupby(["action", "how"]):
            rows = np.zeros(len(plain), dtype=bool)
            rows[asked["row"]] = True
            plain &= ~rows
            yield f"{action}: {how}", rows
        teams = [np.array([*side.teams, ""], dtype=object)[side.team] for side in (self.before, self.after)]
        yield "another severity", plain & (self.severity_moved > 0)
        yield "another team", plain & (teams[0] != teams[1]).astype(bool)
        yield "other money at risk", plain & (self.before.money != self.after.money)
