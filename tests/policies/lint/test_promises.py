"""What the solver is told that a document concludes is what the document concludes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import z3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import load
from policies.document import Document, Entitlement, Policy
from policies.lint.asking import Scene
from policies.lint.records import Evaluator
from policies.lint.solver import value_of
from policies.reader import names, versions
from policies.verdict import is_missing
from tests.policies import drawing
from tests.thorough import up_to

DAY = date(2026, 4, 1)
TRIED = settings(max_examples=up_to(20), deadline=None, suppress_health_check=list(HealthCheck))
SHIPPED = [one for name in names() for one in versions(name)]
SCENES = {one.reference: Scene(one, max(DAY, one.in_force.since), 2000) for one in SHIPPED}


def solved(scene: Scene, record: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What the solver makes of a record: each conclusion, and each rule's answer."""
    document = scene.document
    scene.solver.push()
    for name, value in record.items():
        scene.solver.add(scene.equal(name, scene.given[name], value.isoformat() if isinstance(value, date) else value))
    assert scene.solver.check() == z3.sat
    model = scene.solver.model()
    scene.solver.pop()
    concluded = {}
    for name in (*document.conclusions,) if isinstance(document, Policy) else (*document.concluded,):
        known, value = scene.world[name]
        term = model.eval(value, model_completion=True)
        held = z3.is_true(model.eval(known, model_completion=True))
        concluded[name] = value_of(term, document.catalogue[name], scene.words) if held else None
    said = {rule.kind: scene.world.said(rule.when) for rule in getattr(document, "rules", ())}
    answers = {
        kind: "yes" if z3.is_true(model.eval(yes, True)) else "no" if z3.is_true(model.eval(no, True)) else "unknown"
        for kind, (yes, no) in said.items()
    }
    return concluded, answers


@pytest.mark.parametrize("document", SHIPPED, ids=lambda one: one.reference)
@TRIED
@given(drawn=st.data())
def test_the_solver_concludes_what_the_document_does(document: Document, drawn):
    scene = SCENES[document.reference]
    record = drawn.draw(drawing.record(document))
    concluded, answers = solved(scene, record)
    evaluator = Evaluator(document, scene.day)
    told = evaluator.concluded(record)
    assert {name: None if is_missing(told[name]) else told[name] for name in concluded} == pytest.approx(concluded)
    for kind, answer in answers.items():
        assert isinstance(document, Policy)
        assert evaluator.answer(document.rule(kind).when, record).value == answer


def test_a_promise_is_worked_out_for_a_purchase_of_any_day():
    policy = load("returns", DAY)
    scene = SCENES[policy.reference]
    record = dict(policy.ordinary) | {"bought_on": "2025-12-10", "requested_on": "2026-01-20", "days_held": 38}
    whole = {name: record.get(name) for name in policy.facts}
    concluded, _ = solved(scene, whole)
    assert concluded["return_window"] == "open"
    assert concluded["return_window_clause"] == "holiday_extension@1 H.1"
    assert concluded["return_window_today"] == "closed"
    assert isinstance(policy.bound["return_policy"][0], Entitlement)
