"""Foreign text inside our Markdown formats nothing, links nothing and fetches nothing, whatever it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from control_tower.markdown import LONGEST, inert

# As GFM has it: what becomes a link by itself, wherever it stands.
LINKED = re.compile(r"://|\bwww\.|[\w.+-]@[-\w]+\.", re.IGNORECASE)
PIECES = st.sampled_from(
    [*"\\`*_[]()<>#|!&~:@.\"'-+=\n\t\r 1aW", "http://", "HTTPS://", "www.", "WWW.", "&lt;", "![x](", "a@b.c"]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=60).map("".join)


def rendered(text: str, before: str = "told: ") -> str:
    """What is shown, proved to be text and nothing else."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(f"{before}{inert(text)}")
    kinds = [child.type for token in tokens for child in token.children or ()]
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert set(kinds) <= {"text", "text_special"}
    return (
        "".join(child.content for token in tokens for child in token.children or ())
        .removeprefix(before.strip())
        .strip()
    )


@given(TEXTS)
def test_whatever_somebody_wrote_is_shown_as_one_line_of_text(text: str) -> None:
    shown = rendered(text)
    assert not inert(text) or rendered(text, before="") == shown
    assert not LINKED.search(shown)
    plain = shown.replace("[:]//", "://").replace("[@]", "@").replace("[.]", ".")
    asked = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    assert plain == asked.replace("[:]//", "://").replace("[@]", "@").replace("[.]", ".")


@given(TEXTS, TEXTS)
def test_a_row_of_a_table_keeps_its_cells(one: str, other: str) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(f"|a|b|\n|-|-|\n| {inert(one)} | {inert(other)} |\n")
    assert [token.type for token in tokens].count("td_open") == 2


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("see https://evil.example/a", "see https[:]//evil.example/a"),
        ("see WWW.evil.example", "see WWW[.]evil.example"),
        ("write to a@evil.example", "write to a[@]evil.example"),
        ("fulfilment@1 says no", "fulfilment@1 says no"),
        ("[t](javascript:alert(1))", "[t](javascript:alert(1))"),
        ("two\nlines \u202eback", "two lines back"),
    ],
)
def test_links_are_taken_apart_and_all_else_is_left(written: str, shown: str) -> None:
    assert rendered(written) == shown


def test_what_is_too_long_is_cut_and_says_so() -> None:
    assert rendered("x" * LONGEST) == "x" * LONGEST
    assert rendered("x" * (LONGEST + 1)) == "x" * LONGEST + "…"
