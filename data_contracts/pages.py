"""Contracts as pages: our own, in one file without an outside asset, and Great Expectations' Data Docs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_contracts.checks import Checked, asked
from data_contracts.expectations import EXPECTATIONS, PAIR
from data_contracts.reader import Contract

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = 10_000
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .35rem .6rem; }
td { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.error { font-weight: 600; } .breach { border-left: .3rem solid #c33; padding-left: .8rem; }
"""


def write_pages(folder: Path, results: Mapping[str, tuple[Contract, Checked, pd.DataFrame]], title: str) -> Path:
    """Write `index.html` and, beside it, Data Docs of the same rules over a sample; returns our page."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = "".join(_section(contract, checked) for contract, checked, _ in results.values())
    page = folder / "index.html"
    page.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1>{sections}"
        '<p><a href="data_docs/index.html">Great Expectations Data Docs</a>, of a sample</p></html>',
        encoding="utf-8",
    )
    write_data_docs(folder / "data_docs", {name: (contract, frame) for name, (contract, _, frame) in results.items()})
    return page


def _section(contract: Contract, checked: Checked) -> str:
    breaches = "".join(
        f'<p class="breach">{escape(breach.rule)}: {escape(breach.sentence)}</p>' for breach in checked.breaches
    )
    rows = "".join(
        f'<tr><td>{escape(rule.name)}</td><td class="{escape(rule.severity)}">{escape(rule.severity)}</td>'
        f'<td>{escape(rule.sentence)}</td><td class="number">{rule.count:,}</td></tr>'
        for rule in checked.rules
    )
    return (
        f"<h2>{escape(contract.reference)}</h2><p>{escape(contract.purpose)} Owner: {escape(contract.owner)}."
        f" {checked.rows:,} rows, {checked.bad_rows:,} to quarantine.</p>{breaches}"
        f"<table><tr><th>rule</th><th>severity</th><th>says</th><th>rows that break it</th></tr>{rows}</table>"
    )


def suite(contract: Contract) -> list[tuple[str, dict[str, Any]]]:
    """The contract as ordinary expectations: type and arguments, one for each column a rule is about."""
    expectations = []
    for rule in contract.rules:
        for arguments in asked(contract, rule):
            given = dict(arguments)
            if given.pop("row_condition", None) is not None:
                continue  # Data Docs show the rules for all rows; conditional ones stand on our own page
            if EXPECTATIONS[rule.expect].domain == PAIR:
                given["ignore_row_if"] = "either_value_is_missing"
            meta = {"rule": rule.name, "severity": rule.severity}
            expectations.append((rule.expect, given | {"meta": meta}))
    return expectations


def write_data_docs(folder: Path, tables: Mapping[str, tuple[Contract, pd.DataFrame]]) -> None:
    """Great Expectations' own pages, built offline from the compiled suites over at most 10,000 rows."""
    import great_expectations as gx
    from great_expectations.expectations.registry import get_expectation_impl

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.resolve())}
    context.add_data_docs_site("local", {"class_name": "SiteBuilder", "store_backend": backend})
    source = context.data_sources.add_pandas("evidence")
    for name, (contract, frame) in tables.items():
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("sample")
        compiled = gx.ExpectationSuite(name=contract.reference)
        for expect, arguments in suite(contract):
            compiled.add_expectation(get_expectation_impl(expect)(**arguments))
        definition = gx.ValidationDefinition(name=name, data=batch, suite=context.suites.add(compiled))
        context.validation_definitions.add(definition).run(batch_parameters={"dataframe": frame.head(SAMPLE)})
    context.build_data_docs()
