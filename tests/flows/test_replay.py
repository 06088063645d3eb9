"""What was kept is enough: every step run again on it gives the very same, here and on another machine."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from control_tower.errors import BrokenChain, ContractBreach, NotFound, PolicyError
from control_tower.keeping.checkouts import unpack_code
from control_tower.keeping.code import ROOMS, code_version
from control_tower.keeping.records import find_run, runs
from control_tower.keeping.step import STEPS, Step, open_archive
from control_tower.ledger.journal import entries
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Action
from control_tower.pause import resume
from desk import replay as desk_replay
from desk.command import main
from flows.lanes import find_flow, lanes
from flows.measure import measure_shop
from tasks.backtest import backtest
from tasks.replay import Replay, replay
from tests.flows.conftest import Tower, own_tower
from tests.flows.test_backtest_and_shadow import EVER, changed
from tests.flows.test_olist import THEN

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, deployed: dict[UUID, Any]) -> Iterator[Tower]:
    """A tower whose every lane has looked, where a refund was paid, and that was measured."""
    with own_tower(tmp_path_factory.mktemp("lived"), deployed) as tower:
        tower.fill_now(1200, days=180)
        for name in lanes():
            find_flow(name)()
        refund = tower.waiting(Action.refund)[0]
        tower.rule(refund)
        resume(str(find_proposal(tower.ledger, refund.digest).flow_run_id))
        tower.work()
        measure_shop()
        yield tower


def looked(tower: Tower, lane: str) -> str:
    """The run in which a lane looked."""
    from control_tower.ledger.looks import looks

    return looks(tower.ledger, lane)[0].run


def files_of(tower: Tower) -> list[tuple[str, int]]:
    root = Path(open_archive(tower.settings.artifacts).root)
    return sorted((str(file), file.stat().st_mtime_ns) for file in root.rglob("*") if file.is_file())


def test_every_run_gives_the_same_again(lived: Tower) -> None:
    done = [replay(run) for run in runs(lived.ledger)]
    assert len(done) >= len(lanes()) + 2
    assert [each.first_difference for each in done] == [None] * len(done)
    again = {one.step for each in done for one in each.steps if one.outcome == "same"}
    taken = {one.step for each in done for one in each.steps if one.outcome == "taken as kept"}
    assert {"validate", "detect", "entitle", "judge", "score", "recommend", "advise", "link", "shadow", "form-cases",
            "form-proposals", "report", "measure"} <= again  # fmt: skip
    assert taken == {
        "gather", "open-cases", "ask", "tell", "act", "settle", "tell-case", "read-book", "tell-measures"
    }  # fmt: skip


def test_a_source_that_has_not_changed_gives_the_same_evidence_again(lived: Tower) -> None:
    done = replay(looked(lived, "fulfilment"), sources=True)
    outcomes = {one.step: one for one in done.steps}
    assert outcomes["gather"].outcome in ("same", "differs")
    if outcomes["gather"].outcome == "differs":  # our own refund is in the shop since
        assert "refunds" in outcomes["gather"].told


def test_a_replay_changes_nothing_anywhere(lived: Tower) -> None:
    before = entries(lived.ledger.engine), files_of(lived)
    replay(looked(lived, "returns"))
    replay(looked(lived, "fulfilment"), "fulfilment")
    assert (entries(lived.ledger.engine), files_of(lived)) == before


def test_the_first_difference_is_named_to_the_value(lived: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    run, known = looked(lived, "fulfilment"), STEPS["score"]

    @functools.wraps(known.function)
    def score(*given: Any, **named: Any) -> Any:
        archive = open_archive(lived.settings.artifacts)
        frame = archive.frame(known.function(*given, **named))
        frame.loc[2, "team"] = "somebody else"
        return archive.keep_frame("cases", frame)

    monkeypatch.setitem(STEPS, "score", Step("score", score, ""))
    first = replay(run).first_difference
    assert first is not None and first.step == "score"
    assert first.told.startswith("result: row 3 (") and first.told.endswith(", is somebody else")


def test_under_another_policy_exactly_what_the_backtest_foretold_turns_out_otherwise(
    tmp_path: Path, deployed: dict[UUID, Any]
) -> None:
    with own_tower(tmp_path, deployed) as tower:
        tower.fill(1500, seed=33)
        report = tower.watch(dry_run=False)
        stricter = changed(tmp_path, ("late_grace_days", 7), ("unpaid_hours", 1))
        done = replay(report.run_id, str(stricter))
        (foretold,) = backtest(str(stricter), EVER, datetime(2030, 1, 1, tzinfo=UTC), None, "")
    assert done.turned is not None and done.policy == "fulfilment@1"
    expected = {kind: each.model_dump(exclude={"money"}) for kind, each in foretold.flips.kinds.items()}
    found = {kind: each.model_dump() for kind, each in done.turned.kinds.items()}
    silent = dict.fromkeys(next(iter(expected.values())), 0)
    assert {kind: found.get(kind, silent) for kind in expected} == expected
    assert sum(each["newly_found"] + each["no_longer_found"] for each in expected.values()) > 0
    asked = {a: {how: getattr(each, how).count for how in ("gained", "lost", "amended")}
             for a, each in foretold.flips.proposals.items()}  # fmt: skip
    none = {"gained": 0, "lost": 0, "amended": 0}
    assert {a: done.turned.proposals[a].model_dump() if a in done.turned.proposals else none for a in asked} == asked
    assert done.first_difference is not None and done.first_difference.step in ("shadow", "judge")


def test_under_the_policy_that_decided_nothing_turns_out_otherwise(lived: Tower) -> None:
    done = replay(looked(lived, "fulfilment"), "fulfilment")
    assert done.turned is not None
    for each in (*done.turned.kinds.values(), *done.turned.proposals.values()):
        counts = each.model_dump()
        assert sum(count for name, count in counts.items() if not name.startswith("found")) == 0
    with pytest.raises(PolicyError, match=r"is of another lane|no lane"):
        replay(looked(lived, "fulfilment"), "returns")


def test_on_another_machine_it_gives_the_same(lived: Tower, tmp_path: Path) -> None:
    """Another folder, clock zone, language, order of hashing, number of threads and size of memory."""
    there = tmp_path / "another machine"
    there.mkdir()
    root = Path(open_archive(lived.settings.artifacts).root)
    shutil.copytree(root, there / "artifacts")
    database = Path(lived.settings.ledger.removeprefix("sqlite:///"))
    with sqlite3.connect(database) as book, sqlite3.connect(there / database.name) as copy:
        book.backup(copy)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TOWER_"))}
    environment = kept | {
        "TOWER_HOME": str(there),
        "TOWER_MEMORY_LIMIT": "700MB",
        "TZ": "Pacific/Auckland",
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "4711",
        "OMP_NUM_THREADS": "1",
    }
    program = "import os, sys; os.sched_setaffinity(0, {0}); from desk.command import main; main(sys.argv[1:])"
    for lane in ("inventory", "fraud"):
        words = [sys.executable, "-c", program, "replay", looked(lived, lane), "--json"]
        said = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert said.returncode == 0, said.stderr
        (done,) = (Replay.model_validate(each) for each in json.loads(said.stdout))
        assert done.first_difference is None and done.steps


def test_a_run_that_failed_fails_again_by_the_same_words(tower: Tower, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "orders.csv").write_text(
        "order_id,customer_id,status,placed_at,currency,total_amount\n" + "1,c,approved,no moment,EUR,x\n" * 40
    )
    with pytest.raises(ContractBreach):
        tower.watch(source=f"folder:{tmp_path / 'export'}")
    (run,) = runs(tower.ledger)
    done = replay(run)
    assert [one.outcome for one in done.steps][-1] in ("same", "taken as kept")
    assert done.first_difference is None


def test_evidence_that_is_gone_stops_a_replay_and_is_named(tower: Tower) -> None:
    tower.fill(200)
    report = tower.watch(dry_run=True)
    archive = open_archive(tower.settings.artifacts)
    archive.remove(tower.records(report)["gather"].outputs["result.frames.orders"])
    with pytest.raises(BrokenChain, match="is gone"):
        replay(report.run_id)


def test_a_run_is_named_by_its_beginning_and_one_that_is_not_there_is_said_so(lived: Tower) -> None:
    run = looked(lived, "fraud")
    assert find_run(lived.ledger, run[:13]) == run
    with pytest.raises(NotFound):
        find_run(lived.ledger, "no-such-run")


def test_every_run_on_olist_gives_the_same_again(tower: Tower, public_data: Callable[[str], Path]) -> None:
    olist = public_data("olist")
    source = {"source": f"folder:{olist}", "mapping": "olist", "as_of": THEN}
    find_flow("fulfilment")(**source, dry_run=True)
    measure_shop(**source)
    done = [replay(run, sources=True) for run in runs(tower.ledger)]
    assert len(done) == 2
    assert [each.first_difference for each in done] == [None, None]
    assert all(one.outcome == "same" for each in done for one in each.steps if one.step == "gather")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit: the code that runs."""
    folder = tmp_path / "repository"
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b.example"]
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "as it was"], check=True)
    (folder / "flows" / "look.py").write_text("raise SystemExit('the code of now')\n")
    subprocess.run([*git, "commit", "--quiet", "-am", "as it is"], check=True)
    return folder


def test_the_code_that_kept_a_run_runs_it_again_where_it_is_at_hand(
    lived: Tower, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(desk_replay, "code_version", lambda: "0.2.0+of-now")
    monkeypatch.setattr(desk_replay, "REPOSITORY", repository)
    desk_replay.replay_runs(looked(lived, "subscriptions"), None, sources=False, this_code=False, json=True)
    said = capsys.readouterr()
    assert "run by commit" in said.err
    (done,) = json.loads(said.out)
    assert done["code"] == done["replayed_by"] == code_version()
    assert {one["outcome"] for one in done["steps"]} == {"same", "taken as kept"}


def test_code_that_is_not_at_hand_is_said_so(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    assert unpack_code("0.0.1+123456789abc", tmp_path / "code", repository) == ""
    assert unpack_code(code_version(), tmp_path / "code", tmp_path) == "", "no repository is there"
    assert list((tmp_path / "code").iterdir()) == []


def test_a_difference_ends_the_command_with_an_exit_code_of_its_own(
    lived: Tower, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tasks.replay.first_difference", lambda *_: "result: row 1 was 1, is 2")
    with pytest.raises(SystemExit) as ended:
        main(["replay", looked(lived, "fraud")[:20]])
    assert ended.value.code == 8
    assert "give something else: validate, result: row 1 was 1, is 2" in " ".join(capsys.readouterr().err.split())
