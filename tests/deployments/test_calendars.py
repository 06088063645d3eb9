"""Schedules keep to the clock of their zone and to the desk's calendar, on holidays and when the clock changes."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st
from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from control_tower.errors import SettingError
from flows.closed import CALENDARS, closed, why_closed
from tasks.authority import written_authority

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("calendar", "moment", "is_open"),
    [
        ("business_days", "2026-12-24T07:00", True),
        ("business_days", "2026-12-25T07:00", False),  # a holiday
        ("business_days", "2026-12-26T07:00", False),  # a holiday, and a Saturday
        ("business_days", "2026-11-29T07:00", False),  # a Sunday
        ("first_business_day", "2026-11-30T07:00", True),
        ("first_business_day", "2026-12-01T07:00", False),  # it was Monday
        ("first_business_day", "2026-04-06T07:00", False),  # Easter Monday
        ("first_business_day", "2026-04-07T07:00", True),
        ("first_business_day", "2026-04-08T07:00", False),
        ("open_hours", "2026-11-30T08:59", False),
        ("open_hours", "2026-11-30T09:00", True),
        ("open_hours", "2026-11-30T17:59", True),
        ("open_hours", "2026-11-30T18:00", False),
        ("open_hours", "2026-12-25T10:00", False),
        ("open_hours", "2026-03-30T09:00", True),  # the day after the clock went forward
    ],
)
def test_a_calendar_leaves_out_the_days_on_which_nobody_is_there(calendar: str, moment: str, is_open: bool) -> None:
    assert (why_closed(calendar, written_authority(""), at(moment)) == "") is is_open


def test_the_day_is_that_of_the_desks_zone() -> None:
    """At 23:30 UTC on a Sunday it is Monday in Berlin."""
    late = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)
    assert why_closed("business_days", written_authority(""), late) == ""
    assert why_closed("business_days", written_authority(""), late - timedelta(hours=1)) != ""


@given(st.dates(date(2024, 1, 1), date(2035, 12, 31)))
def test_every_week_with_a_business_day_has_one_first(day: date) -> None:
    known = written_authority("")
    monday = day - timedelta(days=day.weekday())
    week = [monday + timedelta(days=number) for number in range(7)]
    noon = [datetime(each.year, each.month, each.day, 12, tzinfo=BERLIN) for each in week]
    first = [each.date() for each in noon if not why_closed("first_business_day", known, each)]
    assert first == [each for each in week if known.is_open_on(each)][:1]


def test_a_calendar_that_nobody_knows_is_refused_and_the_nearest_offered() -> None:
    with pytest.raises(SettingError, match="business_days"):
        why_closed("buisness_days", written_authority(""), at("2026-11-30T09:00"))


@pytest.mark.parametrize(("scheduled", "state"), [(True, "Skipped"), (False, None)])
def test_only_a_scheduled_run_keeps_to_the_calendar(scheduled: bool, state: str | None) -> None:
    """What a person starts on a holiday goes on."""

    @flow
    def measured() -> None: ...

    run = FlowRun.model_construct(flow_id=None, auto_scheduled=scheduled, tags=["calendar:business_days", "measure"])
    with FlowRunContext.model_construct(flow=measured, flow_run=run):
        ended = closed("shop", at("2026-12-25T10:00"))
    assert (ended.name if ended else None) == state
    assert ended is None or (ended.is_cancelled() and "25 December 2026 is no business day" in str(ended.message))


@pytest.mark.parametrize(
    ("cron", "zone", "day", "times"),
    [
        ("*/30 * * * *", "UTC", "2026-03-29", 46),  # the clock goes forward
        ("*/30 * * * *", "UTC", "2026-10-25", 50),  # and back
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25", 48),  # why looks are in UTC: an hour would have none
        ("40 3 * * *", "Europe/Berlin", "2026-03-29", 1),
        ("40 3 * * *", "Europe/Berlin", "2026-10-25", 1),
        ("40 2 * * *", "Europe/Berlin", "2026-10-25", 1),  # 02:40 happens twice, and the run once
    ],
)
def test_a_day_that_is_shorter_or_longer_has_the_looks_it_should(cron: str, zone: str, day: str, times: int) -> None:
    """As Prefect's server makes them: by its own schedule, in the schedule's zone."""
    from prefect.server.schemas.schedules import CronSchedule

    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), BERLIN)
    end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), BERLIN)
    schedule = CronSchedule(cron=cron, timezone=zone)
    found = asyncio.run(schedule.get_dates(n=60, start=start, end=end - timedelta(seconds=1)))
    moments = [each.astimezone(UTC) for each in found]
    assert len(moments) == times
    assert all(later > earlier for earlier, later in pairwise(moments))


def test_every_calendar_that_a_deployment_names_is_there() -> None:
    from ruamel.yaml import YAML

    from desk.deploy import PREFECT_YAML

    entries = YAML(typ="safe").load(PREFECT_YAML.read_text("utf-8"))["deployments"]
    named = {tag.partition(":")[2] for each in entries for tag in each["tags"] if tag.startswith("calendar:")}
    assert named and named <= set(CALENDARS)
    assert all(CronSim(one["cron"], datetime.now(UTC)) for each in entries for one in each["schedules"])
