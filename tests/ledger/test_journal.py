"""A row of the book that anybody but the tower changed, added or took away is named, and the journal with it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from control_tower.errors import BrokenChain
from control_tower.keeping import Archive
from control_tower.keeping.records import append, verify
from control_tower.ledger import Ledger
from control_tower.ledger.effects import intend, move
from control_tower.ledger.journal import entries, faults
from control_tower.ledger.tables import EventRow
from control_tower.nouns import EffectState
from tests.ledger.books import NOW, approved, proposal
from tests.postgres import new_database
from tests.thorough import up_to

WATCHED = ("approvers", "effects", "events", "proposals", "rulings")


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    else:
        book = Ledger(new_database(request.getfixturevalue("postgres")))
    yield book
    book.engine.dispose()


def fill(ledger: Ledger, orders: range = range(1001, 1005)) -> None:
    """A few refunds: proposed, ruled on, and paid."""
    for order in orders:
        leave = approved(ledger, proposal(str(order), 100 + order))
        intend(ledger, leave, "me", NOW)
        move(ledger, leave.proposal.digest, EffectState.confirmed, holder="me", now=NOW, reference=f"R{order}")


def found(ledger: Ledger) -> list[str]:
    return [str(fault) for fault in faults(ledger.engine)]


def behind_its_back(ledger: Ledger, *statements: str) -> None:
    with ledger.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_a_process_that_has_just_begun_can_walk_the_whole_book(tmp_path: Path) -> None:
    """It has loaded none of the tables that it did not need, as `tower audit verify` has not."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    fill(Ledger(url))
    program = (
        "import sys; from control_tower.ledger import open_ledger; from control_tower.ledger.journal import faults\n"
        "from control_tower.ledger.erasures import strike_rows\n"
        "book = open_ledger(sys.argv[1]); strike_rows(book, lambda text: False, str, print, '')\n"
        "print([str(fault) for fault in faults(book.engine)])"
    )
    said = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True)
    assert said.stdout.strip() == "[]", said.stdout + said.stderr[-500:]


def test_a_book_that_the_tower_alone_wrote_is_what_was_written(ledger: Ledger) -> None:
    fill(ledger)
    assert found(ledger) == []
    assert entries(ledger.engine) >= 4 * len(WATCHED)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE rulings SET approver = 'eve'", "rulings {0}|1 is not what was written"),
        ("UPDATE effects SET amount = amount * 10", "effects {0} is not what was written"),
        ("UPDATE events SET at = '2020-01-01 00:00:00+00' WHERE id = 1", "events 1 is not what was written"),
        ("DELETE FROM rulings", "rulings {0}|1 is gone"),
        ("DELETE FROM events WHERE id = 2", "events 2 is gone"),
        ("INSERT INTO events (id, subject, what, detail, at) VALUES (999, 'x', 'paid', '', '2026-01-01 00:00:00+00')",
         "events 999 was not written by the tower"),
        ("UPDATE proposals SET body = replace(CAST(body AS TEXT), '1101', '9901')",
         "proposals {0} is not what was written"),
    ],
)  # fmt: skip
def test_a_row_that_was_changed_behind_its_back_is_named(ledger: Ledger, statement: str, named: str) -> None:
    fill(ledger, range(1001, 1002))
    if ledger.engine.dialect.name == "postgresql":
        statement = statement.replace(
            "CAST(body AS TEXT), '1101', '9901')", "CAST(body AS TEXT), '1101', '9901')::json"
        )
    behind_its_back(ledger, statement)
    digest = approved_digest(ledger)
    assert named.format(digest) in found(ledger)
    fill(ledger, range(1002, 1003))
    assert named.format(digest) in found(ledger), "what the tower writes afterwards does not cover it up"


def approved_digest(ledger: Ledger) -> str:
    with ledger.engine.connect() as connection:
        return str(connection.execute(text("SELECT digest FROM proposals")).scalar())


def test_the_journal_cant_be_made_to_agree_without_the_key(ledger: Ledger) -> None:
    fill(ledger, range(1001, 1002))
    behind_its_back(
        ledger,
        "UPDATE effects SET amount = 999999",
        "UPDATE journal SET digest = 'ab' WHERE of = 'effects'",
        "DELETE FROM touched",
    )
    said = found(ledger)
    assert any(one.startswith("journal ") and one.endswith("is not what was written") for one in said)


def test_a_note_that_is_dropped_or_a_trigger_that_is_gone_hides_nothing(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    fill(ledger, range(1001, 1002))
    behind_its_back(
        ledger, "DROP TRIGGER journal_effects_update", "UPDATE effects SET amount = 1", "DELETE FROM touched"
    )
    assert any(one.startswith("effects") for one in found(ledger))


def test_a_journal_that_is_cut_off_is_missed(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger, range(1001, 1002))
    last = entries(ledger.engine)
    behind_its_back(ledger, "DELETE FROM journal WHERE number = (SELECT max(number) FROM journal)")
    gone = f"journal {last} is gone: it ends at {last - 1}, which is not where it was written to end"
    assert gone in found(ledger)


def test_an_old_copy_of_the_whole_book_is_seen_by_the_kept_records(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger, archive = Ledger(f"sqlite:///{file}"), Archive((tmp_path / "artifacts").as_uri())
    step = {"step": "look", "task_run": "", "code": "0", "versions": {}, "inputs": {}, "outputs": {}, "error": "",
            "started_at": NOW, "ended_at": NOW}  # fmt: skip
    append(archive, ledger, "run-1", step)
    old = tmp_path / "old.db"
    with sqlite3.connect(file) as now, sqlite3.connect(old) as copy:
        now.backup(copy)
    fill(ledger, range(1001, 1002))
    append(archive, ledger, "run-2", step)
    columns = "run, flow, length, head, began_at, let_go"
    with ledger.engine.connect() as connection:
        row = connection.execute(text(f"SELECT {columns} FROM chains WHERE run = 'run-2'")).one()
    again = Ledger(f"sqlite:///{old}")
    assert found(again) == [], "an old copy of the book agrees with itself"
    with again.engine.begin() as connection:
        into = f"INSERT INTO chains ({columns})"
        connection.execute(text(f"{into} VALUES (:run, :flow, :length, :head, :began_at, :let_go)"), row._asdict())
    with pytest.raises(BrokenChain, match=r"entry \d+ of the ledger's journal: is not what it was at record 1"):
        verify(archive, again, "run-2")


def test_many_writers_at_once_make_one_chain(ledger: Ledger) -> None:
    def write(number: int) -> None:
        with ledger.write() as session:
            session.add(EventRow(subject=f"case:{number}", what="seen", detail="", at=NOW))

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(80)))
    assert found(ledger) == []
    assert entries(ledger.engine) == 80


def test_what_was_taken_back_before_it_was_done_is_not_in_the_journal(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), ledger.write() as session:
        session.add(EventRow(subject="case:1", what="seen", detail="", at=NOW))
        session.flush()
        raise RuntimeError
    assert entries(ledger.engine) == 0 and found(ledger) == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("book") / "ledger.db"
    ledger = Ledger(f"sqlite:///{file}")
    fill(ledger)
    ledger.engine.dispose()
    with sqlite3.connect(file) as book:
        book.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


@settings(max_examples=up_to(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_done_to_whichever_row_names_that_row(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    copy = tmp_path / f"{uuid4()}.db"
    shutil.copyfile(whole, copy)
    table = data.draw(st.sampled_from([*WATCHED, "journal"]))
    with sqlite3.connect(copy) as book:
        key = [row[1] for row in book.execute(f"PRAGMA table_info({table})") if row[5]]
        rows = book.execute(f"SELECT rowid, {', '.join(key)} FROM {table} ORDER BY rowid").fetchall()
        first = data.draw(st.sampled_from(rows))
        columns = [row[1] for row in book.execute(f"PRAGMA table_info({table})") if not row[5]]
        what = data.draw(st.sampled_from(["edit", "delete", "swap"]))
        column = data.draw(st.sampled_from(columns))
        (value,) = book.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", first[:1]).fetchone()
        if what == "delete":
            book.execute(f"DELETE FROM {table} WHERE rowid = ?", first[:1])
        elif what == "edit":
            book.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (other(value), first[0]))
        else:
            second = data.draw(st.sampled_from(rows))
            (swapped,) = book.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", second[:1]).fetchone()
            if swapped == value:
                return
            book.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (swapped, first[0]))
            book.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, second[0]))
    ledger = Ledger(f"sqlite:///{copy}")
    named = "|".join(map(str, first[1:]))
    assert any(fault.of == table and fault.key == named for fault in faults(ledger.engine)), (table, what, column)
    ledger.engine.dispose()


@pytest.mark.parametrize(("column", "value"), [("body", "{no json"), ("opened_at", "no moment")])
def test_a_row_that_nobody_can_read_any_more_is_named_too(whole: Path, tmp_path: Path, column: str, value: str) -> None:
    copy = tmp_path / "copy.db"
    shutil.copyfile(whole, copy)
    with sqlite3.connect(copy) as book:
        (key,) = book.execute("SELECT digest FROM proposals LIMIT 1").fetchone()
        book.execute(f"UPDATE proposals SET {column} = ? WHERE digest = ?", (value, key))
    named = [(fault.of, fault.key, fault.what) for fault in faults(Ledger(f"sqlite:///{copy}").engine)]
    assert ("proposals", key, "is not what was written") in named


def other(value: object) -> object:
    """A value of the same kind that is not this one."""
    if isinstance(value, int | float):
        return value + 1
    if not value:
        return "2020-01-01 00:00:00.000000"
    said = str(value)
    if said[:2] in ("[]", "{}"):
        return '["x"]' if said[0] == "[" else '{"x": 1}'
    digit = next((at for at, letter in enumerate(said) if letter.isdigit()), None)
    if digit is not None:
        return said[:digit] + str((int(said[digit]) + 1) % 10 or 1) + said[digit + 1 :]
    return said + "x"
