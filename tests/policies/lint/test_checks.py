"""Each check of the linter, on a document as small as it can be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from control_tower.errors import PolicyError
from policies.lint import Finding, Level, lint

TODAY = date(2026, 6, 1)
SHOP = """\
id: {id}
version: {version}
owner: head of returns
in_force: {{from: {since}{until}}}
facts:
  days_held: {{type: number, at_least: 0, means: days held, owner: carriers}}
  requested_on: {{type: date, means: the day of the request, owner: returns}}
  hours_waiting: {{type: number, means: hours it has waited, owner: returns, clock: true}}
  reason: {{type: text, one_of: [broken, unwanted], means: why, owner: returns}}
  note: {{type: text, means: what the customer writes, owner: returns}}
  gift: {{type: boolean, means: whether it was a gift, owner: returns}}
  paid: {{type: integer, at_least: 0, means: what was paid, owner: payments}}
  kept: {{type: integer, at_least: 0, means: what was kept, owner: payments}}
"""
ORDINARY = """\
ordinary:
  {days_held: 10, requested_on: 2026-01-20, hours_waiting: 1, reason: unwanted, note: hello, gift: false,
   paid: 100, kept: 50}
"""
TABLE = """\
tables:
  owed:
    means: what the customer is owed
    outcomes: [refund, credit, nothing]
"""
WINDOW = """\
thresholds:
  window: {unit: days, source: our own, values: [{from: 2026-01-01, value: 30}, {from: 2026-04-01, value: 60}]}
"""


@pytest.fixture
def linted(tmp_path: Path) -> Callable[..., list[Finding]]:
    """What is found in a table with these rows."""

    def made(rows: str, *, hit: str = "one", more: str = "", before: str = "", otherwise: str = "") -> list[Finding]:
        head = SHOP.format(id="shop", version=1, since="2026-01-01", until="")
        body = (
            ORDINARY
            + TABLE
            + f"    hit: {hit}\n{more}    rows:\n{rows}"
            + (f"    otherwise: {otherwise}\n" if otherwise else "")
        )
        file = tmp_path / "shop.yaml"
        file.write_text(head + before + body)
        return lint([file], today=TODAY)

    return made


def row(name: str, when: str, then: str) -> str:
    return f"      - {{id: {name}, when: {when}, then: {then}}}\n"


def told(found: list[Finding]) -> set[tuple[str, str, str]]:
    return {(one.level.value, one.check, one.where) for one in found}


EARLY = row("early", "{days_held: '<= 30'}", "refund")
LATE = row("late", "{days_held: '> 30'}", "nothing")


def test_a_sound_table_has_nothing_to_find(linted):
    assert linted(EARLY + LATE) == []


def test_a_gap_is_shown_by_a_record_of_which_no_row_speaks(linted):
    (one,) = linted(EARLY + row("late", "{days_held: '> 60'}", "nothing"))
    assert (one.check, one.where, one.record) == ("gap", "tables.owed", {"days_held": 31})
    assert one.sentence == "No row speaks of it where days_held is 31."


def test_two_gaps_are_told_apart(linted):
    found = linted(EARLY + row("late", "{days_held: '> 60', gift: false}", "nothing"))
    assert [one.check for one in found] == ["gap", "gap"]
    assert {tuple(one.record) for one in found} == {("days_held",), ("days_held", "gift")}


def test_an_outcome_for_all_the_rest_leaves_no_gap(linted):
    assert linted(EARLY, otherwise="nothing") == []


def test_a_division_by_zero_has_no_outcome_although_nothing_is_missing(linted):
    rows = row("much", "kept / paid > 0.5", "nothing") + row("little", "kept / paid <= 0.5", "refund")
    (one,) = linted(rows)
    assert (one.check, one.record) == ("boundary", {"paid": 0})
    assert "There is no outcome, although nothing is missing, at paid 0 exactly" in one.sentence


def test_an_overlap_is_shown_by_a_record_of_which_two_rows_speak(linted):
    (one,) = linted(EARLY + row("late", "{days_held: '> 20'}", "nothing"))
    assert (one.level, one.check, one.where) == (Level.fault, "overlap", "tables.owed.late")
    assert one.sentence.startswith("early gives refund and late gives nothing where days_held is ")
    assert 20 < float(str(one.record["days_held"])) <= 30
    assert "gives: {owed: nothing}" in one.example


def test_an_overlap_on_one_day_is_told_with_the_day(linted):
    (one,) = linted(EARLY + row("late", "{days_held: '>= 30'}", "nothing"))
    assert (one.check, one.record) == ("boundary", {"days_held": 30})
    assert one.sentence == "early gives refund and late gives nothing at days_held 30 exactly."


def test_an_overlap_on_one_date_is_told_with_the_date(linted):
    rows = row("before", "{requested_on: '<= 2026-01-31'}", "refund") + row(
        "after", "{requested_on: '>= 2026-01-31'}", "nothing"
    )
    (one,) = linted(rows)
    assert "at requested_on 2026-01-31 exactly" in one.sentence


def test_rows_that_agree_may_overlap_and_it_is_noted(linted):
    found = linted(EARLY + row("soon", "{days_held: '<= 20'}", "refund") + LATE)
    assert told(found) == {
        ("note", "overlap", "tables.owed.soon"),
        ("fault", "unreachable", "tables.owed.soon"),
    }


def test_the_strictest_row_counts_so_there_rows_may_overlap(linted):
    assert linted(row("any", "{days_held: '>= 0.5'}", "refund") + LATE, hit="strictest", otherwise="refund") == []


def test_a_row_that_a_stricter_one_always_takes_never_decides(linted):
    (one,) = linted(row("old", "{days_held: '> 60'}", "credit") + LATE, hit="strictest", otherwise="refund")
    assert (one.check, one.where, one.record) == ("unreachable", "tables.owed.old", {"days_held": 61})


def test_a_row_that_earlier_rows_always_take_never_decides(linted):
    (one,) = linted(LATE + row("old", "{days_held: '> 60'}", "nothing"), hit="first", otherwise="refund")
    assert (one.check, one.where) == ("unreachable", "tables.owed.old")


def test_a_last_row_for_all_the_rest_hides_behind_nothing(linted):
    assert linted(EARLY + row("rest", "{}", "nothing"), hit="first") == []


def test_a_part_of_an_or_that_nothing_satisfies_never_fires(linted):
    (one,) = linted(EARLY + row("late", "days_held > 30 or (gift and not gift and days_held > 5)", "nothing"))
    assert (one.level, one.check) == (Level.fault, "never_fires")
    assert one.sentence == "No record satisfies gift and not gift and days_held > 5."


def test_a_value_that_the_fact_never_has_never_fires(linted):
    found = linted(EARLY + LATE + row("before", "{days_held: '< 0'}", "credit"))
    assert told(found) == {("fault", "never_fires", "tables.owed.before")}


def test_an_outcome_that_an_earlier_table_never_gives_never_fires(linted):
    rows = EARLY + LATE + "  paid_back:\n    means: whether it is paid back\n    outcomes: ['yes', 'no']\n    rows:\n"
    rows += row("credited", "{owed: credit}", "'yes'") + row("not_credited", "{owed: not credit}", "'no'")
    found = linted(rows)
    assert ("fault", "never_fires", "tables.paid_back.credited") in told(found)


def test_a_misspelt_value_in_a_list_never_fires(linted):
    (one,) = linted(row("early", "{reason: [broken, borken]}", "refund"), otherwise="nothing")
    assert (one.level, one.check, one.where) == (Level.fault, "never_fires", "tables.owed.early")
    assert one.sentence == 'No record satisfies reason in ["borken"].'


def test_where_floats_and_decimals_differ_nothing_is_claimed(linted):
    """Three tenths are 0.3 and, in the numbers that policies are evaluated with, a little more."""
    rows = row("exactly", "paid * 0.1 == 0.3", "refund") + row("three", "{paid: 3}", "credit")
    found = linted(rows, otherwise="nothing")
    assert {(one.level, one.check) for one in found} == {(Level.undecided, "overlap"), (Level.undecided, "unreachable")}
    assert all("not in the floating-point numbers" in one.sentence for one in found)


def test_a_cell_that_excludes_nothing_is_noted(linted):
    found = linted(
        row("early", "{days_held: '<= 30', reason: [broken, unwanted]}", "refund")
        + row("late", "{days_held: '> 30'}", "nothing")
    )
    assert told(found) == {("note", "always", "tables.owed.early")}
    assert found[0].sentence.startswith("The cell for reason excludes nothing")


@pytest.mark.parametrize("fact", ["days_held", "requested_on", "hours_waiting"])
def test_more_time_never_brings_more(linted, fact):
    limit = "2026-03-01" if fact == "requested_on" else "30"
    rows = row("early", f"{{{fact}: '<= {limit}'}}", "credit") + row("late", f"{{{fact}: '> {limit}'}}", "refund")
    (one,) = linted(rows)
    assert (one.level, one.check, one.where) == (Level.fault, "not_monotone", f"tables.owed.{fact}")
    assert one.other is not None
    assert one.record.keys() == one.other.keys() == {fact}
    assert str(one.record[fact]) < str(one.other[fact])
    assert one.example.count("gives: {owed: credit}") == one.example.count("gives: {owed: refund}") == 1


def test_a_fact_is_only_held_to_an_order_that_somebody_declared(linted):
    rows = row("little", "{paid: '<= 30'}", "credit") + row("much", "{paid: '> 30'}", "refund")
    assert linted(rows) == []
    assert told(linted(rows, more="    falls_with: [paid]\n")) == {("fault", "not_monotone", "tables.owed.paid")}


def test_a_row_that_pays_because_evidence_is_missing_grants_for_want_of_it(linted):
    rows = row("not_gift", "not (known(gift) and gift)", "refund") + row("gift", "known(gift) and gift", "credit")
    (one,) = [one for one in linted(rows) if one.check == "missing_evidence"]
    assert one.where == "tables.owed.gift"
    assert one.sentence == (
        "Granted for want of evidence: gift is missing and the outcome is refund, and true would give credit."
    )
    assert (one.record, one.other) == ({"gift": None}, {"gift": True})


def test_each_number_that_was_ever_in_force_is_examined(linted):
    rows = row("early", "{days_held: '<= window'}", "refund") + row("late", "{days_held: '> 45'}", "nothing")
    gap, overlap = sorted(linted(rows, before=WINDOW), key=lambda one: one.check)
    assert (gap.check, gap.record) == ("gap", {"days_held": 31})
    assert overlap.check == "overlap"
    assert overlap.sentence.startswith("From 2026-04-01 on: early gives refund and late gives nothing")
    assert "bought_on: 2026-04-01" in overlap.example


def test_what_the_owner_accepts_is_noted_with_the_reason(linted):
    rows = EARLY + row("late", "{days_held: '> 20'}", "nothing")
    accepted = "accepted: [{check: overlap, where: owed.late, because: the stricter of the two is meant}]\n"
    (one,) = linted(rows, before=accepted)
    assert (one.level, one.accepted) == (Level.note, "the stricter of the two is meant")


def test_what_is_accepted_and_no_longer_found_is_stale(linted):
    accepted = "accepted: [{check: overlap, where: owed.late, because: the stricter of the two is meant}]\n"
    (one,) = linted(EARLY + LATE, before=accepted)
    assert (one.level, one.check, one.where) == (Level.fault, "accepted", "owed.late")


def test_accepting_one_row_accepts_no_other(linted):
    accepted = "accepted: [{check: overlap, where: owed.early, because: the stricter of the two is meant}]\n"
    found = linted(EARLY + row("late", "{days_held: '> 20'}", "nothing"), before=accepted)
    assert told(found) == {("fault", "overlap", "tables.owed.late"), ("fault", "accepted", "owed.early")}


def test_what_the_solver_cannot_decide_is_said_to_be_undecided(tmp_path):
    """Whether x^3 + y^3 + z^3 = 42 has a solution took mankind until 2019."""
    head = SHOP.format(id="shop", version=1, since="2026-01-01", until="")
    cubes = "paid * paid * paid + kept * kept * kept - (paid + 7) * kept * paid == 42"
    rows = row("cubes", f"'{cubes} and days_held * days_held * kept == paid * 33 + 0.25'", "refund")
    file = tmp_path / "shop.yaml"
    file.write_text(head + TABLE + f"    rows:\n{rows}    otherwise: nothing\n")
    found = lint([file], milliseconds=1)
    assert {one.level for one in found} == {Level.undecided}
    assert all("did not settle it in time" in one.sentence for one in found)


def versions(
    folder: Path, *days: tuple[str, str | None], extends: str = "", name: str = "shop", cell: str = "<= 90"
) -> None:
    for number, (since, until) in enumerate(days, 1):
        head = SHOP.format(id=name, version=number, since=since, until=f", until: {until}" if until else "")
        file = folder / f"{name}{'' if number == 1 else f'@{number}'}.yaml"
        if extends:
            head = head.partition("facts:")[0] + f"extends: {extends}\n"
            file.write_text(
                head + f"tables: {{owed: {{rows: [{{id: more, when: {{days_held: '{cell}'}}, then: refund}}]}}}}\n"
            )
        else:
            file.write_text(head + TABLE + "    rows:\n" + EARLY + LATE)


def test_two_versions_on_one_day_are_one_too_many(tmp_path):
    versions(tmp_path, ("2026-01-01", "2026-03-31"), ("2026-03-31", None))
    (one,) = lint([tmp_path / "shop.yaml", tmp_path / "shop@2.yaml"])
    assert (one.document, one.check, one.line) == ("shop@2", "versions", 4)
    assert one.sentence == "shop@1 and shop@2 are both in force on 2026-03-31."


def test_a_day_between_two_versions_has_none(tmp_path):
    versions(tmp_path, ("2026-01-01", "2026-03-29"), ("2026-04-01", None))
    (one,) = lint([tmp_path / "shop@2.yaml"])
    assert one.sentence == "No version of shop is in force from 2026-03-30 to 2026-03-31."


def test_versions_that_follow_one_another_are_sound(tmp_path):
    versions(tmp_path, ("2026-01-01", "2026-03-31"), ("2026-04-01", None))
    assert lint([tmp_path / "shop@2.yaml"]) == []


def test_a_shadow_is_in_force_beside_the_version_it_is_tried_against(tmp_path):
    versions(tmp_path, ("2026-01-01", None), ("2026-03-31", None))
    file = tmp_path / "shop@2.yaml"
    file.write_text("shadow: true\n" + file.read_text())
    assert lint([file]) == []


def test_an_extension_needs_something_to_extend(tmp_path):
    versions(tmp_path, ("2026-01-01", "2026-12-10"))
    versions(tmp_path, ("2026-11-01", "2026-12-24"), extends="shop", name="season")
    (one,) = lint([tmp_path / "season.yaml"])
    assert one.sentence == "There is no shop to extend on 2026-12-11, when season@1 is in force."


def test_seasons_apart_are_sound_and_an_extension_need_not_speak_of_everything(tmp_path):
    versions(tmp_path, ("2025-01-01", None))
    versions(tmp_path, ("2025-11-01", "2025-12-24"), ("2026-11-01", "2026-12-24"), extends="shop", name="season")
    assert lint([tmp_path / "season@2.yaml"]) == []


def test_an_extension_is_held_to_the_order_of_what_both_give_together(tmp_path):
    """By itself it gives nothing before the fortieth day; together with its base that is a day too many."""
    versions(tmp_path, ("2025-01-01", None))
    versions(tmp_path, ("2025-11-01", "2025-12-24"), extends="shop", name="season", cell=">= 40 and <= 60")
    (one,) = lint([tmp_path / "season.yaml"])
    assert (one.check, one.where) == ("not_monotone", "tables.owed.days_held")
    assert 30 < float(str(one.record["days_held"])) < 40
    assert one.example.count("gives: {owed: nothing}") == one.example.count("gives: {owed: refund}") == 1


def test_a_document_that_there_is_not_is_refused():
    with pytest.raises(PolicyError, match="there is no policy"):
        lint(["return_polic"])
