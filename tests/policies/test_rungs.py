"""Rungs are read strictly, earned by numbers, and never won and lost by one record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_tower.errors import PolicyError
from control_tower.rungs import LaneRecord
from policies import Policy, load, proposals, read
from policies.judgement import judge
from policies.rungs import LADDER, Promotion, Rungs, Staying, above, easier_than_staying, falls, lacking, lower
from policies.terms import Rung
from tests.policies.test_remedies import LATE, frame

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
Read = Callable[..., Policy]


def record(**counts: int) -> LaneRecord:
    return LaneRecord(since=NOW - timedelta(days=28), until=NOW, **counts)


EARNED = {"looks": 100, "cases": 10, "rulings": 20, "agreed": 19}  # by the small policy


def shares() -> st.SearchStrategy[float]:
    return st.integers(0, 100).map(lambda percent: percent / 100)


def limits() -> dict[str, st.SearchStrategy[object]]:
    return {"agreement": shares(), "reversals": shares(), "overdue": shares(), "breaches": st.integers(0, 5)}


@st.composite
def ladders(draw: st.DrawFn) -> Rungs:
    few = st.integers(1, 30)
    rise = draw(st.builds(Promotion, looks=few, cases=few, rulings=few, **limits()))
    stay = draw(st.builds(Staying, judged_on=few, **limits()))
    return Rungs(starts_at=draw(st.sampled_from(Rung)), window="28 days", promote=rise, stay=stay)


@st.composite
def records(draw: st.DrawFn) -> LaneRecord:
    of = {name: draw(st.integers(0, 60)) for name in ("cases", "rulings", "effects")}
    parts = {"overdue": "cases", "agreed": "rulings", "undone": "effects"}
    part = {name: draw(st.integers(0, of[whole])) for name, whole in parts.items()}
    return record(looks=draw(st.integers(0, 60)), breaches=draw(st.integers(0, 6)), **of, **part)


@given(ladders(), records(), st.sampled_from(LADDER[:-1]))
def test_a_lane_that_has_just_risen_does_not_fall_by_the_same_record(
    rungs: Rungs, shown: LaneRecord, rung: Rung
) -> None:
    higher = above(rung)
    assert higher
    if not list(easier_than_staying(rungs, NOW)) and not lacking(rung, shown, rungs):
        assert falls(higher, shown, rungs) == ""


@given(ladders())
def test_where_promotion_is_easier_than_staying_the_record_that_is_shown_rises_and_falls(rungs: Rungs) -> None:
    for name, shown in easier_than_staying(rungs, NOW):
        assert getattr(rungs.promote, name) != getattr(rungs.stay, name)
        assert lacking(Rung.recommend, shown, rungs) == ()
        assert falls(Rung.act, shown, rungs)


@given(records(), ladders(), st.sampled_from(Rung))
def test_a_lane_falls_for_a_reason_and_from_the_lowest_rung_it_does_not(
    shown: LaneRecord, rungs: Rungs, rung: Rung
) -> None:
    said = falls(rung, shown, rungs)
    worse = (shown.undone, shown.breaches, shown.overdue, shown.rulings - shown.agreed)
    assert not said or (rung is not Rung.observe and any(worse))


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ({"breaches": 4}, "4 contract breaches, and 3 is the most"),
        ({"effects": 10, "undone": 2}, "2 of 10 effects undone, and 10 % is the most"),
        ({"rulings": 10, "agreed": 5}, "5 of 10 rulings agree, and 60 % is asked"),
        ({"cases": 10, "overdue": 6}, "6 of 10 cases overdue, and 50 % is the most"),
    ],
)
def test_what_makes_a_lane_fall_is_said_with_its_numbers(small: Policy, shown: dict[str, int], why: str) -> None:
    assert falls(Rung.act, record(**shown), small.rungs) == why


def test_no_share_of_a_few_is_held_against_a_lane_that_stays(small: Policy) -> None:
    few = record(cases=9, overdue=9, rulings=9, effects=9, undone=9, breaches=3)
    assert falls(Rung.act, few, small.rungs) == ""
    assert len(lacking(Rung.recommend, few, small.rungs)) == 7, "and it earns nothing"


def test_on_each_rung_a_lane_shows_what_it_can_have_there(small: Policy) -> None:
    rungs = small.rungs
    assert lacking(Rung.observe, record(looks=100), rungs) == ()
    assert lacking(Rung.observe, record(looks=99), rungs) == ("99 of 100 looks",)
    assert lacking(Rung.route, record(looks=100), rungs) == ("0 of 10 cases",)
    assert lacking(Rung.recommend, record(looks=100, cases=10), rungs) == ("0 of 20 rulings",)
    assert lacking(Rung.recommend, record(**EARNED), rungs) == ()
    assert lacking(Rung.recommend, record(**EARNED | {"agreed": 17}), rungs) == (
        "17 of 20 rulings agree, and 90 % is asked",
    )


@given(st.sampled_from(Rung), st.sampled_from(Rung))
def test_a_lane_stands_on_the_lower_of_what_is_allowed_and_what_is_earned(allowed: Rung, earned: Rung) -> None:
    stands = lower(allowed, earned)
    assert stands in (allowed, earned)
    assert LADDER.index(stands) == min(LADDER.index(allowed), LADDER.index(earned))


def test_a_policy_on_a_lower_rung_is_another_policy_and_never_goes_above_what_is_allowed(small: Policy) -> None:
    before = small.digest
    lowered = small.standing_on(Rung.route)
    assert lowered.rung is Rung.route and lowered.digest != before
    assert small.standing_on(Rung.act) is small, "its owner allows no more than recommend"


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        (("starts_at: recommend", "start_at: recommend"), "there is no field 'start_at'", "did you mean 'starts_at'"),
        (("starts_at: recommend", "starts_at: acts"), "starts_at can't be 'acts'", "did you mean 'act'"),
        (("window: 28 days", "window: four weeks"), "window: string should match", ""),
        (("promote: {looks", "promote: {lookss"), "there is no field 'lookss'", "did you mean 'looks'"),
        (("stay: {judged_on: 10", "stay: {judged_on: 0"), "greater than or equal to 1", ""),
        (("agreement: 0.9", "agreement: 90"), "less than or equal to 1", ""),
        (("rulings: 20, agreement: 0.9", "rulings: 20"), "'agreement' is missing", ""),
        (("agreement: 0.9", "agreement: 0.5"), "promotion is easier than staying: with ", "rungs.stay.agreement"),
        (("reversals: 0.02", "reversals: 0.2"), "4 of 20 effects undone, a lane would rise and fall", "reversals"),
        (("breaches: 1", "breaches: 4"), "100 looks, 4 breaches", "rungs.stay.breaches"),
        (("overdue: 0.2", "overdue: 0.9"), "9 of 10 cases overdue", "rungs.stay.overdue"),
    ],
)
def test_rungs_that_are_wrong_are_refused_with_file_line_and_remedy(
    write: Callable[..., Path], change: tuple[str, str], what: str, remedy: str
) -> None:
    before, after = write().read_text(), write(change).read_text()
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    line = next(number for number, (old, new) in enumerate(lines, 1) if old != new)
    with pytest.raises(PolicyError) as refused:
        read(write(change))
    assert refused.value.where.endswith(f"small.yaml:{line}")
    assert what in refused.value.what
    assert remedy in refused.value.remedy


def test_a_policy_without_rungs_is_refused(write: Callable[..., Path]) -> None:
    file = write()
    text = file.read_text()
    start, end = text.index("rungs:"), text.index("calendar:")
    file.write_text(text[:start] + text[end:])
    with pytest.raises(PolicyError, match="'rungs' is missing"):
        read(file)


def test_from_recommend_on_the_same_is_proposed(write: Callable[..., Path]) -> None:
    facts = frame(LATE)
    for rung in Rung:
        policy = load(write(), NOW).on(rung)
        found = proposals(policy, judge(policy, facts, NOW), facts)
        assert len(found) == (rung in (Rung.recommend, Rung.act))
