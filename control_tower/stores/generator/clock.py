"""The shop's clock: its wall time, its working days, and the moment that the shop is made for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import holidays
import numpy as np
import numpy.typing as npt
import pandas as pd

from control_tower.nouns import Shop

Numbers = npt.NDArray[Any]
Moments = npt.NDArray[Any]
"""UTC, in microseconds; NaT is "did not happen"."""
Days = npt.NDArray[Any]
Spans = npt.NDArray[Any]
Mask = npt.NDArray[Any]
Generator = np.random.Generator

NEVER = np.datetime64("NaT", "us")
DAY = np.timedelta64(1, "D")


class Clock:
    """Wall time and working days (Monday to Friday, without national holidays) of one shop.

    Args:
        shop: its time zone and calendar country.
        as_of: timezone-aware; the shop knows nothing later.
    """

    def __init__(self, shop: Shop, as_of: datetime) -> None:
        self.zone = shop.time_zone
        self.now = np.datetime64(as_of.astimezone(UTC).replace(tzinfo=None), "us")
        years = range(as_of.year - 2, as_of.year + 2)
        closed = np.array(sorted(holidays.country_holidays(shop.country, years=years)), "datetime64[D]")
        self.calendar = np.busdaycalendar(holidays=closed)
        self.today = self.day(np.array([self.now]))[0]

    def wall(self, moments: Moments) -> Moments:
        """What the shop's clock showed, without a zone."""
        local = pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(self.zone).tz_localize(None)
        return np.asarray(local, "datetime64[us]")

    def day(self, moments: Moments) -> Days:
        """The calendar day in the shop."""
        return self.wall(moments).astype("datetime64[D]")

    def at(self, days: Days, hours: Numbers | float) -> Moments:
        """The moment at which the shop's clock shows this hour (a fraction is minutes) of a day."""
        wall = days.astype("datetime64[us]") + span(hours)
        moments = pd.DatetimeIndex(wall).tz_localize(self.zone).tz_convert("UTC").tz_localize(None)
        return np.asarray(moments, "datetime64[us]")

    def end_of(self, days: Days) -> Moments:
        """The midnight that ends a day."""
        return self.at(days + DAY, 0.0)

    def working_day(self, days: Days, later: Numbers | int = 0) -> Days:
        """This day or the next working one, and then so many working days later."""
        return np.busday_offset(days, later, roll="forward", busdaycal=self.calendar)

    def working_days_ago(self, days: Numbers | int) -> Days:
        """The working day so many working days before today."""
        back = -np.atleast_1d(np.asarray(days))
        return np.busday_offset(self.today, back, roll="backward", busdaycal=self.calendar)

    def working_days_since(self, moments: Moments) -> Numbers:
        """Working days after the day of a moment, up to and with today; -1 for never."""
        never = np.isnat(moments)
        first = self.day(np.where(never, self.now, moments)) + DAY
        since = np.busday_count(first, self.today + DAY, busdaycal=self.calendar)
        return np.where(never, -1, since)


def span(hours: Numbers | float) -> Spans:
    """So many hours, in whole seconds."""
    seconds: Spans = np.floor(np.asarray(hours) * 3600).astype("timedelta64[s]")
    return seconds.astype("timedelta64[us]")


def within(chance: Generator, size: int, least: float, most: float) -> Spans:
    """Spans between so many hours, evenly."""
    return span(chance.uniform(least, most, size))


def between(first: Moments, last: Moments, share: Numbers | float) -> Moments:
    """A moment at a share (0 to 1) of the way from one to another, in whole seconds."""
    part: Spans = ((last - first) * share).astype("timedelta64[s]")
    return first + part
