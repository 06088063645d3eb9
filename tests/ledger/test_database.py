"""The ledger's database: what is not a ledger of this release is refused before anything is read, with what to do."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import create_engine, event, text

from control_tower.errors import LedgerError
from control_tower.ledger import Ledger
from control_tower.ledger.revisions import HEAD, KNOWN, revision_of
from desk.command import main

FIRST = (Path(__file__).parent / "first_release.sql").read_text()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOWER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("TOWER_APPROVER_KEY", "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtb24=")
    return tmp_path / "ledger.db"


@pytest.fixture
def old(file: Path) -> Path:
    with sqlite3.connect(file) as book:
        book.executescript(FIRST)
        book.execute("PRAGMA journal_mode=WAL")
    return file


def tower(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


def test_a_ledger_of_an_older_release_is_refused_and_left_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(LedgerError, match=r"an older release made the ledger.*`tower ledger upgrade`"):
        Ledger(f"sqlite:///{old}")
    assert old.read_bytes() == before


def test_a_ledger_of_a_newer_release_is_refused_and_says_how_to_go_on(file: Path) -> None:
    Ledger(f"sqlite:///{file}").engine.dispose()
    with sqlite3.connect(file) as book:
        book.execute("UPDATE ledger_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match=f"a newer release made the ledger.*`tower ledger downgrade {HEAD}`"):
        Ledger(f"sqlite:///{file}")


def test_the_command_shows_upgrades_and_takes_back(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tower(capsys, "queue")[0] == 2
    assert "did not mark it yet" in tower(capsys, "ledger", "version")[1]
    code, said = tower(capsys, "ledger", "upgrade", "--check")
    assert code == 1 and f"from 0001 to {HEAD}" in said
    code, said = tower(capsys, "ledger", "upgrade", "--json")
    assert code == 0 and Path(json.loads(said)["copy"]).exists()
    assert tower(capsys, "ledger", "upgrade", "--check") == (0, f"the ledger is at {HEAD}: nothing to do\n")
    assert tower(capsys, "ledger", "version", "--json")[1].count(HEAD) == 2
    assert tower(capsys, "ledger", "downgrade", KNOWN[0])[0] == 0
    assert "older release" in tower(capsys, "queue")[1]


def test_where_there_is_no_ledger_nothing_is_made(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no ledger yet" in tower(capsys, "ledger", "version")[1]
    assert tower(capsys, "ledger", "upgrade")[0] == 2
    assert not file.exists()


def test_a_ledger_is_made_by_an_upgrade_that_is_told_to_and_by_none_that_only_looks(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tower(capsys, "ledger", "upgrade", "--make", "--check")[0] == 2
    assert not file.exists()
    for _ in range(2):
        assert tower(capsys, "ledger", "upgrade", "--make") == (0, f"the ledger is at {HEAD}: nothing to do\n")
    assert tower(capsys, "queue")[0] == 0


def test_a_revision_that_there_never_was_is_refused_with_the_nearest(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = tower(capsys, "ledger", "downgrade", "001")
    assert code == 2 and "there is no revision '001'" in said and "0001" in said


def test_a_ledger_that_another_makes_while_we_look_is_not_taken_for_an_old_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    looking = create_engine(url)

    with looking.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        # After the first statement of our look.
        event.listen(looking, "after_cursor_execute", lambda *_: Ledger(url).engine.dispose(), once=True)
        assert revision_of(connection) in (None, HEAD)
    looking.dispose()


def test_of_many_that_open_a_new_ledger_together_each_finds_it(tmp_path: Path) -> None:
    together = Barrier(4)

    def opens(file: Path) -> int:
        together.wait()
        with Ledger(f"sqlite:///{file}").read() as session:
            return int(session.execute(text("SELECT count(*) FROM cases")).scalar_one())

    with ThreadPoolExecutor(max_workers=4) as four:
        for number in range(40):
            assert list(four.map(opens, [tmp_path / f"{number}.db"] * 4)) == [0, 0, 0, 0]
