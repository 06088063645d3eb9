"""A million rows and one row give the same answer: said of random expressions over random facts."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_tower.errors import PolicyError
from control_tower.nouns import Answer
from policies import parse
from policies.truth import Columns, Truth, evaluate
from policies.verdict import verdict
from tests.thorough import up_to

CATALOGUE = {
    "flag": "boolean",
    "mark": "boolean",
    "hours": "number",
    "days": "number",
    "cents": "integer",
    "service": "text",
    "carrier": "text",
    "shipped": "timestamp",
    "promised": "timestamp",
    "grace": "number",
}
THRESHOLDS = {"grace": 2.0}
TEXTS = ["express", "standard", "", "Ünïcode"]
MOMENTS = [datetime(2026, 3, 29, tzinfo=UTC) + timedelta(microseconds=n) for n in (0, 1, 3_600_000_000)]

numbers = st.sampled_from(["hours", "days", "cents", "grace", "0", "1", "2.5", "-1", "9e15"])
amounts = st.recursive(
    numbers,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({' '.join(t)})"),
    max_leaves=4,
)
words = st.sampled_from(["service", "carrier", "'express'", "''"])
moments = st.sampled_from(["shipped", "promised"])
signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
equal = st.sampled_from(["==", "!="])
simple = st.one_of(
    st.sampled_from(["flag", "mark", "true", "false"]),
    st.tuples(amounts, signs, amounts).map(" ".join),
    st.tuples(amounts, signs, amounts, signs, amounts).map(" ".join),
    st.tuples(words, equal, words).map(" ".join),
    st.tuples(moments, signs, moments).map(" ".join),
    st.tuples(words, st.sampled_from(["in", "not in"]), st.just("['express', '']")).map(" ".join),
    st.tuples(amounts, st.sampled_from(["in", "not in"]), st.just("[0, 1, -1]")).map(" ".join),
    st.tuples(st.sampled_from(["known", "missing"]), st.sampled_from(sorted(CATALOGUE))).map(
        lambda t: f"{t[0]}({t[1]})"
    ),
)
conditions = st.recursive(
    simple,
    lambda inner: st.one_of(
        inner.map(lambda part: f"not ({part})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: " and ".join(f"({p})" for p in parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: " or ".join(f"({p})" for p in parts)),
        st.tuples(inner, equal, inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    ),
    max_leaves=6,
)
rows = st.fixed_dictionaries(
    {
        "flag": st.sampled_from([True, False, None, pd.NA]),
        "mark": st.sampled_from([True, False, None]),
        "hours": st.sampled_from([None, float("nan"), 0.0, -0.0, 1.0, 2.5, -3.5, 1e308, float("inf")]),
        "days": st.sampled_from([None, 0.0, 2.0, -1.0]),
        "cents": st.sampled_from([None, pd.NA, 0, 1, -1, 2**53]),
        "service": st.sampled_from([None, float("nan"), *TEXTS]),
        "carrier": st.sampled_from([None, *TEXTS]),
        "shipped": st.sampled_from([None, pd.NaT, *MOMENTS]),
        "promised": st.sampled_from([None, *MOMENTS]),
    }
)
ways = {
    "boolean": ["boolean", "object"],
    "number": ["Float64", "float64", "object"],
    "integer": ["Int64", "float64", "object"],
    "text": ["str", "string[pyarrow]", "string[python]", "object"],
    "timestamp": ["datetime64[us, UTC]", "datetime64[us, America/Sao_Paulo]", "object"],
}


def column(values, kind, dtype):
    if kind == "timestamp":
        found = pd.Series([None if value is pd.NaT else value for value in values], dtype=object)
        return (
            found if dtype == "object" else pd.to_datetime(found, utc=True).astype("datetime64[us, UTC]").astype(dtype)
        )
    if kind in ("number", "integer") and dtype == "float64":
        return pd.Series([np.nan if pd.isna(value) else value for value in values], dtype=dtype)
    if dtype != "object":
        values = [None if pd.isna(value) else value for value in values]
    return pd.Series(values, dtype=dtype)


@settings(max_examples=up_to(250), deadline=None)
@given(text=conditions, several=st.lists(rows, max_size=6), data=st.data())
def test_many_rows_and_one_row_have_one_answer(text, several, data):
    frame = pd.DataFrame(
        {
            name: column([row[name] for row in several], kind, data.draw(st.sampled_from(ways[kind])))
            for name, kind in CATALOGUE.items()
            if name not in THRESHOLDS
        }
    )
    expression = parse(text, CATALOGUE)
    truth = evaluate(expression, Columns(frame, CATALOGUE, THRESHOLDS))
    assert not (truth.yes & truth.no).any()
    told = [verdict(expression, row | THRESHOLDS, CATALOGUE) for row in several]
    assert answers(truth) == [said.answer for said in told]
    for said in told:
        assert said.answer is Answer.unknown or not said.missing
        assert set(said.missing) <= set(expression.names)


@settings(max_examples=up_to(200), deadline=None)
@given(text=conditions.filter(lambda t: "known" not in t and "missing" not in t), row=rows, data=st.data())
def test_losing_evidence_never_turns_an_answer_round(text, row, data):
    expression = parse(text, CATALOGUE)
    before = verdict(expression, row | THRESHOLDS, CATALOGUE).answer
    lost = data.draw(st.sampled_from(sorted(row)))
    after = verdict(expression, row | {lost: None} | THRESHOLDS, CATALOGUE).answer
    assert after in (before, Answer.unknown)


def answers(truth: Truth) -> list[Answer]:
    return [
        Answer.yes if yes else Answer.no if no else Answer.unknown for yes, no in zip(truth.yes, truth.no, strict=True)
    ]


def test_kleene_decides_what_the_missing_could_not_change():
    frame = pd.DataFrame({"flag": [True, False], "hours": [None, None], "mark": [None, None]})
    columns = Columns(frame, CATALOGUE, THRESHOLDS)
    said = answers(evaluate(parse("flag and hours > 1", CATALOGUE), columns))
    assert said == [Answer.unknown, Answer.no]
    assert answers(evaluate(parse("flag or mark", CATALOGUE), columns)) == [Answer.yes, Answer.unknown]


def test_only_the_missing_facts_that_mattered_are_asked_for():
    facts = {"flag": True, "hours": None, "mark": None, "cents": None, "grace": 2.0}
    said = verdict(parse("flag and hours > 1 or (not flag and mark)", CATALOGUE), facts, CATALOGUE)
    assert (said.answer, said.missing) == (Answer.unknown, ("hours",))


def test_a_division_by_zero_is_unknown_and_says_by_what():
    said = verdict(parse("cents / hours > 1", CATALOGUE), {"cents": 5, "hours": 0.0}, CATALOGUE)
    assert (said.answer, said.missing) == (Answer.unknown, ("cents", "hours"))


def test_a_moment_may_be_told_as_text():
    facts = {"shipped": "2026-03-29T02:00:00+02:00", "promised": MOMENTS[0]}
    assert verdict(parse("shipped == promised", CATALOGUE), facts, CATALOGUE).answer is Answer.yes


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("flag", [1, 0]),
        ("flag", ["yes", "no"]),
        ("hours", ["1", "2"]),
        ("hours", [True, False]),
        ("service", [1, 2]),
        ("shipped", pd.to_datetime(["2026-01-01", "2026-01-02"])),
        ("shipped", ["2026-01-01", "2026-01-02"]),
        ("shipped", [datetime(2026, 1, 1), datetime(2026, 1, 2)]),  # noqa: DTZ001
    ],
)
def test_a_column_of_another_type_than_declared_is_refused(name, values):
    expression = parse(f"known({name})", CATALOGUE)
    for frame in (pd.DataFrame({name: values}), pd.DataFrame({name: pd.Series(list(values), dtype=object)})):
        with pytest.raises(PolicyError, match=name):
            evaluate(expression, Columns(frame, CATALOGUE, THRESHOLDS))
    if name != "shipped" or not isinstance(values[0], str):
        with pytest.raises(PolicyError, match=name):
            verdict(expression, {name: values[0]}, CATALOGUE)


def test_a_column_with_nothing_in_it_is_missing_whatever_its_type():
    nothing = [
        pd.Series([None, None], dtype="Int32"),
        pd.Series([None, None], dtype=object),
        pd.Series([np.nan, np.nan]),
        pd.Series([None, None], dtype="str"),
    ]
    for empty in nothing:
        for name in set(CATALOGUE) - set(THRESHOLDS):
            columns = Columns(pd.DataFrame({name: empty}), CATALOGUE, THRESHOLDS)
            assert answers(evaluate(parse(f"missing({name})", CATALOGUE), columns)) == [Answer.yes] * 2


def test_a_fact_that_the_frame_lacks_is_refused_with_the_nearest():
    with pytest.raises(PolicyError, match="did you mean 'hour'"):
        evaluate(parse("hours > 1", CATALOGUE), Columns(pd.DataFrame({"hour": [1.0]}), CATALOGUE, THRESHOLDS))
