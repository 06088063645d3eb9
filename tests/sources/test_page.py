"""The page on what each source tells is what each source tells, and every one has contract, fixtures and a section."""

from __future__ import annotations

import pytest

import data_contracts
from control_tower.settings import settings
from tests.sources.page import PAGE, SOURCES, opened, written
from tests.sources.test_payloads import rows


def test_the_page_says_what_the_sources_say() -> None:
    assert PAGE.read_text() == written(opened(settings())), "python -m tests.sources.page writes it anew"


@pytest.mark.slow
def test_every_source_has_fixtures_whose_every_table_has_a_contract_and_rows() -> None:
    for name, source in opened(settings()).items():
        for table in source.tables():
            assert set(data_contracts.load(table).duckdb_types()) >= source.columns(table), name
            assert rows(source, table), f"{name} has no row of {table} in its fixtures"


def test_every_source_has_a_section_that_says_how_to_set_it_up() -> None:
    page = PAGE.with_name("sources.md").read_text()
    headings = {line.lstrip("# ") for line in page.splitlines() if line.startswith("## ")}
    sections = {
        "Shopify CSV": "Shopify's export of orders", "Shopify bulk": "Shopify's bulk exports",
        "Shopify REST, webhooks": "Webhooks", "Trackers": "Carriers' trackers", "Stripe": "Stripe",
    }  # fmt: skip
    assert {sections.get(each.name, each.name) for each in SOURCES} <= headings
