"""The pages: one file that shows counts and no one's data, and the same rules as an ordinary suite."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import data_contracts
from data_contracts import Breach, Contract, examples
from data_contracts.data_docs import suite

NOW = datetime(2026, 3, 6, 12, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'&"


class Elements(HTMLParser):
    """The elements of a page, with what they would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.reaches: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.reaches += [str(value) for name, value in attrs if name in ("href", "src") or name.startswith("on")]


def broken_frame(contract: Contract) -> pd.DataFrame:
    """A good row, and one that breaks each rule."""
    return examples(contract, {}, *(rule.broken_by for rule in contract.rules if rule.broken_by))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of orders and parcels, with hostile text in rows, a breach and the title."""
    results = {}
    for table in ("orders", "fulfillments"):
        contract = data_contracts.load(table)
        frame = pd.concat([broken_frame(contract), examples(contract, {"source": HOSTILE + "\x00"})])
        checked = data_contracts.check(contract, frame, NOW)
        breach = (Breach(f"{table}.columns", f"column {HOSTILE} is gone"),)
        results[table] = (
            contract,
            replace(checked, breaches=breach),
            frame,
        )
    return data_contracts.write_pages(tmp_path_factory.mktemp("pages") / "contracts", results, f"shop {HOSTILE}")


def test_the_page_names_every_rule_its_count_its_severity_and_its_owner(written: Path) -> None:
    page = written.read_text()
    for table in ("orders", "fulfillments"):
        contract = data_contracts.load(table)
        for said in (contract.reference, contract.owner, *(rule.name for rule in contract.rules)):
            assert said in page
    row = re.search(r"<tr><td><code>fulfillments\.delivered_has_a_date</code>.*?</tr>", page)
    assert row and "warning" in row[0] and "<td>1</td></tr>" in row[0]


def test_the_page_is_one_file_and_hostile_text_in_it_is_inert(written: Path) -> None:
    elements = Elements()
    page = written.read_text()
    elements.feed(page)
    assert not elements.tags & {"script", "img", "link", "iframe", "form"}
    assert set(elements.reaches) == {"#orders", "#fulfillments", "data_docs/index.html"}
    assert "default-src 'none'" in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_pages_hold_no_values_of_rows(written: Path) -> None:
    """A sample may hold personal data: counts are shown, values are not."""
    for page in written.parent.rglob("*.html"):
        text = page.read_text()
        assert "customer-7" not in text, page
        assert "<img src=x" not in text, page


def test_data_docs_are_there_for_both(written: Path) -> None:
    docs = written.parent / "data_docs"
    assert (docs / "index.html").is_file()
    assert len(list((docs / "validations").rglob("*.html"))) == 2
    shown = " ".join(path.read_text() for path in (docs / "expectations").rglob("*.html"))
    assert "orders@1-0-0" in shown and "fulfillments@1-0-0" in shown


def test_a_second_writing_replaces_the_page(tmp_path: Path) -> None:
    contract = data_contracts.load("holds")
    for title in ("first", "second"):
        frame = examples(contract, {})
        checked = data_contracts.check(contract, frame, NOW)
        page = data_contracts.write_pages(tmp_path, {"holds": (contract, checked, frame)}, title)
    assert "<h1>second</h1>" in page.read_text()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("table", ["orders", "fulfillments", "promises", "payments", "returns", "inspections"])
def test_the_ordinary_suite_and_the_masks_agree(table: str, tmp_path: Path) -> None:
    from data_contracts.data_docs import docs_context, validate

    contract = data_contracts.load(table)
    frame = broken_frame(contract).astype({"source": "category", "order_id": "category"})
    result = validate(docs_context(tmp_path), contract, frame)
    told: dict[str, int] = {}
    for each in result.results:
        assert not each.exception_info.get("raised_exception"), each
        meta = each.expectation_config.meta
        told[meta["rule"]] = max(told.get(meta["rule"], 0), each.result.get("unexpected_count", 0))
    assert told == {rule.name: rule.count for rule in data_contracts.check(contract, frame, NOW).rules}


def test_a_suite_names_the_rule_and_severity_of_each_expectation() -> None:
    contract = data_contracts.load("fulfillments")
    compiled = suite(contract)
    assert {each.meta["rule"] for each in compiled.expectations} == {rule.name for rule in contract.rules}
    severities = {rule.name: {"error": "critical", "warning": "warning"}[rule.severity] for rule in contract.rules}
    assert {each.meta["rule"]: each.severity.value for each in compiled.expectations} == severities


@pytest.mark.slow
def test_great_expectations_is_quiet_and_loaded_only_when_a_rule_is_asked() -> None:
    program = (
        "import sys, os, data_contracts as d\n"
        "c = d.load('holds'); f = d.examples(c, {})\n"
        "assert 'great_expectations' not in sys.modules\n"
        "d.check(c, f, f['observed_at'].iloc[0])\n"
        "assert 'great_expectations' in sys.modules\n"
        "print(os.environ['GX_ANALYTICS_ENABLED'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GX_")}
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert said.stdout.strip() == "false"
    assert "Calculating" not in said.stderr
