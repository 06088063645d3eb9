"""A policy's facts are typed against what its lane's signals make of the contracts' columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_tower.settings import settings
from desk.policy_lint import lint_policies
from flows.lanes import find_lane, lanes
from policies import load
from policies.reader import HOUSE
from tasks.signals import mistyped
from tests.flows.conftest import AS_OF


@pytest.mark.parametrize("lane", lanes())
def test_every_shipped_fact_has_the_type_that_the_signals_give(lane: str) -> None:
    assert mistyped(find_lane(lane), load(lane, AS_OF), settings()) == {}


def test_a_fact_of_another_type_and_one_that_nobody_gives_are_told_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in HOUSE.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    file = tmp_path / "returns.yaml"
    text = file.read_text().replace("category: {type: text", "category: {type: boolean")
    text = text.replace("\nthresholds:", UNHEARD_OF, 1)
    file.write_text(text)
    with pytest.raises(SystemExit):
        lint_policies([str(file)], json=True, examples=False, shop="")
    told = capsys.readouterr().out
    assert "category is declared boolean, and the signals give VARCHAR" in told
    assert "mood is declared text, and the signals give no such column" in told


UNHEARD_OF = "\n  mood: {type: text, means: how the customer felt, owner: nobody}\n\nthresholds:"
