"""The same rules as an ordinary Great Expectations suite, and its Data Docs.

The masks of `asking` decide what is set aside; the suite is what people who know Great Expectations
expect to see. A test holds that the two agree.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_contracts.asking import is_coded, prepared
from data_contracts.contract import Contract, Question, Rule
from data_contracts.expectations import EXPECTATIONS, PAIR

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context import EphemeralDataContext
    from great_expectations.expectations.expectation import Expectation

SAMPLE = 10_000  # rows; Data Docs show a contract, and are no place to validate millions
SEVERITY = {"error": "critical", "warning": "warning"}


def suite(contract: Contract) -> ExpectationSuite:
    """The contract as an expectation suite: one expectation for each question of each rule.

    Each names its rule in `meta`, because results come in another order than the suite.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    from great_expectations import ExpectationSuite

    asked = [_expectation(rule, question) for rule in contract.rules for question in rule.questions]
    return ExpectationSuite(name=_named(contract), expectations=asked)


def _named(contract: Contract) -> str:
    """Its reference; Data Docs would make a folder of each part between dots."""
    return contract.reference.replace(".", "-")


def _expectation(rule: Rule, question: Question) -> Expectation:
    from great_expectations.expectations.registry import get_expectation_impl

    given: dict[str, Any] = {**question.domain, **rule.values}
    if EXPECTATIONS[rule.expect].domain == PAIR:
        given["ignore_row_if"] = "either_value_is_missing"
    if rule.where:
        given["row_condition"] = _condition(rule.where)
    return get_expectation_impl(rule.expect)(
        **given,
        severity=SEVERITY[rule.severity],
        notes=rule.sentence,
        meta={"rule": rule.name, "column": question.about},
    )


def _condition(where: Mapping[str, Any]) -> Any:
    from great_expectations.expectations.row_conditions import Column

    return reduce(and_, (Column(name) == value for name, value in where.items()))


def write_data_docs(folder: Path, samples: Iterable[tuple[Contract, pd.DataFrame]]) -> Path:
    """Build Data Docs of the first 10,000 rows of each frame, without a network; the index page's path.

    Values that break a rule are left out: a sample may hold personal data.
    """
    context = docs_context(folder)
    for contract, frame in samples:
        validate(context, contract, frame.head(SAMPLE))
    context.build_data_docs()
    return folder / "index.html"


def validate(
    context: EphemeralDataContext, contract: Contract, frame: pd.DataFrame
) -> ExpectationSuiteValidationResult:
    """Run the ordinary suite of a contract over a frame that is fit for `check`."""
    from great_expectations import ValidationDefinition

    text = {name: "str" for name in frame if is_coded(frame[name])}
    asset = context.data_sources.add_pandas(contract.name).add_dataframe_asset(contract.name)
    whole = asset.add_batch_definition_whole_dataframe("whole")
    definition = ValidationDefinition(name=_named(contract), data=whole, suite=context.suites.add(suite(contract)))
    return context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": prepared(contract, frame.astype(text))},
        result_format={"result_format": "SUMMARY", "exclude_unexpected_values": True},
    )


def docs_context(folder: Path) -> EphemeralDataContext:
    """A context in memory, whose one site is the folder: a file context would rewrite a shared file."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    from great_expectations import get_context
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    for site in list(context.get_site_names()):
        context.delete_data_docs_site(site)
    context.add_data_docs_site(
        site_name="contracts",
        site_config={
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        },
    )
    return context
