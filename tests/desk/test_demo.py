"""The demo shows what it exists to show, or fails: money moved once, even at a store that lies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOWER = "from desk.command import main; main()"


def demo(folder: Path, *words: str) -> str:
    """What the command says, in a home of its own, as a new user has it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TOWER_"))}
    done = subprocess.run(
        [sys.executable, "-c", TOWER, "demo", "--orders", "1500", "--home", str(folder / "demo"), *words],
        env=kept | {"TOWER_HOME": str(folder)}, capture_output=True, text=True, timeout=280,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.large
def test_the_demo_moves_money_once_at_a_store_that_lies(tmp_path: Path) -> None:
    said = demo(tmp_path, "--hostile")
    assert "went back once" in said
    assert "A store that lies" in said
    assert "Traceback" not in said


def test_a_folder_that_is_not_a_demos_is_never_emptied(tmp_path: Path) -> None:
    mine = tmp_path / "demo"
    mine.mkdir()
    (mine / "letters.txt").write_text("keep me")
    with pytest.raises(AssertionError, match="is not a demo's"):
        demo(tmp_path)
    assert (mine / "letters.txt").read_text() == "keep me"
