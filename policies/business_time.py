"""Business time: open days, cut-off and opening hours on the clock of the shop.

Public holidays come from the shop's country, weekends and closed days from the policy's calendar.
Moments go in and come out in UTC; a day on which the clock changes is as long as it really is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pandas as pd

from control_tower.errors import PolicyError, nearest
from control_tower.nouns import Shop
from policies.terms import Calendar

Days = npt.NDArray[np.datetime64]
Counts = npt.NDArray[np.int64]
LOOK_BACK, LOOK_AHEAD = timedelta(days=10 * 366), timedelta(days=366)
LONGEST_REACH = 40 * 366  # days; a calendar that is not open by then never is
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MICROSECONDS = 60_000_000  # in a minute


def business_days(shop: Shop, calendar: Calendar, as_of: datetime) -> pd.DataFrame:
    """The days around a moment, for joins: from ten years before it to one year after.

    Returns:
        One row for each day: day (date), ordinal (open days so far, so that a difference of two
        counts the open days after the first, up to and with the second), open (bool).
    """
    today = as_of.astimezone(_zone(shop)).date()
    return calendar_days(shop.country, calendar, today - LOOK_BACK, today + LOOK_AHEAD)


def calendar_days(country: str, calendar: Calendar, start: date, end: date) -> pd.DataFrame:
    """Every day from start to end, both included, as in `business_days`.

    Raises:
        PolicyError: the country's holidays are not known.
    """
    days = np.arange(np.datetime64(start), np.datetime64(end) + 1)
    is_open = _is_open(country, calendar, days)
    return pd.DataFrame({"day": days.astype(object), "ordinal": np.cumsum(is_open, dtype=np.int64), "open": is_open})


def counts_on(moments: pd.Series[Any], shop: Shop, calendar: Calendar) -> pd.Series[Any]:
    """The business day on which each moment counts: its own up to the cut-off, else the next open one.

    Args:
        moments: aware, none missing.

    Returns:
        Midnights without a zone (`datetime64[us]`), one for each moment.
    """
    local = moments.dt.tz_convert(_zone(shop)).dt.tz_localize(None)
    days = local.dt.normalize()
    late = (local - days) > pd.Timedelta(_since_midnight(calendar.cut_off))
    first = (days + pd.to_timedelta(late.astype("int64"), unit="D")).to_numpy().astype("datetime64[D]")
    counted = _roll(shop.country, calendar, first, 0)
    return pd.Series(counted.astype("datetime64[us]"), index=moments.index)


def add_business_minutes(
    starts: pd.Series[Any], minutes: int | Counts, shop: Shop, calendar: Calendar
) -> pd.Series[Any]:
    """The moment at which the shop has been open for so many minutes since each start.

    Args:
        starts: aware, none missing.
        minutes: whole numbers of zero or more, one for all or one for each start.

    Returns:
        Moments in UTC (`datetime64[us, UTC]`), always within opening hours. No minutes after closing
        time is the next opening; a full day's minutes from opening is that day's closing.
    """
    wanted = np.broadcast_to(np.asarray(minutes, dtype=np.int64), (len(starts),)) * MICROSECONDS
    if not len(starts):
        return pd.Series([], index=starts.index, dtype="datetime64[us, UTC]")
    began = _microseconds(starts)
    openings = _reaching(shop, calendar, began, wanted)
    target = openings.elapsed(began) + wanted
    # The day on which the target is worked off, and never a day that was over at the start.
    found = np.maximum(np.searchsorted(openings.worked, target), np.searchsorted(openings.closes, began))
    return _moments(openings.closes[found] - (openings.worked[found] - target), starts.index)


def add_business_days(starts: pd.Series[Any], days: int, shop: Shop, calendar: Calendar) -> pd.Series[Any]:
    """Closing time of the business day so many open days after the one on which each start counts.

    Returns:
        Moments in UTC (`datetime64[us, UTC]`).
    """
    counted = counts_on(starts, shop, calendar).to_numpy().astype("datetime64[D]")
    last = _roll(shop.country, calendar, counted, days)
    return _moments(_at(last, calendar.hours.closes, shop), starts.index)


def due_after(start: datetime, duration: str, shop: Shop, calendar: Calendar) -> datetime:
    """When something is due: `30 minutes`, `2 hours` or `1 business day` of business time after a start."""
    count, _, unit = duration.partition(" ")
    starts = pd.Series([pd.Timestamp(start)]).dt.as_unit("us")
    if unit.startswith("business"):
        due = add_business_days(starts, int(count), shop, calendar)
    else:
        due = add_business_minutes(starts, int(count) * (60 if unit.startswith("hour") else 1), shop, calendar)
    moment: datetime = due.iloc[0].to_pydatetime()
    return moment


@dataclass(frozen=True)
class _Openings:
    """Opening hours day after day, in microseconds of UTC, and the time worked up to each closing."""

    opens: Counts
    closes: Counts
    worked: Counts

    def elapsed(self, moments: Counts) -> Counts:
        """Time worked from the first opening up to each moment."""
        day = np.searchsorted(self.closes, moments, side="left")
        inside = np.minimum(day, len(self.closes) - 1)
        remaining = self.closes[inside] - np.maximum(moments, self.opens[inside])
        return np.where(day < len(self.closes), self.worked[inside] - remaining, self.worked[-1])

    def cover(self, began: Counts, wanted: Counts) -> bool:
        """Whether every start and all the time wanted from it lies before the last closing."""
        in_time = self.closes[-1] >= began.max()
        return bool(in_time and self.worked[-1] >= (self.elapsed(began) + wanted).max())


def _reaching(shop: Shop, calendar: Calendar, began: Counts, wanted: Counts) -> _Openings:
    """Opening hours from before the first start to after the last deadline."""
    first = np.datetime64(int(began.min()), "us").astype("datetime64[D]") - 2
    last = np.datetime64(int(began.max()), "us").astype("datetime64[D]")
    reach = 14
    while reach < LONGEST_REACH:
        openings = _openings(shop, calendar, first, last + reach)
        if openings and openings.cover(began, wanted):
            return openings
        reach *= 2
    raise PolicyError("the calendar is not open long enough", where=shop.id, remedy="see its weekend and hours")


def _openings(shop: Shop, calendar: Calendar, first: np.datetime64, last: np.datetime64) -> _Openings | None:
    days = np.arange(first, last)
    days = days[_is_open(shop.country, calendar, days)]
    if not len(days):
        return None
    opens, closes = _at(days, calendar.hours.opens, shop), _at(days, calendar.hours.closes, shop)
    return _Openings(opens, closes, np.cumsum(closes - opens))


def _at(days: Days, clock: time, shop: Shop) -> Counts:
    """A time of day on each day, in microseconds of UTC; an hour that the clock skips is the one after."""
    local = pd.DatetimeIndex(days.astype("datetime64[us]")) + pd.Timedelta(_since_midnight(clock))
    first = np.ones(len(local), dtype=bool)  # of an hour that the clock repeats
    zoned = local.tz_localize(_zone(shop), ambiguous=first, nonexistent="shift_forward")
    counts: Counts = zoned.tz_convert("UTC").as_unit("us").asi8
    return counts


def _roll(country: str, calendar: Calendar, days: Days, forward: int) -> Days:
    """The first open day from each day on, and so many open days further."""
    first, last = days.min(), days.max()
    reach = 30 + 4 * forward
    while reach < LONGEST_REACH:
        all_days = np.arange(first, last + reach)
        open_days = all_days[_is_open(country, calendar, all_days)]
        found = np.searchsorted(open_days, days) + forward
        if found.max() < len(open_days):
            return open_days[found]
        reach *= 2
    raise PolicyError("the calendar has no open day", where=country, remedy="see its weekend and closed days")


def _is_open(country: str, calendar: Calendar, days: Days) -> npt.NDArray[np.bool_]:
    years = range(days[0].astype(object).year, days[-1].astype(object).year + 1)
    week = [day not in calendar.weekend for day in WEEKDAYS]
    closed = [*_holidays(country, years), *calendar.extra_closed_days]
    return np.is_busday(days, weekmask=week, holidays=np.array(closed, dtype="datetime64[D]"))


@lru_cache(maxsize=64)
def _holidays(country: str, years: range) -> tuple[date, ...]:
    import holidays

    try:
        return tuple(sorted(holidays.country_holidays(country, years=years)))
    except NotImplementedError:
        offer = nearest(country, holidays.list_supported_countries())
        raise PolicyError(f"no holidays are known of country {country!r}", remedy=offer) from None


def _zone(shop: Shop) -> ZoneInfo:
    try:
        return ZoneInfo(shop.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise PolicyError(
            f"there is no time zone {shop.time_zone!r}", where=shop.id, remedy="as in Europe/Berlin"
        ) from None


def _since_midnight(clock: time) -> timedelta:
    return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second)


def _microseconds(moments: pd.Series[Any]) -> Counts:
    counts: Counts = moments.dt.tz_convert("UTC").dt.as_unit("us").astype("int64").to_numpy()
    return counts


def _moments(counts: Counts, index: pd.Index[Any]) -> pd.Series[Any]:
    return pd.Series(counts.astype("datetime64[us]"), index=index).dt.tz_localize("UTC")
