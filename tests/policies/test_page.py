"""The page for merchandisers does what it says: its shoes come back for sixty days, and February keeps its promise."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from policies import load
from policies.examples import failing
from policies.lint import lint
from policies.reader import HOUSE, family, read, undecided_examples

PAGE = (Path(__file__).parents[2] / "docs" / "changing_a_policy.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
SHOES, SITUATIONS, SEASON = BLOCKS[1], BLOCKS[2], BLOCKS[3]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The shipped documents after steps 1 to 3 of the page."""
    for file in HOUSE.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    old = tmp_path / "return_policy.yaml"
    text = old.read_text()
    fact, threshold, rows = (part.strip("\n") for part in SHOES.split("...\n"))
    new = text.replace("version: 1", "version: 2").replace("{from: 2009-01-01}\n\n", "{from: 2027-03-01}\n\n")
    new = new.replace("facts:\n", f"{fact}\n", 1).replace("thresholds:\n", f"{threshold}\n", 1)
    new = re.sub(
        r"    rows:\n.*?\n\n  fault:", f"{rows.partition(chr(10))[2]}\n\n  fault:", new, count=1, flags=re.DOTALL
    )
    new = new.replace("ordinary:\n", "ordinary:\n  category: lamps\n")
    (tmp_path / "return_policy@2.yaml").write_text(new)
    old.write_text(text.replace("{from: 2009-01-01}\n\n", "{from: 2009-01-01, until: 2027-02-28}\n\n"))
    examples = tmp_path / "return_policy.examples.yaml"
    examples.write_text(examples.read_text() + SITUATIONS)
    (tmp_path / "holiday_extension@3.yaml").write_text(SEASON)
    return tmp_path


def test_the_situations_of_the_page_are_kept(house: Path) -> None:
    for name in ("return_policy.yaml", "return_policy@2.yaml", "holiday_extension@3.yaml"):
        assert failing(read(house / name), family(house / name)) == []
    assert len(read(house / "return_policy@2.yaml").examples) > 2
    assert undecided_examples(house / "return_policy.yaml") == []


def test_what_the_page_writes_is_proved_sound(house: Path) -> None:
    found = lint([house / "return_policy.yaml", house / "return_policy@2.yaml"])
    assert [finding.sentence for finding in found if finding.level != "note"] == []


def test_the_lane_reads_the_new_version_beside_the_old(house: Path) -> None:
    policy = load(house / "returns.yaml", date(2027, 3, 5))
    assert [one.reference for one in policy.bound["return_policy"]][-2:] == ["return_policy@1", "return_policy@2"]


def test_a_situation_that_no_version_decides_is_told(house: Path) -> None:
    examples = house / "return_policy.examples.yaml"
    examples.write_text(examples.read_text() + "  - {name: before there was a policy, bought_on: 1999-01-01}\n")
    assert undecided_examples(house / "return_policy.yaml") == ["before there was a policy"]
