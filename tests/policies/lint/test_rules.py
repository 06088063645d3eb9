"""What the linter finds in the rules of a lane's policy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from policies import read
from policies.lint import Finding, Level, lint
from policies.lint.records import Evaluator
from policies.reader import HOUSE

TODAY = date(2026, 6, 1)
Change = tuple[str, str]


@pytest.fixture
def linted(write: Callable[..., Path]) -> Callable[..., list[Finding]]:
    """What is found in the small policy, with pieces of it replaced."""
    return lambda *changes: lint([write(*changes)], today=TODAY)


def told(found: list[Finding]) -> set[tuple[str, str, str]]:
    return {(one.level.value, one.check, one.where) for one in found}


def test_a_sound_policy_has_nothing_to_find(linted):
    assert linted() == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (("when: late and hours > grace", "when: late and hours > grace and hours < grace"), "rules.slow"),
        (("when: hours > 100, severity: sev1", "when: hours < grace, severity: sev1"), "rules.slow.severity.1"),
        (("when: known(seller), team", "when: hours < 0, team"), "rules.slow.team.1"),
        (("when: hours > grace\n        target", "when: not late\n        target"), "rules.owed.refund"),
        (("when: hours > grace\n        target", "when: amount < 0\n        target"), "rules.owed.refund"),
        (
            (
                "    effort_minutes: 10\n",
                "    effort_minutes: 10\n    merge: {name: seller, on: [seller], when: not late}\n",
            ),
            "rules.slow.merge",
        ),
        (
            (
                "score_bands:",
                "floors: [{when: hours > 5 and hours < 5, severity: sev1, because: it is old}]\nscore_bands:",
            ),
            "floors.1",
        ),
    ],
)
def test_what_no_record_satisfies_never_fires(linted, change: Change, where: str):
    assert ("fault", "never_fires", where) in told(linted(change))


def test_a_refund_of_nothing_is_never_proposed(linted):
    (one,) = linted(("when: hours > grace\n        target", "when: amount <= 0\n        target"))
    assert (one.check, one.where) == ("never_fires", "rules.owed.refund")
    assert one.sentence == "No case of owed satisfies its refund."


def test_each_threshold_that_was_ever_in_force_counts(linted):
    """From June on grace is 20 hours, and a severity for less than 15 is none any more."""
    (one,) = linted(("when: hours > 100, severity: sev1", "when: hours < 15, severity: sev1"))
    assert one.sentence.startswith("From 2026-06-01 on: No case of slow")


def test_a_severity_that_a_worse_one_always_takes_never_counts(linted):
    (one,) = linted(
        ("      - {severity: sev2}", "      - {when: hours > 200, severity: sev2}\n      - {severity: sev2}")
    )
    assert (one.check, one.where) == ("unreachable", "rules.slow.severity.2")
    assert one.record["hours"] == 201


def test_a_team_that_an_earlier_one_always_takes_never_counts(linted):
    (one,) = linted(
        ("      - {team: warehouse}", "      - {when: known(seller) and late, team: vips}\n      - {team: warehouse}")
    )
    assert (one.check, one.where) == ("unreachable", "rules.slow.team.2")


def test_a_rule_that_every_order_breaks_chooses_nothing(linted):
    (one,) = linted(("when: hours > 5 * grace", "when: hours > 30 or hours <= 60"))
    assert (one.check, one.where) == ("always", "rules.very_slow")


def test_what_is_found_because_a_fact_is_missing_is_shown_with_the_value_that_says_no(linted):
    (one,) = linted(("when: late and hours > grace", "when: late and (missing(hours) or hours > grace)"))
    assert (one.check, one.where) == ("missing_evidence", "rules.slow.hours")
    assert one.sentence.startswith("Slow is found for want of evidence where late is true: hours is missing, and with")
    assert one.other is not None
    assert one.record == {"late": True, "hours": None}
    assert one.example.startswith(
        '- name: "missing_evidence in rules.slow.hours, before"\n  facts: {late: true, hours: null}'
    )
    assert "yes: [slow]" in one.example


def test_what_is_passed_over_because_a_fact_is_missing_is_shown_with_the_value_that_says_yes(linted):
    (one,) = linted(("when: late and hours > grace", "when: late and known(hours) and hours > grace"))
    assert (one.check, one.where) == ("missing_evidence", "rules.slow.hours")
    assert one.sentence.startswith("Slow is passed over for want of evidence")


def test_money_that_is_offered_because_a_fact_is_missing_is_shown_with_the_proposal(linted):
    change = ("when: hours > grace\n        target", "when: not (known(seller) and seller == 'us')\n        target")
    (one,) = [one for one in linted(change) if one.where == "rules.owed.refund.seller"]
    assert one.sentence.startswith("A refund is proposed for want of evidence")
    assert one.record["seller"] is None
    assert one.example.count("proposes: [refund]") == 1


def test_a_list_that_has_run_out_is_noted(linted):
    lists = (
        "lists: [{id: friends, means: people we know, fact: seller, members: [a], says: allow, "
        "owner: shop, because: we know them, until: 2026-05-31}]\n"
    )
    (one,) = linted(("score_bands:", lists + "score_bands:"))
    assert (one.level, one.check, one.where) == (Level.note, "versions", "lists.friends")


def test_a_list_that_ends_today_still_counts(linted):
    lists = (
        "lists: [{id: friends, means: people we know, fact: seller, members: [a], says: allow, "
        "owner: shop, because: we know them, until: 2026-06-01}]\n"
    )
    assert linted(("score_bands:", lists + "score_bands:")) == []


@pytest.fixture(scope="module")
def shipped() -> list[Finding]:
    return lint(["fulfilment", "returns", "return_policy", "refund_policy", "holiday_extension"], today=TODAY)


@pytest.mark.slow
def test_of_the_shipped_policies_nothing_is_left_undecided(shipped):
    assert [one for one in shipped if one.level is Level.undecided] == []


def test_what_is_shown_of_a_lane_is_what_the_lane_says_of_real_facts(shipped):
    """Records name facts and no promises, and are evaluated with what was promised on their day of purchase."""
    shown = [one for one in shipped if one.where.startswith("rules.return_outside_window.")]
    assert {one.where.rpartition(".")[2] for one in shown} == {"reason", "status"}
    for one in shown:
        policy = read(Path(one.file))
        evaluator = Evaluator(policy, policy.in_force.since)
        assert set(one.record) <= set(policy.facts)
        when = policy.rule("return_outside_window").when  # type: ignore[attr-defined]
        assert one.other is not None
        assert [evaluator.answer(when, record).value for record in (one.record, one.other)] == ["yes", "no"]


def test_where_two_promises_contradict_one_another_the_lane_is_undecided_and_nothing_is_stale(tmp_path: Path):
    for name in ("returns", "refund_policy", "return_policy"):
        text = (HOUSE / f"{name}.yaml").read_text()
        (tmp_path / f"{name}.yaml").write_text(text)
    second = text.replace("version: 1", "version: 2", 1).replace("from: 2009-01-01", "from: 2026-01-01", 1)
    (tmp_path / "return_policy@2.yaml").write_text(second)
    found = lint([tmp_path / "returns.yaml"], today=TODAY)
    (one,) = [one for one in found if one.level is not Level.note]
    assert (one.level, one.where) == (Level.undecided, "entitlements")
    assert "return_policy@1 and return_policy@2 are in force on 2026-01-01" in one.sentence
