"""What is promised of every policy that is shipped, whoever changes it next."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_tower.rungs import LaneRecord
from policies import advice, entitle, explain, judge, load, proposals
from policies.document import Document, Entitlement, Policy
from policies.entitlements import in_force, ruled
from policies.examples import failing
from policies.reader import family, files_of, names, versions
from policies.readings import entitle_one, ruled_one
from policies.rungs import falls, lacking
from policies.terms import Rung
from policies.verdict import is_missing
from tests.policies import drawing
from tests.thorough import up_to

AS_OF = datetime(2026, 4, 1, 12, tzinfo=UTC)
SHIPPED = [document for name in names() for document in versions(name)]
POLICIES = [document for document in SHIPPED if isinstance(document, Policy)]
BASES = [document for document in SHIPPED if isinstance(document, Entitlement) and not document.extends]
DRAWN = settings(max_examples=up_to(20), deadline=None, suppress_health_check=list(HealthCheck))


def together(document: Document) -> list[Entitlement]:
    return family(files_of(document.id)[0])


def rank(document: Entitlement, table: str, outcome: object) -> int:
    """0 is the best for the customer; what is unknown gives no more than the strictest outcome does."""
    known = document.tables[table]
    return len(known.outcomes) - 1 if is_missing(outcome) else known.rank(outcome)  # type: ignore[arg-type]


def purchases() -> st.SearchStrategy[date]:
    seasons = [date(2026, 3, 1), date(2026, 11, 1), date(2026, 12, 24), date(2025, 11, 20)]
    return st.builds(lambda day, more: day + timedelta(days=more), st.sampled_from(seasons), st.integers(-2, 2))


@pytest.mark.parametrize("document", SHIPPED, ids=lambda one: one.reference)
def test_every_example_is_kept(document: Document):
    related = together(document)
    assert failing(document, related) == []


def test_every_kind_and_every_action_has_an_example():
    for policy in POLICIES:
        assert {kind for example in policy.examples for kind in example.yes} == set(policy.kinds)
        offered = {remedy.action for rule in policy.rules for remedy in rule.propose}
        offered |= {offer.action for offer in policy.propose}
        assert {action for example in policy.examples for action in example.proposes} == offered
        advised = {each.action for rule in policy.rules for each in rule.advise}
        assert {action for example in policy.examples for action in example.advises} == advised


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES, ids=lambda one: one.reference)
@DRAWN
@given(drawn=st.data())
def test_on_every_rung_policy_at_most_asks_and_on_act_it_asks_what_it_asks_on_recommend(policy: Policy, drawn):
    """What hands do is no part of a policy: a row that a person is asked about is all that any rung gives."""
    policy = load(policy.id, AS_OF)
    facts = entitle(policy, drawing.frame(policy, [drawn.draw(drawing.record(policy, whole=True))]), AS_OF)
    findings = judge(policy, facts, AS_OF)
    asked = {rung: proposals(policy.on(rung), findings, facts, AS_OF) for rung in Rung}
    assert asked[Rung.observe].empty and asked[Rung.route].empty
    assert asked[Rung.act].equals(asked[Rung.recommend])
    assert all(json.loads(rests_on) for rests_on in asked[Rung.act]["rests_on"])


def test_shipped_lanes_act_once_a_person_has_ruled_and_what_they_must_show_is_written():
    for policy in POLICIES:
        assert policy.rung is policy.rungs.starts_at is Rung.act
        assert falls(Rung.act, nothing_yet(), policy.rungs) == "", "a lane that has shown nothing yet stays"
        assert lacking(Rung.observe, nothing_yet(), policy.rungs), "and it has earned nothing"


def nothing_yet() -> LaneRecord:
    return LaneRecord(since=AS_OF - timedelta(days=28), until=AS_OF)


@pytest.mark.parametrize("document", BASES, ids=lambda one: one.reference)
@DRAWN
@given(drawn=st.data())
def test_missing_evidence_never_makes_a_customer_more_eligible(document: Entitlement, drawn):
    known = drawn.draw(drawing.record(document, whole=True))
    lost = drawn.draw(st.sets(st.sampled_from(sorted(document.facts)), min_size=1))
    ruler = in_force(together(document), drawn.draw(purchases()))
    assert ruler is not None
    before, after = ruled(ruler, drawing.frame(document, [known, known | dict.fromkeys(lost)])).to_dict("records")
    for table in document.tables:
        assert rank(document, table, after[table]) >= rank(document, table, before[table])


@pytest.mark.parametrize("document", BASES, ids=lambda one: one.reference)
@DRAWN
@given(drawn=st.data())
def test_a_day_later_is_never_more_eligible(document: Entitlement, drawn):
    known = drawn.draw(drawing.record(document))
    later = dict(known)
    for name, fact in document.facts.items():
        if fact.type == "date" and known[name] is not None:
            later[name] = known[name] + timedelta(days=1)
        elif name.startswith("days_") and known[name] is not None:
            later[name] = known[name] + 1
    ruler = in_force(together(document), drawn.draw(purchases()))
    assert ruler is not None
    today, tomorrow = ruled(ruler, drawing.frame(document, [known, later])).to_dict("records")
    for table in document.tables:
        assert rank(document, table, tomorrow[table]) >= rank(document, table, today[table])


@pytest.mark.parametrize("document", BASES, ids=lambda one: one.reference)
@DRAWN
@given(drawn=st.data())
def test_whatever_is_known_whole_gets_an_answer(document: Entitlement, drawn):
    known = drawn.draw(drawing.record(document, whole=True))
    ruler = in_force(together(document), drawn.draw(purchases()))
    assert ruler is not None
    (said,) = ruled(ruler, drawing.frame(document, [known])).to_dict("records")
    assert not [table for table in document.tables if is_missing(said[table])]


@pytest.mark.parametrize("document", BASES, ids=lambda one: one.reference)
@DRAWN
@given(drawn=st.data())
def test_an_entitlement_says_of_one_row_what_it_says_of_many(document: Entitlement, drawn):
    several = drawn.draw(st.lists(drawing.record(document), min_size=1, max_size=4))
    ruler = in_force(together(document), drawn.draw(purchases()))
    assert ruler is not None
    many = ruled(ruler, drawing.frame(document, several)).to_dict("records")
    for row, said in zip(several, many, strict=True):
        alone, _ = ruled_one(ruler, row)
        assert {name: None if is_missing(value) else value for name, value in said.items()} == alone


@pytest.mark.parametrize("policy", POLICIES, ids=lambda one: one.reference)
@DRAWN
@given(drawn=st.data())
def test_a_policy_says_of_one_row_what_it_says_of_many(policy: Policy, drawn):
    policy = load(policy.id, AS_OF)
    several = drawn.draw(st.lists(drawing.record(policy), min_size=1, max_size=3))
    facts = entitle(policy, drawing.frame(policy, several), AS_OF)
    found = judge(policy, facts, AS_OF).set_index(["subject", "kind"])["answer"].to_dict()
    for row, given_row in zip(facts.to_dict("records"), several, strict=True):
        raw = {**given_row, policy.subject: row[policy.subject]}
        concluded, _ = entitle_one(policy, raw, AS_OF)
        for name in policy.conclusions:
            assert concluded[name] == (None if is_missing(row[name]) else row[name])
        for kind in policy.kinds:
            said = explain(policy, kind, concluded, AS_OF)
            assert said.answer.value == found.get((row[policy.subject], kind), "no")
            assert said.answer.value != "unknown" or said.missing, "what is unknown is unknown for want of something"


@pytest.mark.parametrize("policy", POLICIES, ids=lambda one: one.reference)
@DRAWN
@given(drawn=st.data())
def test_losing_evidence_never_lowers_a_risk_and_never_pays(policy: Policy, drawn):
    """What was found stays found or becomes unknown; what was not offered with everything known is not now."""
    policy = load(policy.id, AS_OF)
    known = drawn.draw(drawing.record(policy, whole=True))
    identity = {policy.subject, "order_id", "currency"}
    lost = drawn.draw(st.sets(st.sampled_from(sorted(set(policy.facts) - identity)), min_size=1, max_size=6))
    facts = entitle(policy, drawing.frame(policy, [known, known | dict.fromkeys(lost)]), AS_OF)
    findings = judge(policy, facts, AS_OF)
    answers = findings.set_index(["subject", "kind"])["answer"].to_dict()
    for kind in policy.kinds:
        if answers.get(("000000", kind)) == "yes":
            assert ("000001", kind) in answers, f"losing {lost} hides {kind}"
    proposed = proposals(policy, findings, facts, AS_OF)
    proposed["target"] = proposed["target"].where(proposed["target"] != proposed["subject"], "itself")
    with_all, without = (
        set(proposed.loc[proposed["subject"] == subject, ["action", "target"]].itertuples(index=False, name=None))
        for subject in ("000000", "000001")
    )
    assert without <= with_all
    advised = advice(policy, findings, facts, AS_OF).groupby("subject")["action"].agg(set).to_dict()
    assert advised.get("000001", set()) <= advised.get("000000", set())
