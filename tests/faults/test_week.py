"""A few hours of a simulated week: everything breaks in turn, and the account adds up."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
HOURS = 3


def why_not() -> str:
    """Why no week can be simulated here."""
    spec = importlib.util.spec_from_file_location("simulated_clock", BENCH / "simulated" / "clock.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.can_be_simulated())


@pytest.fixture(scope="module")
def lived() -> Iterator[dict[str, Any]]:
    """The account of a Monday morning."""
    if why := why_not():
        pytest.skip(why)
    if not next(Path("/usr/lib/postgresql").glob("*/bin/initdb"), None):
        pytest.skip("no PostgreSQL here to be restarted")
    with tempfile.TemporaryDirectory(prefix="week-") as folder:  # PostgreSQL, as somebody else, can reach that
        command = [sys.executable, str(BENCH / "week.py"), "--orders", "200", "--days", "1", "--hours", str(HOURS)]
        command += ["--begins", "2026-11-02T10:00", "--folder", folder, "--json"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TOWER_"))}
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200, env=kept, check=False)
        assert done.stdout, done.stderr[-3000:]
        yield json.loads(done.stdout)


@pytest.mark.large
@pytest.mark.timeout(1600)
def test_a_morning_in_which_everything_breaks_adds_up(lived: dict[str, Any]) -> None:
    assert not lived["wrong"], json.dumps({name: lived["checks"][name] for name in lived["wrong"]}, indent=1)
    happened = lived["happened"]
    assert happened["workers killed"] == HOURS
    assert any(name.endswith("confirmed") for name in happened["effects"]), "nothing was done in the shop"
    assert {name.split(" by ")[1] for name in happened["rulings"]} >= {"command"}
    assert all(each["looked at"] for each in lived["checks"].values()), "a check that looked at nothing"
