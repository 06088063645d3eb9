"""What many rows come to: shares, ratios, durations, money and differences, each with how sure it is."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from pydantic import Field

from control_tower.nouns import Noun
from policies.measures import Measure

if TYPE_CHECKING:
    import pandas as pd

SURE = 0.95
FEW_IN_AN_ARM = 2


class Measured(Noun):
    """One measure of one group. Shares are from 0 to 1, durations in hours, money in minor units."""

    measure: str
    group: str = Field(default="", description="what it is told by; empty for all together")
    currency: str = ""
    n: int = Field(description="rows under, or durations, or rows with money")
    value: float | None = Field(description="a share, a median, or an amount in all; none where nothing can be said")
    low: float | None = None
    high: float | None = None
    p90: float | None = Field(default=None, description="of durations")
    open: int = Field(default=0, description="durations that have not ended; they are censored")
    over: float | None = Field(default=None, description="rows over, of a share or ratio")
    before: float | None = Field(default=None, description="the value in the window before")
    excessive: bool = Field(default=False, description="past the limit of the programme that defines it")
    missing: tuple[str, ...] = Field(default=(), description="tables that it needs and nobody has")

    @property
    def change(self) -> float | None:
        """How much of the value before is gone, as a share of it; what rose is below nought."""
        return None if self.value is None or not self.before else 1 - self.value / self.before


def summed_up(measure: Measure, rows: pd.DataFrame, group: str = "") -> list[Measured]:
    """What the rows of one group come to; for money, once for each currency.

    Args:
        rows: the columns that the measure's kind reads, as in flows/measure.sql.
    """
    if measure.kind in ("share", "ratio"):
        return [_share(measure, rows, group)]
    if measure.kind == "duration":
        return [_duration(measure, rows, group)]
    told = rows[rows["currency"].notna() & rows["amount"].notna()]
    kind = _money if measure.kind == "money" else _difference
    return [kind(measure, each, group, str(currency)) for currency, each in told.groupby("currency")]


def _share(measure: Measure, rows: pd.DataFrame, group: str) -> Measured:
    from scipy.stats import binomtest

    known = rows[rows["over"].notna()]
    under, over = known["under"].astype(float), known["over"].astype(float)
    n, count, whole = int((under > 0).sum()), float(over.sum()), float(under.sum())
    low = high = None
    if n and float(n) == whole and count <= n and count.is_integer():  # weighed ones have no such interval
        interval = binomtest(int(count), n).proportion_ci(SURE, method="wilson")
        low, high = float(interval.low), float(interval.high)
    value = count / whole if whole else None
    past = value is not None and measure.limit is not None and value >= measure.limit and count >= (measure.count or 0)
    return Measured(
        measure=measure.id, group=group, n=n, value=value, low=low, high=high, over=count, excessive=bool(past)
    )


def _duration(measure: Measure, rows: pd.DataFrame, group: str) -> Measured:
    """Quantiles by Kaplan and Meier: what has not ended has lasted so long at least."""
    from scipy.stats import CensoredData, ecdf

    known = rows[rows["hours"].notna() & (rows["hours"] >= 0)]
    ended = known["ended"].astype(bool)
    n, waiting = len(known), int((~ended).sum())
    if not n or waiting == n:
        return Measured(measure=measure.id, group=group, n=n, value=None, open=waiting)
    hours = known["hours"].astype(float)
    lasting = ecdf(CensoredData(uncensored=hours[ended].to_numpy(), right=hours[~ended].to_numpy())).sf
    with warnings.catch_warnings():  # where all or none are left the band is undefined, and is told as none
        warnings.simplefilter("ignore", RuntimeWarning)
        band = lasting.confidence_interval(SURE, method="log-log") if n > 1 else None
    return Measured(
        measure=measure.id,
        group=group,
        n=n,
        value=_first(lasting.quantiles, lasting.probabilities, 0.5),
        low=_first(lasting.quantiles, band.low.probabilities, 0.5) if band else None,
        high=_first(lasting.quantiles, band.high.probabilities, 0.5) if band else None,
        p90=_first(lasting.quantiles, lasting.probabilities, 0.1),
        open=waiting,
    )


def _first(hours: Any, lasting: Any, share: float) -> float | None:
    """The first moment at which no more than a share still lasts; none where it never comes to that."""
    import numpy as np

    reached = np.flatnonzero(lasting <= share + 1e-12)
    return float(hours[reached[0]]) if len(reached) else None


def _money(measure: Measure, rows: pd.DataFrame, group: str, currency: str) -> Measured:
    """In all, with an interval of the sum as of a mean of so many."""
    amount = rows["amount"].astype(float)
    n, whole = len(amount), float(amount.sum())
    wide = 1.959964 * float(amount.std(ddof=1)) * math.sqrt(n) if n > 1 else None
    return Measured(
        measure=measure.id, group=group, currency=currency, n=n, value=whole, over=float((amount > 0).sum()),
        low=None if wide is None else max(0.0, whole - wide), high=None if wide is None else whole + wide,
    )  # fmt: skip


def _difference(measure: Measure, rows: pd.DataFrame, group: str, currency: str) -> Measured:
    """What the tower's cases lost less than as many in the holdout, by Welch; nothing to say without both."""
    from scipy.stats import ttest_ind

    tower = rows.loc[rows["arm"] == "tower", "amount"].astype(float)
    holdout = rows.loc[rows["arm"] == "holdout", "amount"].astype(float)
    n = len(tower)
    if len(tower) < FEW_IN_AN_ARM or len(holdout) < FEW_IN_AN_ARM:
        return Measured(measure=measure.id, group=group, currency=currency, n=n, value=None, missing=("a holdout",))
    value = float(holdout.mean() - tower.mean()) * n
    if holdout.var() + tower.var() == 0:
        return Measured(
            measure=measure.id, group=group, currency=currency, n=n, value=value, low=value, high=value,
            over=float(len(holdout)),
        )  # fmt: skip
    interval = ttest_ind(holdout, tower, equal_var=False).confidence_interval(SURE)
    return Measured(
        measure=measure.id, group=group, currency=currency, n=n, value=value,
        low=float(interval.low) * n, high=float(interval.high) * n, over=float(len(holdout)),
    )  # fmt: skip
