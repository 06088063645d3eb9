"""`tower run` looks at what changed alone, where a lane can, and says so where it can't."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from control_tower.stores.columns import EPOCH, MICROSECOND
from control_tower.stores.shop import sqlite_file
from control_tower.stores.tables import CANONICAL, key_of
from desk.command import main
from tests.flows.conftest import Tower
from tests.flows.conftest import deployed as deployed
from tests.flows.conftest import tower as tower
from tests.flows.test_only_changed import at


def ended(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["run", *words])
    return int(end.value.code or 0)


def filled(tower: Tower, orders: int) -> None:
    """A shop whose rows were written some time ago, and one of each table just now."""
    now = datetime.now(UTC).replace(microsecond=0)
    tower.fill(orders, as_of=now, frozen=False)
    long_ago, just_now = ((each - EPOCH) // MICROSECOND for each in (now - timedelta(hours=5), now))
    with closing(sqlite3.connect(sqlite_file(tower.settings.shop))) as shop, shop:
        for table in CANONICAL:
            newest = f"{key_of(table)} = (SELECT max({key_of(table)}) FROM {table})"
            shop.execute(f"UPDATE {table} SET observed_at = iif({newest}, ?, ?)", (just_now, long_ago))


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert ended("fulfilment", *words) == 0
    return str(capsys.readouterr().out)


@pytest.mark.slow
def test_a_mistake_is_one_sentence_wherever_it_is_found_and_nothing_else_is_said(tower: Tower, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_id,status\n1,open\n")
    words = ["run", "fulfilment", "--source", f"folder:{tmp_path}", "--dry-run"]
    program = "import sys; from desk.command import main; main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3 and done.stdout == ""
    _, _, told = " ".join(done.stderr.split()).partition("tower: ")
    assert re.fullmatch(r"contract orders@\S+ rule \S+: column placed_at is gone \([^()]+\) \([^()]+\)", told)


@pytest.mark.slow
def test_a_second_look_at_what_changed_looks_at_what_changed(tower: Tower, capsys: pytest.CaptureFixture[str]) -> None:
    filled(tower, 200)
    assert "everything was looked at: it is the first look" in said(capsys, "--only-changed")
    found = re.search(r"orders looked at: (\d+), of what changed", said(capsys, "--only-changed"))
    assert found and 0 < int(found[1]) < 100


@pytest.mark.large
def test_without_the_word_and_once_a_day_with_another_a_look_is_at_everything(
    tower: Tower, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import look as looking

    filled(tower, 120)
    said(capsys, "--only-changed")
    found = json.loads(said(capsys, "--json"))
    assert (found["looked_at"], found["why_all"]) == (None, "it was asked for")
    later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(looking, "datetime", at(later))
    found = json.loads(said(capsys, "--only-changed", "--all-daily", "--json"))
    assert found["why_all"] == "it is the first look of the day"
    found = json.loads(said(capsys, "--only-changed", "--all-daily", "--json"))
    assert found["why_all"] == "" and found["looked_at"] < 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("returns", "--only-changed"), "returns compares what it looks at.*fulfilment can look at what changed"),
        (("fulfilment", "--all-daily"), "a look is at everything anyway"),
        (("fulfilment", "--only-changed", "--dry-run"), "a dry run is at everything"),
        (("fulfilment", "--only-changed", "--as-of", "2026-01-01"), "a look at the past is at everything"),
    ],
)
def test_what_is_always_at_everything_refuses_to_look_at_what_changed(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*words) == 2
    assert re.search(said, " ".join(capsys.readouterr().err.split()))
