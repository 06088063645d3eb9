"""Faults that published policies have, rebuilt in our language: each is found, and its repaired twin is clean."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from policies import read
from policies.lint import Finding, Level, lint
from policies.lint.records import Evaluator

HERE = Path(__file__).parent
DAY = date(2026, 1, 1)


def found(name: str, check: str) -> Finding:
    (one,) = [finding for finding in lint([HERE / f"{name}.yaml"]) if finding.check == check]
    assert one.level is Level.fault
    return one


def outcome(name: str, table: str, record: dict[str, object]) -> object:
    return Evaluator(read(HERE / f"{name}.yaml"), DAY).decision(table, record).outcome  # type: ignore[arg-type]


def test_a_range_that_is_an_or_excludes_nothing():
    one = found("damaged_goods", "always")
    assert one.where == "tables.eligibility.second_month"
    assert one.sentence == "Every record satisfies days_held > 30 or days_held <= 60."
    assert (
        (HERE / "damaged_goods.yaml").read_text().splitlines()[one.line - 1].strip().startswith("- {id: second_month,")
    )


def test_an_old_damaged_return_is_eligible_and_the_row_that_refuses_it_is_hidden():
    one = found("damaged_goods", "hidden")
    assert one.where == "tables.eligibility.after_that"
    assert one.record == {"days_held": 61, "reason": "damaged"}
    for days in (61, 400):
        assert outcome("damaged_goods", "eligibility", one.record | {"days_held": days}) == "repaid"
        assert outcome("damaged_goods_repaired", "eligibility", one.record | {"days_held": days}) == "refused"


def test_the_thirtieth_day_exactly_falls_between_two_rows():
    one = found("last_day", "boundary")
    assert one.where == "tables.eligibility"
    assert "at days_held 30 exactly where reason is change_of_mind" in one.sentence
    assert one.record == {"days_held": 30, "reason": "change_of_mind"}
    assert outcome("last_day", "eligibility", one.record) is None
    assert outcome("last_day_repaired", "eligibility", one.record) == "repaid"


def test_a_missing_day_count_is_denied_where_evidence_is_missing():
    one = found("unknown_days", "missing_evidence")
    assert one.where == "tables.eligibility.days_held"
    assert one.sentence.startswith("Denied for want of evidence: days_held is missing and the outcome is refused")
    assert one.record == {"days_held": None}
    assert outcome("unknown_days", "eligibility", one.record) == "refused"
    assert outcome("unknown_days_repaired", "eligibility", one.record) is None


def test_a_night_after_22_and_before_6_never_comes():
    one = found("night_and_points", "never_fires")
    assert one.where == "tables.night.night"
    for hour in (23, 2):
        assert outcome("night_and_points", "night", {"hour": hour}) == "day"
        assert outcome("night_and_points_repaired", "night", {"hour": hour}) == "night"


def test_seventy_five_points_hide_eighty():
    one = found("night_and_points", "hidden")
    assert one.where == "tables.points.many_at_once"
    assert one.sentence.startswith("many_at_once would give 80, and far_above_average before it gives 75 where")
    assert outcome("night_and_points", "points", dict(one.record)) == 75
    assert outcome("night_and_points_repaired", "points", dict(one.record)) == 80


@pytest.mark.parametrize("name", ["damaged_goods", "last_day", "unknown_days", "night_and_points"])
def test_once_repaired_there_is_nothing_to_find(name: str):
    assert lint([HERE / f"{name}_repaired.yaml"]) == []


def test_a_counterexample_is_an_example_that_can_be_put_beside_the_document(tmp_path: Path):
    """What the linter prints is read as an example, and says what the document says today."""
    from policies.examples import failing

    for name in ("damaged_goods", "last_day", "unknown_days", "night_and_points"):
        (tmp_path / f"{name}.yaml").write_text((HERE / f"{name}.yaml").read_text())
        texts = [one.example for one in lint([HERE / f"{name}.yaml"]) if one.example]
        assert texts
        (tmp_path / f"{name}.examples.yaml").write_text("examples:\n" + "".join(texts))
        document = read(tmp_path / f"{name}.yaml")
        assert len(document.examples) >= len(texts)
        assert failing(document) == []
