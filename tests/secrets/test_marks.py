"""Text without a mark of any secret is not matched against the patterns; with or without, the same is struck out."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from control_tower.redaction import SECRETS, STRUCK, redacted

# Put together at run time, so that nobody who scans the files takes them for secrets.
PIECES = (
    "sk" + "_live_" + "a1B2", "rk" + "_test_" + "c3", "wh" + "sec_" + "d4", "xox" + "b-1234567890",
    "xapp" + "-12345678",
    *("shp" + kind + "_e5" for kind in ("at", "ca", "pa", "ss")), "tower" + "_" + "f" * 40, "tower_", "https://",
    "name:word@shop.example", "Bearer ", "BASIC ", "bearer ", "YWJjZGVmZ2g=", " ", "\n", "é", "@", ":", "/", "sk_", "_",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("Authorization: BeArEr " + "abcdefgh")
@example("postgresql://name:word@shop.example/ledger")
def test_what_is_struck_out_is_what_the_patterns_match(text: str) -> None:
    assert redacted(text) == SECRETS.sub(STRUCK, text)


@given(st.text(max_size=80))
def test_whatever_the_text(text: str) -> None:
    assert redacted(text) == SECRETS.sub(STRUCK, text)
