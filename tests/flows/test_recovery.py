"""After the worst: Prefect's database lost, another server, a ledger from a backup. Money once, and nothing untold."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Scheduled
from sqlalchemy import create_engine, make_url, select, text

from control_tower.errors import BrokenChain, NoAuthority, NotProved
from control_tower.ledger import open_ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import find_proposal, waiting_proposals
from control_tower.ledger.rulings import find_ruling
from control_tower.nouns import Action, EffectState, Proposal, Verdict
from control_tower.server import running_server, use
from control_tower.settings import Settings, settings
from control_tower.slack.tables import OutboxMessage
from desk.command import main
from desk.deploy import deploy
from flows.sweep_approvals import sweep_approvals
from tasks.recover import accept, apart
from tests.flows.conftest import Tower, code_of, own_tower
from tests.flows.test_sweep import everybody, state_of
from tests.postgres import new_database

pytestmark = pytest.mark.slow


def now() -> datetime:
    return datetime.now(UTC)


def filled(tower: Tower) -> Tower:
    """A tower whose lane has asked; its shop is like no other."""
    tower.fill_now(2500)
    tower.watch(as_of=None)
    return tower


def standings(tower: Tower, proposals: list[Proposal]) -> list[str]:
    return [find_proposal(tower.ledger, each.digest).standing for each in proposals]


def said(tower: Tower) -> int:
    with tower.ledger.read() as session:
        return len(list(session.scalars(select(OutboxMessage))))


# Prefect's database is lost, and its server is another.


@pytest.fixture
def moved(tmp_path: Path, another_tower: Settings, no_server: None) -> Iterator[Callable[[], Any]]:
    """Enters a server of another tower, each time with a fresh database and on a port of its own."""
    empty = (another_tower.folder / "prefect" / "prefect.db").read_bytes()

    def fresh() -> Any:
        for old in (another_tower.folder / "prefect").glob("prefect.db*"):
            old.unlink()
        (another_tower.folder / "prefect" / "prefect.db").write_bytes(empty)
        return running_server(another_tower, port=0)

    yield fresh


def deployed_here(tower: Settings) -> dict[Any, Any]:
    return {each.id: each.flow for each in deploy(tower) if each.id}


@pytest.mark.large
def test_when_prefects_database_is_lost_what_waits_waits_again_and_what_was_approved_is_done_once(
    tmp_path: Path, moved: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with moved() as server, own_tower(tmp_path, {}) as tower:
        tower.flows = deployed_here(tower.settings)
        filled(tower)
        done, unknown, approved, *waits = tower.waiting(Action.refund)
        tower.rule(done)
        sweep_approvals()
        tower.work()
        with monkeypatch.context() as cut:  # the store pays, and the run dies before it hears of it
            _dies_after_paying(cut)
            tower.rule(unknown)
            sweep_approvals()
            tower.work()
        effect = find_effect(tower.ledger, unknown.digest)
        assert effect and effect.state in (EffectState.sent, EffectState.unknown)
        tower.rule(approved)
        waiting = {row.digest for row in waiting_proposals(tower.ledger)}
        first = server.api
        tokens = tower.tokens
    with moved() as server, own_tower(tmp_path, {}) as tower:
        assert server.api != first
        tower.tokens = tokens
        tower.flows = deployed_here(tower.settings)
        told = said(tower)
        swept = sweep_approvals()
        assert {*swept.asked_again} == waiting and len(swept.woken) == 2
        tower.work()
        assert standings(tower, [done, unknown, approved]) == ["done"] * 3
        for each in (done, unknown, approved):
            assert each.money and tower.refunds(each.order_id).count(each.money.amount) == 1
        assert {row.digest for row in waiting_proposals(tower.ledger)} == waiting
        assert all(state_of(tower, each).is_paused() for each in waits)
        assert said(tower) == told, "nobody is asked twice"
        again = sweep_approvals()
        assert again.asked_again == () and again.woken == ()
        tower.rule(waits[0])
        sweep_approvals()
        tower.work()
        assert standings(tower, [waits[0]]) == ["done"], "the form's own run goes on"


def fill_in(tower: Tower, proposal: Proposal, **typed: Any) -> str:
    """Send the form of a proposal's run, as Prefect's page does; what the server says to it."""
    run = UUID(str(find_proposal(tower.ledger, proposal.digest).flow_run_id))
    with get_client(sync_client=True) as client:
        return client.resume_flow_run(run, run_input=typed).status.value


@pytest.mark.large
def test_the_form_of_a_run_that_was_opened_anew_rules_and_pays_once_however_often_it_is_sent(
    tmp_path: Path, moved: Callable[[], Any]
) -> None:
    with moved(), own_tower(tmp_path, {}) as tower:
        tower.flows = deployed_here(tower.settings)
        filled(tower)
        paid, rejected = tower.waiting(Action.refund)[:2]
        before = {each.digest: find_proposal(tower.ledger, each.digest).flow_run_id for each in (paid, rejected)}
        went_back = {each.digest: tower.refunds(each.order_id) for each in (paid, rejected)}
        people = {name: enrol(tower.ledger, name, now()) for name in ("bo", "cy", "di")}
    with moved(), own_tower(tmp_path, {}) as tower:
        tower.flows = deployed_here(tower.settings)
        swept = sweep_approvals()
        assert {paid.digest, rejected.digest} <= {*swept.asked_again}
        for each in (paid, rejected):
            assert find_proposal(tower.ledger, each.digest).flow_run_id != before[each.digest], "another run"
        wrong = {"approver": "bo", "code": "000000", "ruling": "approve"}
        assert fill_in(tower, paid, **wrong) == "ACCEPT"
        tower.work()
        assert state_of(tower, paid).is_paused() and tower.refunds(paid.order_id) == went_back[paid.digest]
        approval = {"approver": "bo", "code": code_of(people["bo"]), "ruling": "approve", "reason": "seen in the form"}
        assert fill_in(tower, paid, **approval) == "ACCEPT"
        assert fill_in(tower, paid, **approval) == "ABORT", "a second click"
        no = {"approver": "cy", "code": code_of(people["cy"]), "ruling": "reject", "reason": "the parcel arrived"}
        assert fill_in(tower, rejected, **no) == "ACCEPT"
        tower.work()
        assert standings(tower, [paid, rejected]) == ["done", "rejected"]
        assert paid.money and tower.refunds(paid.order_id) == [*went_back[paid.digest], paid.money.amount]
        effect, ruling = find_effect(tower.ledger, paid.digest), find_ruling(tower.ledger, paid.digest)
        assert effect and effect.state is EffectState.confirmed
        assert ruling and (ruling.approver, ruling.via) == ("bo", "form")
        again = {"approver": "di", "code": code_of(people["di"]), "ruling": "approve", "reason": "me too"}
        for each in (paid, rejected):
            assert fill_in(tower, each, **again) == "ABORT"
            _force_to_run_again(tower, each)
        tower.work()
        assert sweep_approvals().woken == ()
        assert standings(tower, [paid, rejected]) == ["done", "rejected"]
        assert tower.refunds(paid.order_id) == [*went_back[paid.digest], paid.money.amount]
        assert tower.refunds(rejected.order_id) == went_back[rejected.digest]


def _force_to_run_again(tower: Tower, proposal: Proposal) -> None:
    run = UUID(str(find_proposal(tower.ledger, proposal.digest).flow_run_id))
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Scheduled(), force=True)


def _dies_after_paying(cut: pytest.MonkeyPatch) -> None:
    import tasks.act as acting

    ask = acting._ask

    def paid_and_gone(*given: Any) -> None:
        ask(*given)
        raise KeyboardInterrupt

    cut.setattr(acting, "_ask", paid_and_gone)


@pytest.mark.large
def test_a_server_that_does_not_answer_is_not_taken_for_one_that_lost_its_runs(
    tmp_path: Path, deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_tower(tmp_path, deployed) as tower:
        filled(tower)
        one = tower.waiting(Action.refund)[0]
        tower.rule(one)
        run = find_proposal(tower.ledger, one.digest).flow_run_id
        from tasks import wake

        def broken(_: str) -> None:
            raise ConnectionError("nobody answers")

        with monkeypatch.context() as cut:
            cut.setattr(wake, "resume", broken)
            with pytest.raises(ConnectionError):
                wake.wake_approved(tower.ledger)
        assert find_proposal(tower.ledger, one.digest).flow_run_id == run


def at_server(environment: pytest.MonkeyPatch, api: str | None) -> None:
    """Prefect's clients of this process talk to one server, or know none."""
    if api:
        environment.setenv("PREFECT_API_URL", api)
    else:
        environment.delenv("PREFECT_API_URL", raising=False)
    use(settings())


@pytest.mark.large
def test_two_servers_that_both_have_the_run_pay_once(
    tmp_path: Path,
    deployed: Any,
    another_tower: Settings,
    server: Any,
    no_server: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody resumes on the server of before what was carried out on the new one, and what still waits."""
    from control_tower.pause import resume

    at_server(monkeypatch, server.api)
    with own_tower(tmp_path, deployed) as tower:
        filled(tower)
        paid, waits = tower.waiting(Action.refund)[:2]
        old = {each.digest: str(find_proposal(tower.ledger, each.digest).flow_run_id) for each in (paid, waits)}
    at_server(monkeypatch, None)
    with running_server(another_tower, port=0), own_tower(tmp_path, {}) as here:
        here.flows = deployed_here(here.settings)
        here.rule(paid)
        sweep_approvals()
        here.work()
        assert standings(here, [paid, waits]) == ["done", "waiting"]
        assert str(find_proposal(here.ledger, waits.digest).flow_run_id) != old[waits.digest]
    at_server(monkeypatch, server.api)
    with own_tower(tmp_path, deployed) as tower:
        for run in old.values():
            resume(run)
        tower.work()
        assert paid.money and tower.refunds(paid.order_id).count(paid.money.amount) == 1
        assert standings(tower, [paid, waits]) == ["done", "waiting"]
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(old[waits.digest])).state
        assert state and state.is_paused(), "it waits as before"


# The ledger comes from a backup.


class Backup:
    """A copy of a ledger made as docs/recovery.md says, and put back in its place."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.copy = make_url(url), folder / "backup"
        if self.sqlite:
            with closing(sqlite3.connect(str(self.url.database))) as book:
                book.execute("VACUUM INTO ?", (str(self.copy),))
        else:
            self._run("pg_dump", "--format=custom", f"--file={self.copy}", self._plain)

    @property
    def sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def _plain(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def restore(self) -> None:
        open_ledger(self.url.render_as_string(hide_password=False)).engine.dispose()
        if self.sqlite:
            for old in (f"{self.url.database}-wal", f"{self.url.database}-shm"):
                Path(old).unlink(missing_ok=True)
            shutil.copy(self.copy, str(self.url.database))
            return
        name = self.url.database
        with create_engine(self.url.set(database="postgres"), isolation_level="AUTOCOMMIT").connect() as server:
            server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            server.execute(text(f"CREATE DATABASE {name}"))
        self._run("pg_restore", "--no-owner", f"--dbname={self._plain}", str(self.copy))

    def _run(self, program: str, *given: str) -> None:
        found = shutil.which(program) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{program}")), None)
        if found is None:
            pytest.skip(f"{program} is not installed")
        subprocess.run([found, *given], check=True, capture_output=True)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.large)])
def lost(request: pytest.FixtureRequest, tmp_path: Path, deployed: Any) -> Iterator[tuple[Tower, dict[str, Proposal]]]:
    """A tower whose ledger was restored: after the backup a refund was paid, a reship approved, a refund rejected."""
    with own_tower(tmp_path, deployed) as plain, pytest.MonkeyPatch.context() as environment:
        if request.param == "postgres":
            environment.setenv("TOWER_LEDGER_URL", new_database(request.getfixturevalue("postgres")))
        tower = Tower(settings(), plain.flows)
        filled(tower)
        tower.tokens["ana"] = enrol(tower.ledger, "ana", now()).token
        tower.tokens["fay"] = enrol(tower.ledger, "fay", now(), roles=("finance",)).token
        backup = Backup(tower.settings.ledger, tmp_path)
        paid, rejected = tower.waiting(Action.refund)[:2]
        reship = tower.waiting(Action.reship)[0]
        tower.rule(paid)
        tower.rule(rejected, Verdict.reject)
        sweep_approvals()
        for each in (paid, rejected):
            from tasks.wake import wake

            wake(tower.ledger, each.digest, find_proposal(tower.ledger, each.digest).flow_run_id)
        tower.work()
        tower.watch(as_of=None)
        tower.rule(reship)
        assert standings(tower, [paid, rejected, reship]) == ["done", "rejected", "approved"]
        backup.restore()
        assert standings(tower, [paid, rejected, reship]) == ["waiting"] * 3
        yield tower, {"paid": paid, "rejected": rejected, "reship": reship}


def verified(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert command("audit", "verify") == 0
    return capsys.readouterr().out


def command(*words: str) -> int:
    """What a command ends with."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def test_what_happened_between_backup_and_restore_is_settled(
    lost: tuple[Tower, dict[str, Proposal]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tower, before = lost
    went_back = tower.refunds(before["rejected"].order_id)
    assert command("audit", "verify") == 7
    assert "the ledger was restored from before" in capsys.readouterr().err
    found = apart(tower.settings)
    assert [each.proposal.digest for each in found.found] == [before["paid"].digest]
    assert {each.proposal for each in found.rulings} == {before["paid"].digest, before["rejected"].digest}
    assert any("ana approved it; done" in each.said for each in found.rulings)
    with pytest.raises(NotProved):
        accept(tower.settings, Token("ana", "guessed"), "why", now())
    with pytest.raises(NoAuthority):
        accept(tower.settings, Token("ana", tower.tokens["ana"]), "why", now())
    assert standings(tower, [before["paid"]]) == ["waiting"], "who may not answer for it changes nothing"

    assert command("recover", "--json") == 1
    assert json.loads(capsys.readouterr().out)["runs"] == found.runs
    monkeypatch.setenv("TOWER_TOKEN", tower.tokens["fay"])
    why = "the disk of the ledger died; backup of the night"
    assert command("recover", "accept", "--as", "fay", "--reason", why) == 0
    assert command("recover") == 0
    assert "restored from before" in verified(capsys)

    assert standings(tower, list(before.values())) == ["done", "waiting", "waiting"]
    sweep_approvals()
    tower.work()
    tower.rule(before["reship"])
    sweep_approvals()
    tower.work()
    report = tower.watch(as_of=None)
    tower.work()
    assert report.cases
    assert before["paid"].money
    assert tower.refunds(before["paid"].order_id).count(before["paid"].money.amount) == 1
    assert tower.refunds(before["rejected"].order_id) == went_back, "a lost rejection is no approval"
    effect = find_effect(tower.ledger, before["reship"].digest)
    assert effect and effect.state is EffectState.confirmed
    assert standings(tower, [before["rejected"]]) == ["waiting"], "its rejection is void, and it is asked again"
    recovered = find_effect(tower.ledger, before["paid"].digest)
    assert recovered and recovered.state is EffectState.confirmed and recovered.money == before["paid"].money
    assert "fay answers for it" in verified(capsys)


@pytest.mark.large
def test_who_approves_again_before_anybody_recovers_does_not_pay_twice(lost: tuple[Tower, dict[str, Proposal]]) -> None:
    tower, before = lost
    tower.tokens.pop("ana")
    with tower.ledger.read():
        tower.tokens["gil"] = enrol(tower.ledger, "gil", now()).token
    tower.rule(before["paid"], name="gil")
    sweep_approvals()
    tower.work()
    assert before["paid"].money
    assert tower.refunds(before["paid"].order_id).count(before["paid"].money.amount) == 1
    assert standings(tower, [before["paid"]]) in (["done"], ["void"])


@pytest.mark.large
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_recovery_that_is_killed_is_gone_on_with(
    lost: tuple[Tower, dict[str, Proposal]], moment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tower, before = lost
    program = (
        "import os, signal, tasks.recover as recover\n"
        "from desk.command import main\n"
        "done = recover.found_done\n"
        "def dies(*given):\n"
        f"    {'done(*given)' if moment == 'after' else 'pass'}\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "recover.found_done = dies\n"
        "main(['recover', 'accept', '--as', 'fay', '--reason', 'backup'])\n"
    )
    told = {"TOWER_TOKEN": tower.tokens["fay"], "TOWER_APPROVER_KEY": os.environ.get("TOWER_APPROVER_KEY", "")}
    told = {name: value for name, value in told.items() if value}
    done = subprocess.run([sys.executable, "-c", program], env=os.environ | told, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr[-1500:]
    accept(tower.settings, Token("fay", tower.tokens["fay"]), "backup, gone on with", now())
    assert apart(tower.settings).nothing
    assert standings(tower, [before["paid"]]) == ["done"]
    assert "fay answers for it" in verified(capsys)


@pytest.mark.large
def test_a_ledger_that_somebody_took_back_is_named_and_so_is_a_second_time(
    lost: tuple[Tower, dict[str, Proposal]], tmp_path: Path
) -> None:
    tower, _ = lost
    again = tmp_path / "again"
    again.mkdir()
    backup = Backup(tower.settings.ledger, again)
    accept(tower.settings, Token("fay", tower.tokens["fay"]), "the first time", now())
    tower.watch(as_of=None)
    assert apart(tower.settings).nothing
    backup.restore()
    found = apart(tower.settings)
    assert len(found.records) > 10, "with it went the answer for the first time"
    assert command("audit", "verify") == 7


@pytest.mark.large
def test_an_archive_from_before_its_ledger_is_named_file_by_file_and_cases_go_on(
    tmp_path: Path, deployed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from control_tower.keeping.records import verify
    from control_tower.keeping.step import open_archive

    with own_tower(tmp_path, deployed) as tower:
        filled(tower)
        shutil.copytree(tmp_path / "artifacts", tmp_path / "old")
        later = tower.watch(as_of=None)
        shutil.rmtree(tmp_path / "artifacts")
        shutil.copytree(tmp_path / "old", tmp_path / "artifacts")
        with pytest.raises(BrokenChain, match="0 records that fit of the"):
            verify(open_archive(tower.settings.artifacts), tower.ledger, later.run_id)
        assert command("replay", later.run_id) == 7
        assert apart(tower.settings).nothing, "the ledger is not behind"
        one = everybody(tower)[0]
        tower.rule(one)
        sweep_approvals()
        tower.work()
        assert standings(tower, [one]) == ["done"]
        assert not tower.watch(as_of=None).dry_run
