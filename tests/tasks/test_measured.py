"""What many rows come to, by worked examples: shares, durations with what has not ended, money, and a holdout."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.measures import Holdout, Measure, measures
from tasks.measured import summed_up
from tasks.open_cases import not_held_out


def of(kind: str, **more: object) -> Measure:
    given = {"id": "one", "means": "a measure of a test", "kind": kind, "better": "lower", "family": "service",
             "needs": ("orders",), "source": "this test"}  # fmt: skip
    return Measure.model_validate(given | more)


def test_a_share_has_wilsons_interval() -> None:
    (told,) = summed_up(of("share"), pd.DataFrame({"under": 1.0, "over": [1.0] * 3 + [0.0] * 9}))
    assert (told.n, told.value) == (12, 0.25)
    # Wilson 1927, by hand: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    z, n, p = 1.959964, 12, 0.25
    middle, wide = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert told.low == pytest.approx((middle - wide) / (1 + z * z / n), rel=1e-5)
    assert told.high == pytest.approx((middle + wide) / (1 + z * z / n), rel=1e-5)


def test_what_has_not_ended_is_censored_and_not_left_out() -> None:
    """Of five, ended after 10, 20 and 40 hours; two still go on, since 25 and since 50.

    By hand: S = 4/5 after 10, 4/5·3/4 = 3/5 after 20; of the two left after 25, one ends at 40: S = 3/5·1/2 = 3/10.
    So half have ended by 40. Leaving the open ones out would say 20.
    """
    rows = pd.DataFrame({"hours": [10.0, 20.0, 40.0, 25.0, 50.0], "ended": [True, True, True, False, False]})
    (told,) = summed_up(of("duration"), rows)
    assert (told.n, told.value, told.open, told.p90) == (5, 40.0, 2, None)


def test_of_what_never_ended_nothing_is_said_but_how_many() -> None:
    (told,) = summed_up(of("duration"), pd.DataFrame({"hours": [5.0, 6.0], "ended": [False, False]}))
    assert (told.value, told.open, told.n) == (None, 2, 2)


@given(st.lists(st.tuples(st.floats(0.1, 1000), st.booleans()), min_size=1, max_size=40))
def test_an_open_case_never_makes_the_median_shorter(rows: list[tuple[float, bool]]) -> None:
    hours, ended = zip(*rows, strict=True)
    (told,) = summed_up(of("duration"), pd.DataFrame({"hours": hours, "ended": ended}))
    closed = sorted(each for each, over in rows if over)
    if told.value is not None:
        assert told.value >= closed[(len(closed) - 1) // 2]


def test_money_is_never_added_across_currencies() -> None:
    rows = pd.DataFrame({"amount": [100.0, 300.0, 50.0, None], "currency": ["EUR", "EUR", "USD", "EUR"]})
    found = {told.currency: told for told in summed_up(of("money"), rows)}
    assert {name: (told.n, told.value) for name, told in found.items()} == {"EUR": (2, 400.0), "USD": (1, 50.0)}


def test_a_holdout_is_compared_by_welch_and_without_one_nothing_is_said() -> None:
    tower, holdout = [10.0, 20.0, 30.0], [40.0, 60.0]
    rows = pd.DataFrame({"amount": tower + holdout, "currency": "EUR", "arm": ["tower"] * 3 + ["holdout"] * 2})
    (told,) = summed_up(of("difference"), rows)
    assert (told.n, told.value) == (3, (50 - 20) * 3)
    assert told.low < 90 < told.high
    (none,) = summed_up(of("difference"), rows[rows["arm"] == "tower"])
    assert none.value is None and none.missing == ("a holdout",)


def test_a_programmes_limit_takes_both_its_share_and_its_number() -> None:
    rows = pd.DataFrame({"under": [1.0] * 100 + [0.0] * 3, "over": [0.0] * 100 + [1.0] * 3})
    for count, excessive in ((3, True), (4, False)):
        (told,) = summed_up(of("ratio", limit=0.015, count=count), rows)
        assert (told.n, told.value, told.excessive) == (100, 0.03, excessive)


def test_the_shipped_holdout_holds_nothing_back() -> None:
    shipped = measures().holdout
    assert shipped.share == 0 and not shipped.holds("00000000ffff")
    assert "refund" not in shipped.actions, "what is owed is never held back for a measurement"


@given(st.integers(0, 2**48 - 1))
def test_who_is_held_out_follows_from_the_case_alone(number: int) -> None:
    half = Holdout(share=0.5, actions=("reship",), source="this test")
    case = f"{number:012x}"
    assert half.holds(case) == (int(case[:8], 16) < 2**31)


def test_of_a_held_out_case_only_what_may_wait_is_left_out() -> None:
    holdout = Holdout(share=0.5, actions=("reship", "hold"), source="this test")
    case_of = {("o1", "lost"): "00000000aaaa", ("o2", "lost"): "ffffffffaaaa"}
    rows = [{"subject": order, "kind": "lost", "action": action}
            for order in ("o1", "o2") for action in ("refund", "reship", "hold")]  # fmt: skip
    left = [(row["subject"], row["action"]) for row in not_held_out(rows, case_of, holdout)]
    assert left == [("o1", "refund"), ("o2", "refund"), ("o2", "reship"), ("o2", "hold")]
