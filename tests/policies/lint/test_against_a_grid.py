"""What the linter proves of small tables is what trying every record shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_tower.nouns import Answer
from policies.document import Entitlement
from policies.lint.findings import Found, Level
from policies.lint.linting import found_in
from policies.tables import Decision, decide_one
from tests.thorough import up_to

VALUES = range(4)
TRIED = settings(max_examples=up_to(25), deadline=None, suppress_health_check=list(HealthCheck))
FACTS = {
    name: {"type": "integer", "at_least": 0, "at_most": 3, "means": "a number", "owner": "us"} for name in ("a", "b")
}

compared = st.builds(
    "{} {} {}".format, st.sampled_from("ab"), st.sampled_from(["<", "<=", ">", ">=", "=="]), st.integers(0, 3)
)
asked = st.builds("{}({})".format, st.sampled_from(["known", "missing"]), st.sampled_from("ab"))
atoms = st.one_of(compared, compared, compared, asked)


def conditions(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.builds("({} {} {})".format, leaves, st.sampled_from(["and", "or"]), leaves)
    return st.one_of(leaves, pair, st.builds("not {}".format, pair), st.builds("({} and {})".format, pair, pair))


@st.composite
def documents(
    draw: Any, leaves: st.SearchStrategy[str] = atoms, hits: tuple[str, ...] = ("one", "first", "strictest")
) -> Entitlement:
    outcomes = ["best", "middle", "worst"]
    whens = draw(st.lists(conditions(leaves), min_size=1, max_size=4))
    rows = [{"id": f"row{n}", "when": when, "then": draw(st.sampled_from(outcomes))} for n, when in enumerate(whens)]
    otherwise = draw(st.sampled_from([None, None, "best", "worst"]))
    table = {"means": "a table", "outcomes": outcomes, "hit": draw(st.sampled_from(hits)), "falls_with": ["a"]}
    content = {
        "id": "drawn", "version": 1, "owner": "us", "in_force": {"from": "2026-01-01"}, "facts": FACTS,
        "tables": {"t": {**table, "rows": rows, "otherwise": otherwise}},
        "ordinary": draw(st.sampled_from([{}, {"a": 1, "b": 2}])),
    }  # fmt: skip
    return Entitlement.model_validate(content)


def decide(document: Entitlement, record: dict[str, int | None]) -> Decision:
    table = document.tables["t"]
    conditions = [document.condition(row) for row in table.rows]
    return decide_one(table, conditions, record, document.catalogue, document.facts)


def records(*, whole: bool = False) -> Iterator[dict[str, int | None]]:
    values = list(VALUES) if whole else [*VALUES, None]
    return ({"a": a, "b": b} for a, b in product(values, values))


def checks(document: Entitlement, *names: str) -> list[Found]:
    found = found_in(document)
    assert not [one for one in found if one.level is Level.undecided], "so small a table is always decided"
    return [one for one in found if one.check in names]


@TRIED
@given(documents())
def test_there_is_a_gap_just_where_some_whole_record_has_no_outcome(document):
    silent = [record for record in records(whole=True) if decide(document, record).gap]
    found = checks(document, "gap", "boundary")
    assert bool([one for one in found if one.where == "tables.t"]) == bool(silent)


@TRIED
@given(documents(hits=("one",)))
def test_rows_overlap_just_where_some_record_satisfies_two_of_them(document):
    rows = document.tables["t"].rows
    wanted = {
        (rows[first].id, rows[later].id, rows[first].then == rows[later].then)
        for record in records()
        for first, later in combinations(range(len(rows)), 2)
        if {decide(document, record).answers[n] for n in (first, later)} == {Answer.yes}
    }
    found = checks(document, "overlap", "boundary")
    told = {
        (one.topic, one.where.rpartition(".")[2], one.level is Level.note) for one in found if one.where != "tables.t"
    }
    assert told == wanted


@TRIED
@given(documents())
def test_more_is_more_generous_just_where_two_records_show_it(document):
    table = document.tables["t"]

    def rank(a: int, b: int | None) -> int | None:
        outcome = decide(document, {"a": a, "b": b}).outcome
        return None if outcome is None else table.rank(outcome)

    pairs = [(rank(a, b), rank(more, b)) for b in [*VALUES, None] for a, more in combinations(VALUES, 2)]
    rising = [1 for before, after in pairs if before is not None and after is not None and after < before]
    assert bool(checks(document, "not_monotone")) == bool(rising)


@TRIED
@given(documents())
def test_evidence_is_wanted_just_where_a_value_would_turn_the_outcome(document):
    table = document.tables["t"]
    turned = set()
    for record in records():
        without = decide(document, record).outcome
        for fact in [name for name, value in record.items() if value is None and without is not None]:
            outcomes = [decide(document, record | {fact: value}).outcome for value in VALUES]
            ranks = {table.rank(one) for one in outcomes if one is not None} - {table.rank(without)}
            turned |= {(fact, "granted" if rank > table.rank(without) else "denied") for rank in ranks}
    found = checks(document, "missing_evidence")
    assert {(one.where.rpartition(".")[2], one.topic) for one in found} == turned


@TRIED
@given(documents())
def test_a_row_never_holds_or_never_decides_just_where_no_record_shows_it(document):
    rows = document.tables["t"].rows
    decided = [decide(document, record) for record in records()]
    never = {row.id for n, row in enumerate(rows) if not any(one.answers[n] is Answer.yes for one in decided)}
    always = {row.id for n, row in enumerate(rows) if not any(one.answers[n] is Answer.no for one in decided)}
    hidden = {row.id for n, row in enumerate(rows) if not any(one.row == n for one in decided)} - never
    found = checks(document, "never_fires", "always", "unreachable")
    told = {
        check: {one.where.rpartition(".")[2] for one in found if one.check == check and not one.topic}
        for check in ("never_fires", "always", "unreachable")
    }
    assert told == {"never_fires": never, "always": always - never, "unreachable": hidden}


@TRIED
@given(documents(hits=("first",)))
def test_a_row_is_hidden_just_where_it_holds_and_a_more_generous_one_decides(document):
    rows = document.tables["t"].rows
    rank = [document.tables["t"].rank(row.then) for row in rows]
    hidden = {
        rows[later].id
        for record in records()
        for decision in [decide(document, record)]
        for later in range(len(rows))
        if decision.row is not None
        and decision.row < later
        and decision.answers[later] is Answer.yes
        and rank[decision.row] < rank[later]
    }
    assert {one.where.rpartition(".")[2] for one in checks(document, "hidden")} == hidden


@TRIED
@given(document=documents(leaves=compared), a=st.floats(0, 3), b=st.floats(0, 3))
def test_without_a_gap_every_record_gets_an_answer(document, a, b):
    facts = {name: fact.model_copy(update={"type": "number"}) for name, fact in document.facts.items()}
    document = Entitlement.model_validate({**document.model_dump(), "facts": facts})
    if not checks(document, "gap", "boundary") or document.tables["t"].otherwise is not None:
        assert decide(document, {"a": a, "b": b}).outcome is not None


@TRIED
@given(documents())
def test_every_record_that_is_shown_is_one_that_shows_it(document):
    """The example of a gap has no outcome, and so on: nobody is sent after a fault that is none."""
    for one in checks(document, "gap", "boundary", "missing_evidence", "not_monotone"):
        whole = {"a": None, "b": None} | document.ordinary
        first = decide(document, whole | one.record)
        second = None if one.other is None else decide(document, whole | one.other)
        if second is None and one.where == "tables.t":
            assert first.gap
        elif second is not None:
            assert first.outcome != second.outcome
