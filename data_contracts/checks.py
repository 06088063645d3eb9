"""Hold a frame against its contract: every broken row with every rule that it breaks.

Great Expectations' own condition metrics are asked for as boolean masks, which costs what pandas
written by hand costs. A rule that could not run is a breach of the table, never a verdict on its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from control_tower.errors import nearest
from data_contracts.expectations import EXPECTATIONS, PAIR
from data_contracts.reader import Contract, Rule

if TYPE_CHECKING:
    import pandas as pd

MANY = 100  # below so many rows a share says nothing


@dataclass(frozen=True)
class Breach:
    """Why a whole table can't be relied on."""

    rule: str
    sentence: str


@dataclass(frozen=True)
class RuleCount:
    """How many rows break a rule; `ran` is false when it could not be asked."""

    name: str
    severity: str
    sentence: str
    count: int
    ran: bool


@dataclass(frozen=True)
class Checked:
    """What a check found.

    `failures`: one row for each broken rule of each broken row: row (position), rule, severity, column, sentence.
    """

    failures: pd.DataFrame
    breaches: tuple[Breach, ...]
    rows: int
    bad_rows: int
    rules: tuple[RuleCount, ...]


def check(contract: Contract, frame: pd.DataFrame, as_of: datetime) -> Checked:
    """Hold a frame against its contract.

    Args:
        frame: the contract's columns, its context columns, `unreadable`, `visible` and, with a status,
            `status_known`; any index, rows are counted by position.
        as_of: what staleness is measured from.
    """
    import pandas as pd

    shape = list(_shape(contract, frame))
    if shape:
        return Checked(_no_failures(), tuple(shape), len(frame), 0, ())
    prepared = _prepared(contract, frame)
    masks, counts = _masks(contract, prepared)
    parts = [
        pd.DataFrame(
            {
                "row": mask.nonzero()[0],
                "rule": rule.name,
                "severity": rule.severity,
                "column": rule.column,
                "sentence": rule.sentence,
            }
        )
        for rule, mask in masks
    ]
    failures = pd.concat([_no_failures(), *parts], ignore_index=True) if parts else _no_failures()
    bad = int(failures.loc[failures["severity"] == "error", "row"].nunique())
    breaches = [
        *(Breach(count.name, f"the rule could not be asked: {count.sentence}") for count in counts if not count.ran),
        *_table_breaches(contract, frame, bad, as_of),
    ]
    return Checked(failures, tuple(breaches), len(frame), bad, tuple(counts))


def _no_failures() -> pd.DataFrame:
    import pandas as pd

    text = pd.Series([], dtype="str")
    return pd.DataFrame(
        {
            "row": pd.Series([], dtype="int64"),
            "rule": text,
            "severity": text,
            "column": text,
            "sentence": text,
        }
    )


def _shape(contract: Contract, frame: pd.DataFrame) -> Iterator[Breach]:
    """Columns that are gone or of another type."""
    import pandas as pd

    is_type: dict[str, Any] = {
        "string": _is_text,
        "integer": pd.api.types.is_integer_dtype,
        "boolean": pd.api.types.is_bool_dtype,
        "timestamp": lambda values: isinstance(values.dtype, pd.DatetimeTZDtype),
    }
    for column in contract.columns.values():
        if column.name not in frame:
            near = nearest(column.name, map(str, frame.columns))
            yield Breach(f"{contract.name}.columns", f"column {column.name} is gone: {near}")
        elif not is_type[column.type](frame[column.name]):
            yield Breach(
                f"{contract.name}.columns",
                f"column {column.name} is {frame[column.name].dtype}, not {column.type}",
            )


def _is_text(values: pd.Series) -> bool:
    """Text, or categories of text."""
    import pandas as pd

    kind = values.dtype
    return bool(pd.api.types.is_string_dtype(kind.categories if isinstance(kind, pd.CategoricalDtype) else kind))


def _prepared(contract: Contract, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame by position, with derived columns, and unknown statuses that no rule may rest on."""
    import pandas as pd

    prepared = frame.reset_index(drop=True)
    for name, (first, last) in contract.derived.items():
        prepared[name] = (prepared[last] - prepared[first]).dt.total_seconds() / 86400
    for rule in contract.rules:
        for name in EXPECTATIONS[rule.expect].domain:
            # Two columns of categories can be compared only when they have the same ones.
            column = str(rule.arguments.get(name))
            if name != "column" and column in prepared and _is_coded(prepared[column]):
                prepared[column] = prepared[column].astype(pd.StringDtype("pyarrow"))
    if "status_known" in prepared:
        prepared["status_known"] = prepared["status_known"].fillna(False).astype(bool)
    return prepared


def _masks(contract: Contract, frame: pd.DataFrame) -> tuple[list[tuple[Rule, Any]], list[RuleCount]]:
    """For each rule a boolean mask of the rows that break it, and its count."""
    import warnings

    import numpy as np

    calculator = _calculator(frame)
    masks: list[tuple[Rule, Any]] = []
    counts: list[RuleCount] = []
    for rule in contract.rules:
        broken = np.zeros(len(frame), dtype=bool)
        ran = True
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for arguments in asked(contract, rule):
                    broken |= _ask_of(calculator, rule, arguments, frame)
        except Exception as fault:  # noqa: BLE001 - whatever Great Expectations raises, the rule was not asked
            ran = False
            counts.append(RuleCount(rule.name, rule.severity, f"{rule.sentence} ({type(fault).__name__})", 0, ran))
            continue
        counts.append(RuleCount(rule.name, rule.severity, rule.sentence, int(broken.sum()), ran))
        if broken.any():
            masks.append((rule, broken))
    return masks, counts


def asked(contract: Contract, rule: Rule) -> Iterator[dict[str, Any]]:
    """The rule's arguments, once for each column that it is about."""
    arguments = dict(rule.arguments)
    if arguments.pop("columns", None) == "text":
        yield from (arguments | {"column": name} for name in contract.texts)
    elif arguments.pop("columns_B", None) == "happened":
        happened = [name for name in (contract.born, *contract.events) if name]
        yield from (arguments | {"column_B": name} for name in happened)
    else:
        yield arguments


def _is_coded(values: pd.Series) -> bool:
    import pandas as pd

    return isinstance(values.dtype, pd.CategoricalDtype)


def _ask_of(calculator: Any, rule: Rule, arguments: dict[str, Any], frame: pd.DataFrame) -> Any:
    """The mask of broken rows; of a column of categories, a rule about values asks each value once."""
    import numpy as np
    import pandas as pd

    expectation = EXPECTATIONS[rule.expect]
    name = arguments.get("column")
    if not (expectation.values and name and "row_condition" not in arguments and _is_coded(frame[name])):
        return _ask(calculator, rule, arguments, frame)
    values = pd.DataFrame({name: pd.Series(frame[name].cat.categories, dtype=pd.StringDtype("pyarrow"))})
    broken = _ask(_calculator(values), rule, arguments, values)
    return np.append(broken, False)[frame[name].cat.codes.to_numpy()]  # a missing value has code -1, the last


def _calculator(frame: pd.DataFrame) -> Any:
    """Great Expectations over one frame. One for each call: a shared one gives threads wrong answers, silently."""
    from great_expectations import execution_engine
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    engine: Any = execution_engine.PandasExecutionEngine
    return MetricsCalculator(engine(batch_data_dict={"rows": frame}), show_progress_bars=False)


def _ask(calculator: Any, rule: Rule, arguments: dict[str, Any], frame: pd.DataFrame) -> Any:
    """The mask of broken rows, as Great Expectations' own condition metric sees them."""
    from great_expectations.validator.metric_configuration import MetricConfiguration

    expectation = EXPECTATIONS[rule.expect]
    domain = {name: arguments[name] for name in expectation.domain}
    if expectation.domain == PAIR:
        domain["ignore_row_if"] = "either_value_is_missing"
    if condition := arguments.get("row_condition"):
        domain |= {"row_condition": condition, "condition_parser": "pandas"}
    if expectation.values and any(frame[domain[name]].isna().all() for name in expectation.domain):
        return (
            frame[domain[expectation.domain[0]]].isna().to_numpy() & False
        )  # no value, nothing to break; the metric would fail
    values = {name: value for name, value in arguments.items() if name in expectation.values}
    metric = MetricConfiguration(f"{expectation.metric}.condition", domain, values)
    found = calculator.get_metrics({metric.metric_name: metric})[metric.metric_name][0]
    return found.reindex(frame.index, fill_value=False).fillna(False).to_numpy(dtype=bool)


def _table_breaches(contract: Contract, frame: pd.DataFrame, bad: int, as_of: datetime) -> Iterator[Breach]:
    rows = len(frame)
    if rows < contract.minimum_rows:
        yield Breach(f"{contract.name}.minimum_rows", f"{rows} rows, and at least {contract.minimum_rows} are promised")
    if rows >= MANY and bad > rows * contract.error_share:
        yield Breach(
            f"{contract.name}.error_share",
            f"{bad:,} of {rows:,} rows are broken, more than {contract.error_share:.0%}",
        )
    if contract.stale_after and rows:
        newest = frame["observed_at"].max()
        if newest == newest and as_of - newest > contract.stale_after:
            yield Breach(
                f"{contract.name}.fresh",
                f"last observed at {newest}, more than {contract.stale_after} before {as_of}",
            )
