from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_tower.errors import PolicyError
from control_tower.nouns import Shop
from policies import (
    add_business_days,
    add_business_minutes,
    business_days,
    calendar_days,
    counts_on,
    due_after,
)
from policies.terms import Calendar, Hours
from tests.thorough import up_to

BERLIN = Shop(id="b", time_zone="Europe/Berlin", country="DE", currency="EUR")
SAO_PAULO = Shop(id="s", time_zone="America/Sao_Paulo", country="BR", currency="BRL")
NEW_YORK = Shop(id="n", time_zone="America/New_York", country="US", currency="USD")


def calendar(opens="09:00", closes="18:00", weekend=("saturday", "sunday"), closed=()):
    hours = Hours(**{"from": time.fromisoformat(opens), "to": time.fromisoformat(closes)})
    return Calendar(cut_off=time(14), hours=hours, weekend=weekend, extra_closed_days=closed)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


def due(start: str, duration: str, plan: Calendar | None = None) -> str:
    found = due_after(berlin(start), duration, BERLIN, plan or calendar())
    return found.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%dT%H:%M")


def open_between(days: pd.DataFrame, first: date, last: date) -> int:
    ordinal = days.set_index("day")["ordinal"]
    return int(ordinal[last] - ordinal[first])


def test_a_label_of_friday_is_one_business_day_old_on_monday():
    days = calendar_days("DE", calendar(), date(2026, 3, 1), date(2026, 3, 31))
    assert open_between(days, date(2026, 3, 6), date(2026, 3, 9)) == 1
    assert open_between(days, date(2026, 3, 6), date(2026, 3, 8)) == 0


def test_public_holidays_are_those_of_the_shops_country():
    tiradentes = (date(2017, 4, 20), date(2017, 4, 24))  # Friday the 21st is a holiday in Brazil alone
    brazil, germany = (calendar_days(c, calendar(), date(2017, 4, 1), date(2017, 4, 30)) for c in ("BR", "DE"))
    assert open_between(brazil, *tiradentes) == 1
    assert open_between(germany, *tiradentes) == 2


def test_the_shops_own_closed_days_and_weekend_count():
    plan = calendar(weekend=("friday", "saturday"), closed=(date(2026, 3, 4),))
    days = calendar_days("DE", plan, date(2026, 3, 2), date(2026, 3, 8)).set_index("day")["open"]
    assert [day.day for day, is_open in days.items() if not is_open] == [4, 6, 7]


def test_the_days_around_a_moment_reach_ten_years_back_and_are_of_the_shops_zone():
    late_evening = datetime(2018, 9, 1, 1, tzinfo=UTC)  # still the last of August in São Paulo
    days = business_days(SAO_PAULO, calendar(), late_evening)
    assert days["day"].min() <= date(2008, 9, 1) and days["day"].max() >= date(2019, 8, 31)
    assert date(2018, 8, 31) in set(days["day"])
    assert list(days.columns) == ["day", "ordinal", "open"]
    assert (days["ordinal"].diff().dropna() == days["open"][1:]).all()


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-03-02T14:00", 2),  # the cut-off itself is in time
        ("2026-03-02T14:01", 3),
        ("2026-03-06T15:00", 9),  # Friday afternoon is Monday
        ("2026-03-07T10:00", 9),  # Saturday is Monday
        ("2026-03-02T00:00", 2),
    ],
)
def test_what_comes_after_the_cut_off_counts_on_the_next_business_day(moment, day):
    counted = counts_on(pd.Series([pd.Timestamp(berlin(moment))]), BERLIN, calendar())
    assert counted[0] == pd.Timestamp(2026, 3, day)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-03-02T10:00", "30 minutes", "2026-03-02T10:30"),
        ("2026-03-02T17:45", "30 minutes", "2026-03-03T09:15"),
        ("2026-03-06T17:00", "2 hours", "2026-03-09T10:00"),  # over a weekend
        ("2026-04-02T17:00", "2 hours", "2026-04-07T10:00"),  # over Easter
        ("2026-03-02T03:00", "30 minutes", "2026-03-02T09:30"),
        ("2026-03-02T09:00", "9 hours", "2026-03-02T18:00"),
        ("2026-03-02T18:00", "1 minute", "2026-03-03T09:01"),
        ("2026-03-02T10:00", "1 business day", "2026-03-03T18:00"),
        ("2026-03-02T15:00", "1 business day", "2026-03-04T18:00"),  # after the cut-off
        ("2026-03-06T10:00", "1 business day", "2026-03-09T18:00"),
        ("2026-03-02T10:00", "5 business days", "2026-03-09T18:00"),
    ],
)
def test_due_times_count_business_time_only(start, duration, end):
    assert due(start, duration) == end


def test_a_day_on_which_the_clock_changes_is_as_long_as_it_is():
    plan = calendar("00:00", "23:00", weekend=())
    assert due("2026-03-29T00:00", "60 minutes", plan) == "2026-03-29T01:00"
    assert due("2026-03-29T00:00", "3 hours", plan) == "2026-03-29T04:00", "there is no 02:00"
    assert due("2026-10-25T00:00", "4 hours", plan) == "2026-10-25T03:00", "02:00 comes twice"


def test_an_opening_hour_that_the_clock_skips_is_the_one_after():
    assert due("2026-03-29T01:00", "30 minutes", calendar("02:30", "18:00", weekend=())) == "2026-03-29T03:30"


def test_no_minutes_after_closing_are_the_next_opening():
    starts = pd.Series([pd.Timestamp(berlin("2026-03-06T19:00")), pd.Timestamp(berlin("2026-03-06T18:00"))])
    found = add_business_minutes(starts, 0, BERLIN, calendar())
    assert [str(moment) for moment in found] == ["2026-03-09 08:00:00+00:00", "2026-03-06 17:00:00+00:00"]


moments = st.integers(0, 365 * 1440).map(lambda minute: datetime(2025, 12, 1, tzinfo=UTC) + timedelta(minutes=minute))
shops = st.sampled_from([BERLIN, SAO_PAULO, NEW_YORK])
plans = st.sampled_from(
    [calendar(), calendar("00:00", "23:59", weekend=()), calendar("02:30", "03:10", weekend=("sunday",))]
)


def minute_by_minute(start: datetime, minutes: int, shop: Shop, plan: Calendar) -> datetime:
    """The same, walked: the clock is read at each minute."""
    zone = ZoneInfo(shop.time_zone)
    opening = calendar_days(shop.country, plan, date(2025, 11, 1), date(2027, 3, 1))
    open_days = set(opening.loc[opening["open"], "day"])
    moment = start
    while True:
        local = moment.astimezone(zone)
        is_open = local.date() in open_days and plan.hours.opens <= local.time().replace(fold=0) < plan.hours.closes
        if is_open and minutes == 0:
            return moment
        minutes -= is_open
        moment += timedelta(minutes=1)


@settings(max_examples=up_to(60), deadline=None)
@given(start=moments, minutes=st.integers(0, 700), shop=st.sampled_from([BERLIN, SAO_PAULO]))
def test_business_minutes_are_those_counted_one_by_one(start, minutes, shop):
    found = add_business_minutes(pd.Series([pd.Timestamp(start)]), minutes, shop, calendar())[0]
    walked = minute_by_minute(start, minutes, shop, calendar())
    closing = found.astimezone(ZoneInfo(shop.time_zone)).time() == calendar().hours.closes
    # A deadline at closing time is not carried over to the next opening.
    assert found == walked or (closing and minute_by_minute(found.to_pydatetime(), 0, shop, calendar()) == walked)


@settings(max_examples=up_to(80), deadline=None)
@given(several=st.lists(st.tuples(moments, st.integers(0, 5000)), min_size=1, max_size=5), shop=shops, plan=plans)
def test_many_starts_and_one_start_have_one_answer_and_more_minutes_are_never_sooner(several, shop, plan):
    starts = pd.Series([pd.Timestamp(start) for start, _ in several]).dt.as_unit("us")
    minutes = np.array([count for _, count in several])
    together = add_business_minutes(starts, minutes, shop, plan)
    alone = [add_business_minutes(starts[n : n + 1], int(m), shop, plan).iloc[0] for n, m in enumerate(minutes)]
    assert list(together) == alone
    assert (together >= starts).all()
    assert (add_business_minutes(starts, minutes + 1, shop, plan) > together).all()
    days = add_business_days(starts, 2, shop, plan)
    assert (days > starts).all()


def test_a_country_or_zone_that_is_not_known_is_refused():
    with pytest.raises(PolicyError, match="no holidays are known of country 'XX'"):
        calendar_days("XX", calendar(), date(2026, 1, 1), date(2026, 1, 2))
    nowhere = Shop(id="x", time_zone="Europe/Nowhere", country="DE", currency="EUR")
    with pytest.raises(PolicyError, match="no time zone 'Europe/Nowhere'"):
        due_after(berlin("2026-03-02T10:00"), "1 minute", nowhere, calendar())
