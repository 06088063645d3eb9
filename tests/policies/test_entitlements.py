"""What was promised on the day of purchase decides; an extension can only give more."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from control_tower.errors import PolicyError
from policies import entitle, explain, load
from policies.entitlements import in_force, ruled
from policies.examples import situations
from policies.reader import HOUSE, family, files_of, read, versions
from policies.readings import entitle_one
from policies.terms import Example

AS_OF = datetime(2026, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the shipped documents, to be changed."""
    for file in HOUSE.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    return tmp_path


def judged(policy, **facts):
    """One return with what is concluded of it, over a frame."""
    frame = situations(policy, [Example(name="a return", facts=facts)])
    return entitle(policy, frame, AS_OF).iloc[0]


def test_the_version_in_force_at_purchase_decides_and_todays_is_told_beside_it(house):
    old = house / "return_policy.yaml"
    text = old.read_text()
    (house / "return_policy@2.yaml").write_text(
        text.replace("version: 1", "version: 2")
        .replace("in_force: {from: 2009-01-01}", "in_force: {from: 2026-03-10}")
        .replace("value: 30}", "value: 14}")
    )
    old.write_text(text.replace("in_force: {from: 2009-01-01}", "in_force: {from: 2009-01-01, until: 2026-03-09}"))
    policy = load(house / "returns.yaml", AS_OF)
    before = judged(policy, bought_on="2026-03-09", days_held=20)
    after = judged(policy, bought_on="2026-03-10", days_held=20)
    assert (before["return_window"], before["return_window_clause"]) == ("open", "return_policy@1 1.1")
    assert (before["return_window_today"], after["return_window"]) == ("closed", "closed")
    assert after["return_window_clause"] == "return_policy@2 1.1"


def test_a_number_that_changed_counts_as_it_was_on_the_day_of_purchase(house):
    file = house / "return_policy.yaml"
    file.write_text(file.read_text().replace("value: 30}]", "value: 30}, {from: 2026-03-10, value: 60}]"))
    policy = load(house / "returns.yaml", AS_OF)
    assert judged(policy, bought_on="2026-03-09", days_held=45)["return_window"] == "closed"
    assert judged(policy, bought_on="2026-03-10", days_held=45)["return_window"] == "open"


def test_two_versions_in_force_on_one_day_are_refused():
    (base,) = versions("return_policy")
    again = base.model_copy(update={"version": 2})
    with pytest.raises(PolicyError, match=r"return_policy@1 and return_policy@2 are in force on 2026-01-01"):
        in_force([base, again], date(2026, 1, 1))


@pytest.mark.parametrize(
    ("bought", "facts", "window"),
    [
        ("2026-11-01", {"requested_on": "2027-01-31", "days_held": 80}, "open"),
        ("2026-11-01", {"requested_on": "2027-02-01", "days_held": 80}, "closed"),
        ("2026-10-31", {"requested_on": "2027-01-31", "days_held": 80}, "closed"),
        ("2026-11-01", {"requested_on": "2027-02-01", "days_held": 3}, "open"),
        ("2026-11-01", {"requested_on": None, "days_held": 3}, "open"),
        ("2026-11-01", {"requested_on": None, "days_held": 80}, None),
        ("2026-11-01", {"requested_on": "2027-01-01", "days_held": None}, "open"),
        ("2026-11-01", {"requested_on": "2027-03-01", "days_held": None}, None),
    ],
)
def test_an_extension_gives_more_and_never_takes(bought, facts, window):
    file = files_of("return_policy")[0]
    ruler = in_force(family(file), date.fromisoformat(bought))
    said = ruled(ruler, situations(ruler.base, [Example(name="a return", facts=facts)])).iloc[0]
    assert said["return_window"] == window or (window is None and said.isna()["return_window"])
    wanted = "holiday_extension@2 H.1" if facts["requested_on"] in ("2027-01-31", "2027-01-01") else None
    if wanted and window == "open":
        assert said["return_window_clause"] == wanted


def test_a_shadow_of_what_was_promised_promises_nothing(house):
    text = (house / "return_policy.yaml").read_text()
    (house / "return_policy@2.yaml").write_text(
        text.replace("version: 1", "version: 2\nshadow: true").replace("value: 30}", "value: 1}")
    )
    assert judged(load(house / "returns.yaml", AS_OF), days_held=20)["return_window"] == "open"


def test_what_is_unknown_names_the_evidence_and_who_has_it():
    policy = load("returns", AS_OF)
    row = dict(policy.ordinary) | {"business_days_since_inspected": 9, "reason": None, "condition": None}
    row = dict.fromkeys(policy.facts) | row
    concluded, _ = entitle_one(policy, row, AS_OF)
    told = explain(policy, "late_refund", concluded, AS_OF)
    assert told.answer == "unknown"
    assert told.missing == ("condition", "reason")
    assert "why it comes back (ask returns-desk)" in told.sentence
    assert "the condition in which it came back (ask warehouse)" in told.sentence


def test_a_purchase_of_no_known_day_was_promised_nothing_that_is_known():
    policy = load("returns", AS_OF)
    row = dict.fromkeys(policy.facts) | dict(policy.ordinary) | {"bought_on": None, "days_held": 99}
    concluded, _ = entitle_one(policy, row, AS_OF)
    assert concluded["return_window"] is None
    assert concluded["return_window_today"] == "closed"
    assert explain(policy, "return_outside_window", concluded, AS_OF).missing == ("bought_on",)


def test_a_policy_that_reads_what_is_not_there_is_refused(house):
    file = house / "returns.yaml"
    file.write_text(file.read_text().replace("documents: [return_policy,", "documents: [return_polcy,"))
    with pytest.raises(PolicyError, match=r"there is no entitlement 'return_polcy'.*did you mean 'return_policy'"):
        read(file)


def test_an_extension_of_nothing_and_of_no_such_table_are_refused(house):
    file = house / "holiday_extension.yaml"
    text = file.read_text()
    file.write_text(text.replace("extends: return_policy", "extends: retrun_policy"))
    with pytest.raises(PolicyError, match=r"holiday_extension\.yaml:\d+: there is no document 'retrun_policy'"):
        read(file)
    file.write_text(text.replace("  return_window:", "  return_widow:"))
    with pytest.raises(PolicyError, match=r"return_policy has no table 'return_widow'.*did you mean 'return_window'"):
        read(file)


def test_facts_of_one_name_mean_the_same_in_every_document(house):
    file = house / "return_policy.yaml"
    file.write_text(file.read_text().replace("gift: {type: boolean", "gift: {type: text", 1))
    with pytest.raises(PolicyError, match="gift"):
        read(house / "returns.yaml")


MISTAKES = {
    "an unknown field": ("owner: head of returns", "ownr: head of returns", r"there is no field 'ownr'.*'owner'"),
    "a wrong type": ("version: 2", "version: two", "version"),
    "a bad date": ("in_force: {from: 2026-03-10}", "in_force: {from: 2026-13-45}", "from"),
    "a duplicate id": ("id: too_late, clause", "id: in_time, clause", "the row 'in_time' is there twice"),
    "code": ('days_held: "<= return_window_days"', 'days_held: "<= (lambda: 30)()"', "Lambda|only calls"),
    "ten thousand rows": (
        "    rows:\n",
        "    rows:\n" + "".join(f"      - {{id: r{n}, when: {{days_held: {n}}}, then: open}}\n" for n in range(10_000)),
        "more than 1,000 entries|larger than",
    ),
    "exploding aliases": (
        "thresholds:",
        "bomb: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\nthresholds:",
        "an anchor or alias is not allowed",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_version_with_a_mistake_is_refused_with_its_line_and_the_one_in_force_stays(house, mistake, caplog):
    """Nobody's return waits for a typing error: what was promised before goes on."""
    text = (house / "return_policy.yaml").read_text()
    text = text.replace("version: 1\n", "version: 2\n").replace(
        "{from: 2009-01-01}\n\nfacts", "{from: 2026-03-10}\n\nfacts"
    )
    old, new, what = MISTAKES[mistake]
    assert old in text
    (house / "return_policy@2.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(PolicyError, match=what) as refused:
        read(house / "return_policy@2.yaml")
    assert refused.value.where.rpartition(":")[2].isdigit(), refused.value.where
    policy = load(house / "returns.yaml", AS_OF)
    assert judged(policy, bought_on="2026-03-20", days_held=20)["return_window_clause"] == "return_policy@1 1.1"
    assert "return_policy@2.yaml" in caplog.text


def test_a_lane_goes_on_with_the_version_in_force_when_the_next_is_malformed(house):
    text = (house / "returns.yaml").read_text()
    (house / "returns@2.yaml").write_text(text.replace("version: 1", "version: 2").replace("rung: act", "rung: act?"))
    with pytest.raises(PolicyError, match=r"returns@2\.yaml:\d+: rung can't be 'act\?'"):
        read(house / "returns@2.yaml")
    assert load(house / "returns.yaml", AS_OF).reference == "returns@1"
