"""Promises: what the entitlements of a lane conclude of one record, as terms of the solver.

The version in force on the day of purchase decides, with its extensions; `policies.entitlements` says the
same of rows of facts, and `policies.readings` of one.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import z3

from control_tower.errors import PolicyError
from policies.document import Document, Entitlement, Policy
from policies.entitlements import Ruler, cited, in_force
from policies.expressions import EPOCH_DAY
from policies.lint.solver import Given, Quantity, Term, Words, free
from policies.lint.worlds import Outcome, World, as_quantity
from policies.terms import Fact


class Span(NamedTuple):
    """Days of purchase, both ends included, on which one set of versions and numbers is in force."""

    since: date
    until: date | None
    ruler: Ruler


def promised(policy: Policy, given: Given, day: date, words: Words) -> dict[str, Quantity]:
    """What customers were promised, by the day of purchase that the facts name.

    Args:
        given: a quantity for each fact of the lane.
        day: the day whose versions count as today's.
    """
    assert policy.entitlements is not None  # noqa: S101 - asked only where there are; narrows the type
    bought = given[policy.entitlements.in_force_on]
    row, now = dict(given), dict(given)
    for documents in policy.bound.values():
        cases = [(_within(span, bought), ruled(span.ruler, row, words)) for span in spans(documents)]
        row |= {name: _chosen([(when, said[name]) for when, said in cases if name in said]) for name in _names(cases)}
        today = in_force(documents, day)
        if today is not None:
            said = ruled(today, now, words)
            now |= said
            row |= {f"{name}_today": said[name] for name in today.base.tables}
    blank = unpromised(policy, words)
    return {name: row.get(name, blank[name]._replace(known=z3.BoolVal(False))) for name in policy.promised}


def unpromised(policy: Policy, words: Words) -> dict[str, Quantity]:
    """The names that entitlements conclude, as facts of which nothing is settled."""
    return {name: free(name, kind) for name, kind in policy.promised.items()}


def outcomes_of(policy: Policy, name: str) -> Fact | None:
    """What a promised name can be: the outcomes that any version gives; None where it can be anything."""
    table = name.removesuffix("_today")
    known = [one.tables[table] for versions in policy.bound.values() for one in versions if table in one.tables]
    if not known or known[0].type != "text":
        return None
    outcomes = tuple(dict.fromkeys(str(outcome) for one in known for outcome in one.outcomes))
    return Fact(type="text", means=known[0].means, owner=policy.owner, one_of=outcomes)


def numbers_of(policy: Policy, name: str) -> tuple[float, ...]:
    """The numbers that a promised name can be; empty where it can be any."""
    table = name.removesuffix("_today")
    known = [one.tables[table] for versions in policy.bound.values() for one in versions if table in one.tables]
    return tuple(dict.fromkeys(float(o) for one in known if one.type == "number" for o in one.outcomes))


def ruled(ruler: Ruler, given: Given, words: Words) -> dict[str, Quantity]:
    """What the versions in force conclude: outcomes, the clauses that decided, and derived facts."""
    known = dict(given)
    found: dict[str, Quantity] = {}
    for name, table in ruler.base.tables.items():
        outcome, clause = read(ruler, name, known, words)
        found[name] = known[name] = as_quantity(table, outcome.at, words)
        found[f"{name}_clause"] = clause
    world = World(ruler.base, known, ruler.base.thresholds_on(ruler.day), words)
    return found | {name: world[name] for name in ruler.base.derived}


def read(ruler: Ruler, name: str, known: Given, words: Words) -> tuple[Outcome, Quantity]:
    """What the versions in force decide by one table together, and the clause that decides."""
    base = ruler.base
    outcome = World(base, known, base.thresholds_on(ruler.day), words).outcome(name)
    clause = _clause(base, name, outcome, words)
    for extension in ruler.extensions:
        if name in extension.tables:
            more = World(extension, known, extension.thresholds_on(ruler.day), words).outcome(name)
            better, doubtful = _more_generous(outcome, more)
            theirs = _clause(extension, name, more, words)
            value = z3.If(better, theirs.value, clause.value)
            clause = Quantity(z3.And(z3.Not(doubtful), z3.If(better, theirs.known, clause.known)), value)
            outcome = _combined(outcome, more, better, doubtful)
    return outcome, clause


def spans(documents: tuple[Entitlement, ...]) -> list[Span]:
    """The days of purchase, in order, by the versions and numbers that are in force on them."""
    turns: set[date] = set()
    for document in documents:
        turns.add(document.in_force.since)
        if document.in_force.until:
            turns.add(document.in_force.until + timedelta(days=1))
        turns |= {dated.since for threshold in document.thresholds.values() for dated in threshold.values}
    days = sorted(turns)
    found = []
    for number, since in enumerate(days):
        ruler = in_force(documents, since)
        until = days[number + 1] - timedelta(days=1) if number + 1 < len(days) else None
        if ruler is not None:
            found.append(Span(since, until, ruler))
    return found


def _within(span: Span, bought: Quantity) -> Term:
    first = bought.value >= span.since.toordinal() - EPOCH_DAY
    last = True if span.until is None else bought.value <= span.until.toordinal() - EPOCH_DAY
    return z3.And(bought.known, first, last)


def _names(cases: list[tuple[Term, dict[str, Quantity]]]) -> list[str]:
    return list(dict.fromkeys(name for _, said in cases for name in said))


def _chosen(cases: list[tuple[Term, Quantity]]) -> Quantity:
    """What is known in the one case that applies; nothing where none does."""
    known, value = z3.BoolVal(False), cases[-1][1].value
    for when, said in cases:
        known, value = z3.Or(known, z3.And(when, said.known)), z3.If(when, said.value, value)
    return Quantity(known, value)


def _clause(document: Entitlement, name: str, outcome: Outcome, words: Words) -> Quantity:
    table = document.tables[name]
    value = z3.IntVal(words.code(cited(document, table, None)))
    for place, decides in enumerate(outcome.decides):
        value = z3.If(decides, z3.IntVal(words.code(cited(document, table, place))), value)
    return Quantity(outcome.known, value)


def _more_generous(base: Outcome, more: Outcome) -> tuple[Term, Term]:
    """When an extension gives more, and when that is not known; as `policies.entitlements.more_generous`."""
    not_best = z3.Not(base.at[0])
    better = z3.And(not_best, z3.Or(more.at[0], more.above(base)))
    doubtful = z3.And(not_best, z3.Or(more.unknown, z3.And(z3.Or(more.at[1:]), z3.Not(base.known))))
    return better, doubtful


def _combined(base: Outcome, more: Outcome, better: Term, doubtful: Term) -> Outcome:
    kept = z3.Not(z3.Or(better, doubtful))
    at = tuple(z3.Or(z3.And(better, theirs), z3.And(kept, ours)) for ours, theirs in zip(base.at, more.at, strict=True))
    return Outcome(at, base.decides, base.rows, z3.And(kept, base.gap))


def contradiction(document: Document) -> str:
    """Why nobody can say what a lane promises: two versions in force on one day; empty where there is no reason."""
    try:
        for versions in document.bound.values() if isinstance(document, Policy) else ():
            spans(versions)
    except PolicyError as fault:
        return fault.what
    return ""
