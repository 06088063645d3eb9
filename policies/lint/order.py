"""Order: more days, more hours or a later request never bring a more generous outcome."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from policies.document import Document, Entitlement
from policies.entitlements import Ruler
from policies.lint.asking import Proof, Scene
from policies.lint.findings import DISAGREED, Found, undecided
from policies.lint.promises import read
from policies.lint.reads import behind
from policies.lint.records import Evaluator, Record
from policies.lint.wording import told
from policies.readings import ruled_one
from policies.terms import Fact, Table

ELAPSED = ("minutes_", "hours_", "days_", "business_days_", "weeks_", "months_", "years_")


def extends(document: Document) -> bool:
    """Whether a document only adds to another."""
    return isinstance(document, Entitlement) and document.extends is not None


def falling(document: Document, table: str) -> tuple[str, ...]:
    """The facts of which more is never more generous: those declared, clocks, time elapsed, days of the request."""
    declared = document.tables[table].falls_with
    facts = document.facts
    return tuple(name for name in behind(document, [table]) if name in declared or _counts_time(name, facts[name]))


def _counts_time(name: str, fact: Fact) -> bool:
    if fact.type in ("date", "timestamp"):
        return name.startswith("requested")
    return fact.type in ("integer", "number") and (fact.clock or name.startswith(ELAPSED))


def rising(scene: Scene, evaluator: Evaluator, table: str, ruler: Ruler | None = None) -> Iterator[Found]:
    """For each such fact, two records that differ in it alone, the later of which is treated better.

    Args:
        ruler: for an extension, what it extends and itself: only together do they give an outcome.
    """
    documents = [scene.document] if ruler is None else [scene.document, ruler.base]
    rests_on = [name for name in scene.document.facts if any(name in behind(one, [table]) for one in documents)]
    for name in falling(scene.document, table):
        less, after = scene.given[name], scene.another(name)
        worlds = scene.world, scene.with_fact(name, after)
        earlier, later = (
            world.outcome(table) if ruler is None else read(ruler, table, world.given, scene.words)[0]
            for world in worlds
        )  # fmt: skip
        more = z3.And(less.known, after.known, less.value < after.value)
        where, place = f"tables.{table}.{name}", ("tables", table)
        case = scene.case(z3.And(more, later.above(earlier)), rests_on, {name: after})
        if case is Proof.never:
            continue
        if isinstance(case, Proof) or case.other is None:
            yield undecided("not_monotone", where, place)
            continue
        outcomes = [_outcome(evaluator, table, record, ruler) for record in (case.record, case.other)]
        if not _better(scene.document.tables[table], *outcomes):
            yield undecided("not_monotone", where, place, why=DISAGREED)
            continue
        others = {fact: value for fact, value in case.record.items() if fact != name}
        where_so = told(others, scene.document.ordinary)
        sentence = (
            f"With {name} {case.record[name]} the outcome is {outcomes[0]}, "
            f"and with {case.other[name]} it is {outcomes[1]}, which is more generous{where_so}."
        )
        yield Found(
            "not_monotone", where, place, sentence, record=case.record, other=case.other, tables=(table,)
        )  # fmt: skip


def _outcome(evaluator: Evaluator, table: str, record: Record, ruler: Ruler | None) -> str | float | None:
    if ruler is None:
        return evaluator.decision(table, record).outcome
    outcome: str | float | None = ruled_one(ruler, evaluator.whole(record))[0][table]
    return outcome


def _better(table: Table, before: str | float | None, after: str | float | None) -> bool:
    """Whether the second outcome is known, and more generous than the first."""
    return before is not None and after is not None and table.rank(after) < table.rank(before)
