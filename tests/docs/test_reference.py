"""The reference says what the code says."""

from __future__ import annotations

import pytest

from docs.site.reference import FOLDER, PAGES, page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_reference_is_as_the_code_says(name: str) -> None:
    kept = (FOLDER / f"{name}.md").read_text("utf-8")
    assert kept == page(name), "the code says otherwise: python docs/site/reference.py"


def test_no_page_of_the_reference_is_left_over() -> None:
    assert {file.stem for file in FOLDER.glob("*.md")} == set(PAGES)
