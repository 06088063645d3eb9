"""What was kept goes when it is old enough, stays while it is held, and nothing goes unseen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col

from control_tower.errors import BrokenChain, LedgerError, NoAuthority, NotFound, NotProved
from control_tower.keeping.records import runs, verify
from control_tower.keeping.step import open_archive
from control_tower.ledger.approvers import enrol
from control_tower.ledger.cases import queue
from control_tower.ledger.holds import held_runs, place_hold, release_hold, standing_holds
from control_tower.ledger.journal import faults
from control_tower.ledger.letting_go import note_let_go, run_ages
from control_tower.ledger.proofs import Token
from control_tower.ledger.tables import ChainRow
from control_tower.model.calls import Calls, forget_prompts
from control_tower.model.tables import ModelCall
from desk.command import main
from flows.expire_kept import expire_kept
from policies.retention import retention
from tasks.authority import written_authority
from tasks.replay import replay
from tests.flows.conftest import Tower, own_tower
from tests.thorough import own_seed

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
PERIOD = retention().period("frames")


@pytest.fixture(scope="module")
def looked_once(tmp_path_factory: pytest.TempPathFactory, deployed: dict[UUID, Any]) -> Path:
    """The folder of a tower that has looked once."""
    folder = tmp_path_factory.mktemp("looked-once")
    with own_tower(folder, deployed) as tower:
        tower.fill(400, seed=own_seed())
        tower.watch()
        tower.ledger.engine.dispose()
    return folder


@pytest.fixture
def kept(tmp_path: Path, looked_once: Path, deployed: dict[UUID, Any]) -> Iterator[Tower]:
    """A copy of that tower, to do with as a test likes."""
    shutil.copytree(looked_once, tmp_path, dirs_exist_ok=True)
    grow_old(tmp_path / "artifacts")
    with own_tower(tmp_path, deployed) as tower:
        yield tower


def grow_old(folder: Path) -> None:
    """As if the files had been kept a week ago."""
    week_ago = (datetime.now(UTC) - timedelta(days=7)).timestamp()
    for file in folder.rglob("*"):
        os.utime(file, (week_ago, week_ago))


def frames(tower: Tower) -> set[str]:
    return {one.address[1] for one in open_archive(tower.settings.artifacts).lying() if one.address[0] == "frames"}


def lead(tower: Tower, name: str = "lea", role: str = "lead") -> Token:
    return Token(name, enrol(tower.ledger, name, datetime.now(UTC), roles=(role,)).token)


def test_what_is_old_enough_goes_and_the_chain_still_says_what_it_was(kept: Tower) -> None:
    now, archive = datetime.now(UTC), open_archive(kept.settings.artifacts)
    (run,) = runs(kept.ledger)
    whole, before = verify(archive, kept.ledger, run), len(frames(kept))
    assert expire_kept(now + PERIOD - DAY).files == {}
    gone = expire_kept(now + PERIOD + DAY)
    assert gone.files["frames"] == before
    assert gone.bytes > 0 and gone.runs == 1
    assert frames(kept) == set()
    walked = verify(archive, kept.ledger, run)
    assert (walked.records, walked.gone) == (whole.records, gone.files["frames"])
    assert list(faults(kept.ledger.engine)) == []
    assert {one.outcome for one in replay(run).steps} == {"gone on purpose", "taken as kept"}
    assert expire_kept(now + PERIOD + DAY).files == {}, "a second night has nothing to do"


def test_a_file_that_somebody_took_away_is_missed_all_the_same(kept: Tower) -> None:
    archive = open_archive(kept.settings.artifacts)
    (run,) = runs(kept.ledger)
    archive.remove(("frames", sorted(frames(kept))[0], "parquet"))
    with pytest.raises(BrokenChain, match="is gone"):
        verify(archive, kept.ledger, run)


def test_what_a_younger_run_needs_too_stays(kept: Tower) -> None:
    kept.watch()
    first, second = run_ages(kept.ledger)
    with kept.ledger.write() as session:
        older = first.began_at - PERIOD
        session.execute(update(ChainRow).where(col(ChainRow.run) == first.run).values(began_at=older))
    before = frames(kept)
    assert expire_kept(datetime.now(UTC) + DAY).files == {}, "the very same evidence"
    assert frames(kept) == before
    archive = open_archive(kept.settings.artifacts)
    assert verify(archive, kept.ledger, first.run).gone == 0
    assert verify(archive, kept.ledger, second.run).gone == 0


def test_what_is_held_stays_until_it_is_released(kept: Tower) -> None:
    late, case = datetime.now(UTC) + PERIOD + DAY, queue(kept.ledger)[0].id
    proof, authority = lead(kept), written_authority("")
    place_hold(kept.ledger, case, proof, authority, "a court asked for it", datetime.now(UTC))
    assert held_runs(kept.ledger) >= set(runs(kept.ledger))
    held = expire_kept(late)
    assert held.files.get("frames", 0) == 0 and held.held >= 1
    release_hold(kept.ledger, case, proof, authority, "it is over", datetime.now(UTC))
    assert standing_holds(kept.ledger) == []
    assert expire_kept(late).files["frames"] > 0
    with pytest.raises(NotFound, match="is not held"):
        release_hold(kept.ledger, case, proof, authority, "again", datetime.now(UTC))


def test_only_a_keeper_holds_and_says_why(kept: Tower) -> None:
    case, now, authority = queue(kept.ledger)[0].id, datetime.now(UTC), written_authority("")
    with pytest.raises(NoAuthority, match="may not hold or erase"):
        place_hold(kept.ledger, case, lead(kept, "ana", "approver"), authority, "why", now)
    with pytest.raises(NotProved):
        place_hold(kept.ledger, case, Token("lea", "tower_" + "x" * 43), authority, "why", now)
    with pytest.raises(LedgerError, match="takes a reason"):
        place_hold(kept.ledger, case, lead(kept), authority, "  ", now)
    assert standing_holds(kept.ledger) == []


def test_what_a_run_under_way_has_just_kept_again_stays(kept: Tower) -> None:
    archive = open_archive(kept.settings.artifacts)
    again = sorted(frames(kept))[0]
    content = archive.content(("frames", again, "parquet"))
    assert archive.keep_bytes("frames", content, "parquet") == again
    assert expire_kept(datetime.now(UTC) + PERIOD + DAY).files["frames"] > 0
    assert frames(kept) == {again}


def test_a_file_that_no_record_names_goes_after_some_days(kept: Tower) -> None:
    archive, now = open_archive(kept.settings.artifacts), datetime.now(UTC)
    address = archive.keep_nouns("left by a process that was killed")
    assert expire_kept(now).loose == 0
    assert archive.has(address)
    left = (now - timedelta(days=retention().loose_days, hours=1)).timestamp()
    os.utime(archive.path(*address), (left, left))
    assert expire_kept(now).loose == 1
    assert not archive.has(address)


def test_killed_between_the_note_and_the_files_the_next_night_goes_on(kept: Tower) -> None:
    late = datetime.now(UTC) + PERIOD + DAY
    (age,) = run_ages(kept.ledger)
    note_let_go(kept.ledger, [(age, {"frames"})], "retention@1", late)
    archive = open_archive(kept.settings.artifacts)
    assert verify(archive, kept.ledger, age.run).gone == 0, "what is there is checked"
    assert expire_kept(late).files["frames"] > 0
    assert frames(kept) == set() and verify(archive, kept.ledger, age.run).gone > 0


def test_messages_and_prompts_go_by_their_own_ages(kept: Tower) -> None:
    now = datetime.now(UTC)
    letter = [{"role": "user", "content": "a letter"}]
    asked = ModelCall(key="k", lane="fulfilment", case_id="c", prompt="p@1", model="m", evidence="e", sent=letter,
                      received="{}", outcome="answered", cost=1, at=now)  # fmt: skip
    assert Calls(kept.ledger).reserve(asked, 5, 5)
    assert expire_kept(now + retention().period("prompts") - DAY).prompts == 0
    assert expire_kept(now + retention().period("prompts") + DAY).prompts == 1
    (left,) = Calls(kept.ledger).of_case("c")
    assert (left.sent, left.received, left.outcome) == ([], "", "answered")
    assert list(faults(kept.ledger.engine)) == []
    assert forget_prompts(kept.ledger, now + DAY, ["c"]) == 0
    assert expire_kept(now + retention().period("messages") + DAY).files["messages"] > 0


def test_the_commands_show_what_would_go_and_hold_a_case(
    kept: Tower, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proof = lead(kept)
    monkeypatch.setenv("TOWER_TOKEN", proof.token)
    case = queue(kept.ledger)[0].id
    for words in (
        ["kept", "hold", case[:8], "--as", "lea", "--reason", "a court asked"],
        ["kept", "holds"],
        ["kept", "expire", "--check"],
        ["audit", "verify"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code in (0, None), words
    said = " ".join(capsys.readouterr().out.split())
    assert f"case {case} is held" in said and "a court asked" in said
    assert "would let go: no files of 0 runs" in said and "1 runs are held" in said
    assert os.environ["TOWER_TOKEN"] not in said


def test_a_message_that_is_not_what_was_said_is_named(kept: Tower, capsys: pytest.CaptureFixture[str]) -> None:
    archive = open_archive(kept.settings.artifacts)
    said = next(one.address for one in archive.lying() if one.address[0] == "messages")
    archive.write(archive.path(*said), archive.content(said) + b" ")
    with pytest.raises(SystemExit) as ended:
        main(["audit", "verify"])
    assert ended.value.code == 7
    told = " ".join(capsys.readouterr().err.split())
    assert "a message of" in told and said[1][:40] in told.replace(" ", "")
