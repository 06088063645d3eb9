"""Two machines share addresses and a key, and nothing else: one is lost in a refund, and money moves once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from prefect.client.orchestration import get_client
from sqlalchemy import make_url

from control_tower.keeping.archive import Archive
from control_tower.keeping.records import runs, verify
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proposals import find_proposal, waiting_proposals
from control_tower.nouns import Action, EffectState, Proposal
from control_tower.pause.left_behind import CASE, start_again_what_is_left_behind
from control_tower.server import use
from control_tower.settings import Settings, settings
from control_tower.stores.generator import generate
from desk.deploy import deploy
from desk.doctor.book import ledger as doctor_of_ledger
from tests.faults.test_killed import AS_OF, KILLED, refunded, workers
from tests.postgres import new_database

HOLD = """
import sys
from control_tower.server import running_server
from control_tower.settings import settings
with running_server(settings(), port=0) as server:
    print(server.api, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def prefect_on_postgres(postgres: str, tmp_path: Path) -> Iterator[str]:
    """The address of a Prefect server whose database is PostgreSQL, on a machine of its own."""
    database = make_url(new_database(postgres)).set(drivername="postgresql+asyncpg")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TOWER_"))}
    environment |= {
        "TOWER_HOME": str(tmp_path / "central"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database.render_as_string(hide_password=False),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address, "the server did not start"
        yield address
    finally:
        process.communicate(timeout=60)


@pytest.mark.large
@pytest.mark.timeout(900)
def test_a_machine_lost_in_the_middle_of_a_refund_costs_nothing_twice(
    prefect_on_postgres: str, postgres: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop.db"  # the store: both machines reach it, and it is neither's
    generate(shop, orders=300, seed=17, as_of=AS_OF)
    shared = {
        "PREFECT_API_URL": prefect_on_postgres,
        "TOWER_LEDGER_URL": new_database(postgres),
        "TOWER_ARTIFACTS_URL": bucket,
        "TOWER_SHOP_URL": f"sqlite:///{shop}",
        "TOWER_APPROVER_KEY": Fernet.generate_key().decode(),
        "AS_OF": AS_OF.isoformat(),
    }
    here, lost = ({**shared, "TOWER_HOME": str(tmp_path / name)} for name in ("here", "lost"))
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    use(settings())
    try:
        deploy(settings())
        assert workers((here, "lane", 0, "")) == [0]
        ledger = Ledger(shared["TOWER_LEDGER_URL"])
        waiting = [Proposal.model_validate(row.body) for row in waiting_proposals(ledger)]
        proposal = next(each for each in waiting if each.action is Action.refund)
        before = refunded(shop, proposal.order_id)
        token = enrol(ledger, "ana", datetime.now(UTC)).token
        asked = here | {"PROPOSAL": proposal.digest, "TOKEN": token}
        # The other machine takes the run, the money moves, and the machine is gone with its folder.
        plan = ((asked, "rule", 0, ""), (lost, "work", "call", "after"), (here, "work", 0, ""))
        assert workers(*plan) == [0, KILLED, 0]
        run = UUID(str(find_proposal(ledger, proposal.digest).flow_run_id))
        with get_client(sync_client=True) as client:
            assert client.read_flow_run(run).state_name == "Running", "it is not this machine's to put right"
        assert start_again_what_is_left_behind(datetime.now(UTC)) == [], "it may be under way"
        assert start_again_what_is_left_behind(datetime.now(UTC) + CASE + timedelta(minutes=1)) == [str(run)]
        assert workers((here, "work", 0, "")) == [0]

        assert proposal.money
        assert sorted(refunded(shop, proposal.order_id)) == sorted([*before, proposal.money.amount]), "once"
        effect = find_effect(ledger, proposal.digest)
        assert effect and effect.state is EffectState.confirmed
        assert find_proposal(ledger, proposal.digest).standing == "done"
        archive = Archive(bucket)
        assert [verify(archive, ledger, each).records for each in runs(ledger)]
    finally:
        monkeypatch.undo()
        use(settings())


def test_the_doctor_says_when_this_machine_has_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("TOWER_LEDGER_URL", book)
    monkeypatch.setenv("TOWER_APPROVER_KEY", Fernet.generate_key().decode())

    def key(home: str) -> tuple[str, str]:
        monkeypatch.setenv("TOWER_HOME", str(tmp_path / home))
        return next((found.found, found.remedy) for found in doctor_of_ledger(settings()) if found.part == "key")

    enrol(Ledger(book), "ana", datetime.now(UTC))
    assert key("first") == ("is the one that the ledger was last written with", "")
    monkeypatch.setenv("TOWER_APPROVER_KEY", Fernet.generate_key().decode())
    told, remedy = key("second")
    assert told == "is not that of whoever wrote last" and "TOWER_APPROVER_KEY" in remedy
    monkeypatch.delenv("TOWER_APPROVER_KEY")
    told, remedy = key("third")
    assert told.startswith("this machine has none") and "TOWER_APPROVER_KEY" in remedy
    assert not (Settings().folder / "approvers.key").exists(), "the doctor makes none"
