"""Ask Great Expectations which rows break a rule.

Its own condition metrics give boolean masks at the price of pandas written by hand, as long as each
sees only the columns, the rows and the plain types that it needs: given a whole frame it copies every
column for every question, and nullable integers send `between` row by row through Python.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from control_tower.errors import ContractError, nearest
from data_contracts.contract import LATEST, Contract, Question, Rule
from data_contracts.expectations import EXPECTATIONS, PAIR, Expectation

if TYPE_CHECKING:
    import pandas as pd

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

# Times outside these are refused by a rule of every contract; computing with them would overflow.
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

_importing = threading.Lock()


def great_expectations() -> SimpleNamespace:
    """What questions are asked with, imported by one thread while the others wait.

    Its modules import each other in rings. Two threads that import them at once are each given halves, and then no
    question can be asked for as long as the process lives.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with _importing:
        from great_expectations.execution_engine import PandasExecutionEngine
        from great_expectations.validator.metric_configuration import MetricConfiguration
        from great_expectations.validator.metrics_calculator import MetricsCalculator
    return SimpleNamespace(
        PandasExecutionEngine=PandasExecutionEngine,
        MetricConfiguration=MetricConfiguration,
        MetricsCalculator=MetricsCalculator,
    )


@dataclass(frozen=True)
class Answer:
    """Which rows break a rule, in one mask for each of its questions; or why it could not be asked."""

    rule: Rule
    masks: tuple[Mask, ...]
    fault: str = ""

    @property
    def broken(self) -> Mask:
        """The rows that break it, whichever question they fail."""
        return np.asarray(np.logical_or.reduce(self.masks), dtype=bool)


def answers(contract: Contract, frame: pd.DataFrame) -> Iterator[Answer]:
    """An answer for each rule of a contract, in its order.

    Args:
        frame: the contract's columns in their types, context columns and what gather adds.
    """
    ready, none = prepared(contract, frame), np.zeros(len(frame), dtype=bool)
    for rule in contract.rules:
        try:
            yield Answer(rule, tuple(_ask(rule, question, ready, none) for question in rule.questions))
        except Exception as fault:  # noqa: BLE001 - whatever is raised inside, the rule was not asked
            yield Answer(rule, (), _told(fault))


def _told(fault: Exception) -> str:
    """What went wrong, without the values that messages from inside may quote."""
    if isinstance(fault, ContractError):
        return str(fault)
    cause = fault.__cause__ or fault.__context__ or fault
    return f"Great Expectations failed with {type(cause).__name__}"


def prepared(contract: Contract, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame by position, with the columns that are computed from its own."""
    computed = {
        name: (within_reason(frame[last]) - within_reason(frame[first])).dt.total_seconds() / 86_400
        for name, (first, last) in contract.days_between.items()
    }
    latest = frame["observed_at"]
    if contract.clock_tolerance > timedelta(0):
        latest = within_reason(latest) + contract.clock_tolerance
    return frame.assign(**computed, **{LATEST: latest}).reset_index(drop=True)


def within_reason(times: pd.Series[Any]) -> pd.Series[Any]:
    """Timestamps that can be computed with: a source may say `infinity`, which overflows."""
    within: pd.Series[Any] = times.clip(FIRST, LAST)  # type: ignore[call-overload]  # its stubs know no dates
    return within


def _ask(rule: Rule, question: Question, frame: pd.DataFrame, none: Mask) -> Mask:
    """The rows that fail one question; `none` itself when it is clear that there is none."""
    expectation = EXPECTATIONS[rule.expect]
    for name in (*question.domain.values(), *rule.where):
        if name not in frame:
            raise ContractError(f"column {name} is not there", remedy=nearest(name, map(str, frame.columns)))
    if frame.empty:
        return none
    if is_coded(frame[question.about]) and expectation.asks_of_values and not rule.where:
        return _ask_each_value(rule, question, frame[question.about], none)
    if expectation.clears and expectation.clears(frame[question.about], rule.values):
        return none
    asked = _asked(rule, question, expectation, frame)
    if not asked.any():
        return none
    seen = _seen(question, expectation, frame, asked)
    if not (failing := _metric(expectation, question, rule, seen)).any():
        return none
    broken = none.copy()
    broken[seen.index.to_numpy()] = failing
    return broken


def _ask_each_value(rule: Rule, question: Question, coded: pd.Series[Any], none: Mask) -> Mask:
    """The rows that fail a question about values alone, of a column of categories: each value is asked once."""
    import pandas as pd

    values = pd.DataFrame({question.about: pd.Series(coded.cat.categories, dtype="str")})
    failing = _ask(rule, question, values, np.zeros(len(values), dtype=bool))
    if not failing.any():
        return none
    return np.append(failing, False)[coded.cat.codes.to_numpy()]  # a missing value has code -1: the last


def is_coded(values: pd.Series[Any]) -> bool:
    """Whether a column holds categories, as repetitive text is read."""
    import pandas as pd

    return isinstance(values.dtype, pd.CategoricalDtype)


def _asked(rule: Rule, question: Question, expectation: Expectation, frame: pd.DataFrame) -> Mask:
    """The rows that a question is about: those that the rule names, and that have a value to ask of."""
    asked = np.ones(len(frame), dtype=bool)
    for name, value in rule.where.items():
        asked &= (frame[name] == value).fillna(False).to_numpy(dtype=bool)
    if not expectation.asks_of_null:
        for name in dict.fromkeys(question.domain.values()):
            asked &= frame[name].notna().to_numpy()
    return asked


def _seen(question: Question, expectation: Expectation, frame: pd.DataFrame, asked: Mask) -> pd.DataFrame:
    """The part of the frame that a question is about: its columns, the rows that are asked, plain types."""
    columns = list(dict.fromkeys(question.domain.values()))
    seen = frame[columns] if asked.all() else frame.loc[asked, columns]
    return seen if expectation.asks_of_null else _plain(seen)


def _plain(seen: pd.DataFrame) -> pd.DataFrame:
    """Nullable integers and booleans, of which no null is left, as NumPy's own; categories as their text."""
    plainer = {"Int64": "int64", "boolean": "bool", "category": "str"}
    plain = {name: plainer[str(kind)] for name, kind in seen.dtypes.items() if str(kind) in plainer}
    return seen.astype(plain) if plain else seen


def _metric(expectation: Expectation, question: Question, rule: Rule, seen: pd.DataFrame) -> Mask:
    """The mask of broken rows among those that were seen, as Great Expectations' condition metric sees them.

    One engine for each question: one that is shared gives wrong answers to threads without a word.
    """
    with_these = great_expectations()
    domain = dict(question.domain)
    if expectation.domain == PAIR:
        domain["ignore_row_if"] = "neither"
    asked = with_these.MetricConfiguration(f"{expectation.metric}.condition", domain, dict(rule.values))
    engine = with_these.PandasExecutionEngine(batch_data_dict={rule.name: seen})
    resolved, _ = with_these.MetricsCalculator(engine, show_progress_bars=False).compute_metrics(
        [asked], runtime_configuration={"catch_exceptions": False}
    )
    found = resolved[asked.id][0]
    if not found.index.equals(seen.index) or found.dtype.kind != "b":
        raise ContractError(f"{asked.metric_name} gave no answer for each row")
    return np.asarray(found.to_numpy(dtype=bool))
