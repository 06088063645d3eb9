"""Tables: cells that a merchandiser can write, every row evaluated, and nothing more generous for want of evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from control_tower.errors import PolicyError
from policies.cells import written_out
from policies.document import Entitlement
from policies.entitlements import conclude
from policies.reader import read
from policies.readings import conclude_one
from policies.verdict import is_missing

TABLE = """\
id: fees
version: 1
owner: payments
in_force: {from: 2026-01-01}
facts:
  days: {type: number, at_least: 0, means: days it was held, owner: desk}
  sort: {type: text, one_of: [book, lamp], means: what it is, owner: desk}
  asked_on: {type: date, means: the day it was asked for, owner: desk}
  opened: {type: boolean, means: whether it was opened, owner: warehouse}
  paid: {type: integer, means: what it cost, owner: payments}
thresholds:
  window: {unit: days, source: ours, values: [{from: 2026-01-01, value: 30}]}
tables:
  fee:
    means: what is kept of the price
    outcomes: [0, 15, 100]
    HIT
    rows:
      - {id: whole, when: {days: "<= window", opened: false}, then: 0}
      - {id: opened, when: {days: "<= window", opened: true}, then: 15}
      - {id: late, when: {days: "> window"}, then: 100}
derived:
  kept: {type: integer, means: what is kept, is: paid * fee / 100}
"""


@pytest.fixture
def fees(tmp_path: Path) -> Callable[..., Entitlement]:
    def made(*changes: tuple[str, str], hit: str = "") -> Entitlement:
        text = TABLE.replace("    HIT\n", f"    hit: {hit}\n" if hit else "")
        for old, new in changes:
            assert old in text, f"the table has no {old!r}"
            text = text.replace(old, new, 1)
        file = tmp_path / "fees.yaml"
        file.write_text(text)
        document = read(file)
        assert isinstance(document, Entitlement)
        return document

    return made


def said(document: Entitlement, **facts: object) -> object:
    """The fee of one case, the same over a frame and alone."""
    row = {"days": 3.0, "sort": "book", "asked_on": None, "opened": False, "paid": 1000, **facts}
    kinds = {"days": "Float64", "sort": "str", "asked_on": "datetime64[s]", "opened": "boolean", "paid": "Int64"}
    frame = pd.DataFrame([row]).astype(kinds)
    many = conclude(document, frame, date(2026, 3, 1)).iloc[0]
    alone, _ = conclude_one(document, row, date(2026, 3, 1))
    for name in ("fee", "kept"):
        assert alone[name] == (None if is_missing(many[name]) else many[name])
    return alone["fee"]


@pytest.mark.parametrize(
    ("cell", "kind", "meant"),
    [
        ("<= 30", "number", "x <= 30"),
        ("> 30 and <= 60", "number", "x > 30 and x <= 60"),
        ("31..60", "integer", "x >= 31 and x <= 60"),
        ("-5 .. 5", "number", "x >= -5 and x <= 5"),
        ("<= window", "number", "x <= window"),
        ("<= 2027-01-31", "date", 'x <= "2027-01-31"'),
        ("2026-11-01..2026-12-24", "date", 'x >= "2026-11-01" and x <= "2026-12-24"'),
        (7, "integer", "x == 7"),
        (True, "boolean", "x"),
        (False, "boolean", "not x"),
        ("book", "text", 'x == "book"'),
        ("not book", "text", 'x != "book"'),
        (("book", "lamp"), "text", 'x in ["book", "lamp"]'),
        ("missing", "number", "missing(x)"),
        ("known", "text", "known(x)"),
    ],
)
def test_a_cell_is_short_for_an_expression(cell, kind, meant):
    assert written_out({"x": cell}, {"x": kind, "window": "number"}) == meant


def test_a_comma_is_refused_because_some_read_it_as_or():
    with pytest.raises(PolicyError, match=r"has a comma.*> 30 and <= 60"):
        written_out({"days": "> 30, <= 60"}, {"days": "number"})


@pytest.mark.parametrize("cell", ["about 30", "30 <", "> 30 or < 10", 'x" or true or x == "y'])
def test_a_cell_that_is_no_range_is_refused(cell):
    with pytest.raises(PolicyError):
        condition = written_out({"days": cell}, {"days": "number"})
        read_as = __import__("policies").parse(condition, {"days": "number"})
        pytest.fail(f"{cell!r} was read as {read_as.text}")


def test_each_row_has_its_outcome_and_the_last_day_counts(fees):
    assert said(fees(), days=30.0) == 0
    assert said(fees(), days=30.0, opened=True) == 15
    assert said(fees(), days=30.01) == 100


def test_a_row_that_may_hold_and_is_stricter_leaves_the_outcome_open(fees):
    assert said(fees(), opened=None) is None
    assert said(fees(), days=None) is None
    assert said(fees(), days=31.0, opened=None) == 100, "a late one costs all of it, opened or not"


def test_what_no_row_speaks_of_has_no_outcome_unless_the_table_says_otherwise(fees):
    gap = ('      - {id: late, when: {days: "> window"}, then: 100}\n', "")
    assert said(fees(gap), days=31.0) is None
    otherwise = ("    rows:\n", "    otherwise: 100\n    rows:\n")
    assert said(fees(gap, otherwise), days=31.0) == 100
    assert said(fees(gap, otherwise), days=None) is None, "missing evidence is not 'otherwise'"


def test_of_rows_that_overlap_the_strictest_counts_and_the_first_only_if_the_table_says_so(fees):
    overlapping = ('when: {days: "> window"}', 'when: {days: "> 10"}')
    assert said(fees(overlapping, hit="strictest"), days=20.0) == 100
    assert said(fees(overlapping), days=20.0) == 100
    assert said(fees(overlapping, hit="first"), days=20.0) == 0


def test_the_first_row_that_may_hold_leaves_the_outcome_open(fees):
    assert said(fees(hit="first"), days=3.0, opened=None) is None


def test_a_value_that_a_fact_can_not_have_is_missing(fees):
    by_sort = ('when: {days: "> window"}', 'when: {days: "> window", sort: lamp}')
    assert said(fees(by_sort), days=31.0, sort="lamp") == 100
    assert said(fees(by_sort), days=31.0, sort="lump") is None
    assert said(fees(), days=-1.0) is None


def test_an_amount_is_rounded_down(fees):
    row = {"days": 3.0, "sort": "book", "asked_on": None, "opened": True, "paid": 999}
    assert conclude_one(fees(), row, date(2026, 3, 1))[0]["kept"] == 149, "15 percent of 9.99"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("then: 15", "then: 16"), "16 is none of the outcomes"),
        (("id: opened,", "id: whole,"), "the row 'whole' is there twice"),
        (("opened: true}", "opend: true}"), "there is no fact or threshold 'opend'"),
        (("opened: true}", "fee: 15}"), "'fee' is only concluded later"),
        (("opened: true}", 'opened: "> 3"}'), "a boolean has no order|where a number is needed|is a number"),
        (('days: "> window"', 'days: "> __import__(chr(111))"'), "the only calls are missing"),
        (("paid * fee / 100", "kept + 1"), "'kept' is only concluded later"),
        (("paid * fee / 100", "opened"), "is a boolean, where a number is needed"),
        (("outcomes: [0, 15, 100]", "outcomes: [0, 15, 15, 100]"), "an outcome is there twice"),
        (("at_least: 0, means: days", "one_of: [a], means: days"), "a number has no one_of"),
        (('days: "> window"', 'asked_on: "> 2026-13-01"'), "is no day"),
    ],
)
def test_a_mistake_in_a_table_is_refused_with_its_line(fees, change, what):
    with pytest.raises(PolicyError, match=what) as refused:
        fees(change)
    assert refused.value.where.rpartition(":")[2].isdigit(), refused.value.where
