"""What the pages say about adding a lane, a contract, a policy, a source and a store works as it is written there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PROJECT, Block, blocks

ROOMS = ("control_tower", "data_contracts", "policies", "tasks", "flows", "desk", "deployments", "pyproject.toml")
TOWER = "from desk.command import main; main()"


class Project:
    """A copy of the project, to which the pages add."""

    def __init__(self, folder: Path, *beside: str) -> None:
        self.folder = folder / "project"
        for room in (*ROOMS, *beside):
            to = self.folder / room
            to.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (PROJECT / room).is_dir() else shutil.copy
            copy(PROJECT / room, to)

    def follow(self, page: str) -> None:
        """Write the files of a page where their titles say; one that goes into a file goes before a line of it."""
        for block in blocks(DOCS / page):
            if block.title and (before := re.fullmatch(r"before: (.*)", block.mark)):
                self.insert(block, before[1])
            elif block.title:
                file = self.folder / block.title
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)

    def insert(self, block: Block, before: str) -> None:
        file = self.folder / block.title
        lines = file.read_text().splitlines(keepends=True)
        (at,) = [number for number, line in enumerate(lines) if before in line]
        file.write_text("".join([*lines[:at], block.text, *lines[at:]]))

    def replace(self, file: str, what: str, by: str) -> None:
        text = (self.folder / file).read_text()
        assert text.count(what) == 1, f"{file} has {text.count(what)} times: {what}"
        (self.folder / file).write_text(text.replace(what, by))

    def tower(self, *words: str) -> str:
        return self.python("-c", TOWER, *words)

    def python(self, *words: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TOWER_"))}
        done = subprocess.run(
            [sys.executable, *words], cwd=self.folder, capture_output=True, text=True, timeout=240,
            env=kept | {"PYTHONPATH": str(self.folder), "TOWER_HOME": str(self.folder.parent / "home")},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout


def commands(page: str) -> list[list[str]]:
    """The words of each `tower` command of a page's blocks of shell."""
    lines = [line for block in blocks(DOCS / page) if block.language == "sh" for line in block.text.splitlines()]
    return [line.split()[1:] for line in lines if line.startswith("tower ")]


@pytest.mark.large
def test_a_contract_a_policy_and_a_lane_are_added_as_the_pages_say(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for page in ("adding_a_contract.md", "adding_a_policy.md", "adding_a_lane.md"):
        project.follow(page)
        said = [project.tower(*words) for words in commands(page) if words[0] != "run"]
        assert said or page == "adding_a_lane.md"
    (looked,) = [words for words in commands("adding_a_lane.md") if words[0] == "run"]
    report = json.loads(project.tower(*looked, "--json"))
    assert report["findings"]["claim_unanswered"] == {"yes": 1, "unknown": 0}, report
    assert report["accepted"] == {"warranty_claims": 3}
    assert report["quarantined"] == {"warranty_claims": 1}
    code = "import ast,sys,flows.watch_warranty as lane; print(lane.LANE.tables, lane.__file__)"
    assert str(project.folder) in project.python("-c", code)


@pytest.mark.large
def test_a_source_is_added_as_the_page_says(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.follow("adding_a_source.md")
    project.replace("control_tower/source_words.py", 'KINDS = ("shop", ', 'KINDS = ("shop", "market", ')
    (looked,) = commands("adding_a_source.md")
    report = json.loads(project.tower(*looked, "--json"))
    assert (report["accepted"]["orders"], report["quarantined"]["orders"]) == (2, 1)
    assert (report["accepted"]["payments"], report["accepted"]["refunds"]) == (2, 1)
    assert report["findings"]["refund_due"] == {"yes": 0, "unknown": 1}
    assert report["proposals"] == {}


@pytest.mark.large
def test_a_store_is_added_as_the_page_says(tmp_path: Path) -> None:
    project = Project(
        tmp_path, "tests/stores", "tests/conftest.py", "tests/postgres.py", "tests/buckets.py", "tests/thorough.py"
    )
    project.follow("adding_a_store.md")
    said = project.python(
        "-m", "pytest", "-p", "no:cacheprovider", "tests/stores/test_conformance.py", "-k", "cashdesk", "-v"
    )
    assert int(re.search(r"(\d+) passed", said)[1]) >= 8, said  # type: ignore[index]
    assert "failed" not in said
