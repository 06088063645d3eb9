"""A ledger goes from release to release and back, with all that is in it, and vouches for no row that it did not write.

`first_release.sql` and `first_release.postgres.sql` were written by the code of the first release.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, select, text
from sqlmodel import SQLModel

from control_tower.errors import LedgerError
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.engine import open_engine
from control_tower.ledger.journal import faults, faults_in
from control_tower.ledger.migrations import downgrade, moving, planned, shapes, upgrade
from control_tower.ledger.revisions import HEAD, KNOWN, VERSION_TABLE
from control_tower.ledger.tables import BreakerRow, ChainRow, EventRow, RungRow
from control_tower.model import tables as of_models
from control_tower.slack import tables as of_slack
from tests.postgres import new_database

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
KEY = "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtb24="  # what the first release's ledger was written with
HERE = Path(__file__).parent
MODELS = (of_models, of_slack)  # imported, so that the models of all tables are known


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWER_APPROVER_KEY", KEY)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty one."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture
def first(database: str) -> str:
    """The ledger of the first release, with data in it."""
    if database.startswith("sqlite"):
        with sqlite3.connect(database.removeprefix("sqlite:///")) as book:
            book.executescript((HERE / "first_release.sql").read_text())
            book.execute("PRAGMA journal_mode=WAL")
        return database
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.connection.cursor().execute((HERE / "first_release.postgres.sql").read_text())
    engine.dispose()
    return database


def behind_its_back(url: str, statement: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def not_as_written(url: str, revision: str = HEAD) -> list[str]:
    """What `tower audit verify` of the release that knows this revision says of its rows."""
    engine = open_engine(url)
    with engine.connect() as connection:
        found = list(map(str, faults_in(connection, shapes.tables_at(revision))))
    engine.dispose()
    return found


def everything(url: str, revision: str) -> dict[str, list[Any]]:
    """All rows of what the journal does not keep for itself, the ledger's own events apart."""
    engine, found = open_engine(url), {}
    with engine.connect() as connection:
        for name, table in shapes.tables_at(revision).items():
            if name not in ("journal", "journal_head", "touched"):
                rows = connection.execute(select(table).order_by(*table.primary_key.columns)).all()
                found[name] = [row for row in rows if name != "events" or row.subject != "ledger"]
    engine.dispose()
    return found


def differences(engine: Engine) -> list[Any]:
    """What would have to be done to make a database what today's models say."""
    ours = SQLModel.metadata
    with engine.connect() as connection:
        options = {"compare_type": True, "include_name": lambda name, kind, _: kind != "table" or name != VERSION_TABLE}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), ours))


def test_the_ledger_of_the_first_release_is_today_s_with_all_that_is_in_it(first: str) -> None:
    before = everything(first, "0001")
    assert len(before["effects"]) == 3 and len(before["chains"]) == 3 and before["model_calls"] and before["outbox"]
    assert not_as_written(first, "0001") == []
    moved = upgrade(first, NOW)
    assert (moved.plan.found, moved.plan.to, moved.signed) == ("0001", HEAD, 6)
    ledger = Ledger(first)
    assert differences(ledger.engine) == []
    assert list(faults(ledger.engine)) == []
    after = everything(first, HEAD)
    assert {name: [_as_before(row, of) for row, of in zip(after[name], rows, strict=True)] for name, rows in
            before.items()} == before  # fmt: skip
    assert {tuple(row.shops) for row in after["approvers"]} == {("*",)}, "whoever could rule can rule"
    assert {row.shop for row in after["breakers"]} <= {""} and {row.channel for row in after["outbox"]} == {""}
    with ledger.read() as session:
        told = session.execute(text("SELECT what, detail FROM events WHERE subject = 'ledger'")).one()
    assert told[0] == "migrated" and told[1].startswith(f"from 0001 to {HEAD}")
    ledger.engine.dispose()


def _as_before(row: Any, before: Any) -> tuple[Any, ...]:
    """The columns that a row of the first release has, of the same row now."""
    return tuple(getattr(row, name) for name in before._fields)


def test_what_is_one_shop_s_alone_widens_nothing_in_an_older_release(first: str) -> None:
    upgrade(first)
    ledger = Ledger(first)
    enrol(ledger, "of one shop", NOW, shops=("berlin",))
    with ledger.write() as session:
        session.add(RungRow(lane="returns", rung="act", why="in one shop", by="ana", at=NOW, shop="berlin"))
        session.add(RungRow(lane="returns", rung="route", why="it fell", at=NOW))
        session.add(BreakerRow(lane="returns", why="in one shop", tripped_at=NOW, shop="berlin"))
    ledger.engine.dispose()
    downgrade(first, "0004")
    assert not_as_written(first, "0004") == []
    before = everything(first, "0004")
    assert [row.rung for row in before["rungs"]] == ["route"]
    assert [row.lane for row in before["breakers"] if row.closed_at is None] == ["fulfilment", "returns"]
    revoked = {row.name: row.revoked_at is not None for row in before["approvers"]}
    assert revoked.pop("of one shop") and not any(revoked.values())


def test_a_chain_began_when_the_journal_first_heard_of_it(first: str) -> None:
    upgrade(first)
    ledger = Ledger(first)
    with ledger.write() as session:
        chain = session.get(ChainRow, "run-1")
        assert chain is not None and chain.flow == "" and chain.let_go == {}
        said = "SELECT min(at) FROM journal WHERE of = 'chains' AND key = 'run-1'"
        assert str(chain.began_at)[:19] == str(session.execute(text(said)).scalar())[:19]
        chain.length += 1
    assert list(faults(ledger.engine)) == [], "and the tower goes on writing"
    ledger.engine.dispose()


def test_back_and_forth_every_row_of_before_is_what_it_was(first: str) -> None:
    before = everything(first, "0001")
    upgrade(first)
    downgrade(first, "0001")
    assert everything(first, "0001") == before
    assert not_as_written(first, "0001") == []
    upgrade(first)
    ledger = Ledger(first)
    assert differences(ledger.engine) == [] and list(faults(ledger.engine)) == []
    ledger.engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("to", KNOWN)
def test_from_every_revision_it_goes_on_to_today_s(first: str, to: str) -> None:
    upgrade(first)
    downgrade(first, to)
    assert not_as_written(first, to) == []
    assert planned(first).found == to
    upgrade(first)
    assert not_as_written(first) == []


def test_rows_that_an_older_release_has_no_place_for_are_lost_only_when_somebody_says_so(first: str) -> None:
    upgrade(first)
    ledger = Ledger(first)
    with ledger.write() as session:
        session.add(RungRow(lane="returns", rung="recommend", why="it has shown it", by="ana", at=NOW))
    ledger.engine.dispose()
    with pytest.raises(LedgerError, match="no place for rows that are there: 1 of rungs"):
        downgrade(first, "0001")
    assert not_as_written(first) == [] and len(everything(first, HEAD)["rungs"]) == 1
    downgrade(first, "0001", lose=True)
    assert not_as_written(first, "0001") == []
    upgrade(first)
    assert not_as_written(first) == [] and everything(first, HEAD)["rungs"] == []


@pytest.mark.parametrize("statement", [
    "UPDATE chains SET length = 99 WHERE run = 'run-2'",
    "UPDATE rulings SET approver = 'eve'",
    "DELETE FROM chains WHERE run = 'run-2'",
])  # fmt: skip
def test_a_row_that_somebody_else_wrote_is_named_and_not_signed(first: str, statement: str) -> None:
    behind_its_back(first, statement)
    named = not_as_written(first, "0001")
    with pytest.raises(LedgerError, match="it is not what the tower wrote, and is not migrated") as refused:
        upgrade(first)
    assert named and named[0] in str(refused.value)
    with pytest.raises(LedgerError, match="it is not what the tower wrote"):
        planned(first)
    assert not_as_written(first, "0001") == named, "nothing was changed"


def test_a_row_that_somebody_else_wrote_does_not_go_back_either(first: str) -> None:
    upgrade(first)
    behind_its_back(first, "UPDATE chains SET flow = 'another' WHERE run = 'run-2'")
    with pytest.raises(LedgerError, match="chains run-2 is not what was written"):
        downgrade(first, "0001")
    assert not_as_written(first) == ["chains run-2 is not what was written"]


def test_with_another_key_nothing_is_migrated(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWER_APPROVER_KEY", KEY.replace("b25", "c25"))
    with pytest.raises(LedgerError, match=r"journal 1 is not what was written.*TOWER_APPROVER_KEY"):
        upgrade(first)


def test_a_new_ledger_is_what_the_migrations_make(database: str) -> None:
    ledger = Ledger(database)
    assert differences(ledger.engine) == []
    assert planned(database).nothing
    by_models, by_migrations = SQLModel.metadata.tables, shapes.tables_at(HEAD)
    assert {name: table.columns.keys() for name, table in by_migrations.items()} == {
        name: table.columns.keys() for name, table in by_models.items()
    }, "and a row's digest takes its columns in the same order"
    found = {each.removeprefix("journal_") for each in _watched(ledger.engine)}
    assert found == {table.name for table in shapes.watched_at(HEAD)}
    ledger.engine.dispose()


def _watched(engine: Engine) -> set[str]:
    statement = "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'"
    if engine.dialect.name == "postgresql":
        statement = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    with engine.connect() as connection:
        return set(connection.scalars(text(statement)))


def test_what_the_release_knows_is_what_the_migrations_are() -> None:
    script = ScriptDirectory(str(shapes.VERSIONS.parent))
    assert tuple(each.revision for each in reversed(list(script.walk_revisions()))) == KNOWN
    assert script.get_current_head() == HEAD


def test_a_ledger_of_before_there_were_revisions_is_marked_and_stays(database: str) -> None:
    ledger = Ledger(database)
    ledger.engine.dispose()
    behind_its_back(database, f"DROP TABLE {VERSION_TABLE}")
    behind_its_back(database, "DROP TABLE outbox")
    with pytest.raises(LedgerError, match="tower ledger upgrade"):
        Ledger(database)
    upgrade(database)
    ledger = Ledger(database)
    assert differences(ledger.engine) == [] and list(faults(ledger.engine)) == []
    ledger.engine.dispose()


def test_killed_in_the_middle_it_is_as_it_was_and_goes_on(first: str) -> None:
    before = everything(first, "0001")
    child = multiprocessing.get_context("fork").Process(target=_die_before_the_end, args=(first,))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert everything(first, "0001") == before and not_as_written(first, "0001") == []
    upgrade(first)
    assert not_as_written(first) == []


def _die_before_the_end(url: str) -> None:
    moving.write_entries = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    upgrade(url)


def test_of_two_that_upgrade_at_once_one_does(first: str) -> None:
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        signed = pool.map(_signed, [first, first])
    assert sorted(signed) == [0, 6]
    assert not_as_written(first) == []
    told = [row for row in _events(first) if row.subject == "ledger"]
    assert len(told) == 1


def _signed(url: str) -> int:
    return upgrade(url).signed


def _events(url: str) -> list[Any]:
    engine = open_engine(url)
    with engine.connect() as connection:
        rows = list(connection.execute(text("SELECT * FROM events")).all())
    engine.dispose()
    return rows


def test_on_sqlite_a_copy_of_before_lies_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with sqlite3.connect(file) as book:
        book.executescript((HERE / "first_release.sql").read_text())
    file.chmod(0o600)
    moved = upgrade(f"sqlite:///{file}", NOW)
    assert moved.copy == tmp_path / "ledger.db.0001.20261201T060000Z"
    assert moved.copy.stat().st_mode & 0o777 == 0o600
    assert not_as_written(f"sqlite:///{moved.copy}", "0001") == []
    assert not inspect(create_engine(f"sqlite:///{moved.copy}")).has_table("rungs")


@pytest.mark.slow
def test_what_is_open_while_it_is_migrated_writes_no_more(first: str) -> None:
    upgrade(first)
    ledger = Ledger(first)
    downgrade(first, "0003")
    with pytest.raises(LedgerError, match="tower ledger upgrade"), ledger.write():
        pass
    ledger.engine.dispose()


@pytest.mark.slow
def test_a_write_that_is_under_way_is_waited_for_and_is_in_the_journal_as_it_was(first: str) -> None:
    upgrade(first)
    ledger = Ledger(first)
    with ThreadPoolExecutor(1) as beside:
        with ledger.write() as session:
            session.add(EventRow(subject="case:1", what="seen", detail="before it was migrated", at=NOW))
            session.flush()
            assert planned(first, "0003").found == HEAD, "a mere look waits for nobody"
            moving_it = beside.submit(downgrade, first, "0003")
            time.sleep(0.5)
            assert not moving_it.done()
        assert moving_it.result(60).plan.to == "0003"
    assert not_as_written(first, "0003") == []
    assert "before it was migrated" in {row.detail for row in _events(first)}
    ledger.engine.dispose()
