"""Whether a scheduled run falls on a day or an hour that its deployment's calendar leaves out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Cancelled

from control_tower.errors import SettingError, nearest
from policies.authority import WrittenAuthority
from tasks.authority import calendar_of

TAG = "calendar:"


def closed(source: str, now: datetime | None = None) -> State[Any] | None:
    """The state in which a scheduled run ends that falls outside its calendar; None where it may go on.

    What a person starts always goes on.

    Args:
        source: what the run is about; a shop's run keeps to the shop's calendar.

    Raises:
        SettingError: the tag names no calendar.
        PolicyError: the authority that has the calendar is malformed.
        SourceError: there is no such shop, or it does not say where it is.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or not run.auto_scheduled:
        return None
    moment = now or datetime.now(UTC)
    for calendar in (tag.removeprefix(TAG) for tag in run.tags if tag.startswith(TAG)):
        if why := why_closed(calendar, calendar_of(source), moment):
            return Cancelled(name="Skipped", message=why)
    return None


def why_closed(calendar: str, known: WrittenAuthority, moment: datetime) -> str:
    """Why a calendar leaves this moment out; empty where it does not."""
    if calendar not in CALENDARS:
        raise SettingError(f"there is no calendar {calendar!r}", where=TAG, remedy=nearest(calendar, CALENDARS))
    return CALENDARS[calendar](known, moment)


def _business_days(known: WrittenAuthority, moment: datetime) -> str:
    day = known.day(moment)
    return "" if known.is_open_on(day) else f"{day:%A, %d %B %Y} is no business day"


def _first_business_day(known: WrittenAuthority, moment: datetime) -> str:
    if why := _business_days(known, moment):
        return why
    day = known.day(moment)
    monday = day - timedelta(days=day.weekday())
    earlier = (monday + timedelta(days=number) for number in range(day.weekday()))
    first = next((each for each in earlier if known.is_open_on(each)), day)
    return "" if first == day else f"the first business day of this week was {first:%A}"


def _open_hours(known: WrittenAuthority, moment: datetime) -> str:
    if why := _business_days(known, moment):
        return why
    hours, clock = known.calendar.hours, moment.astimezone(ZoneInfo(known.time_zone)).time()
    is_open = hours.opens <= clock < hours.closes
    return "" if is_open else f"open from {hours.opens:%H:%M} to {hours.closes:%H:%M}, and it is {clock:%H:%M}"


CALENDARS = {
    "business_days": _business_days,
    "first_business_day": _first_business_day,
    "open_hours": _open_hours,
}
