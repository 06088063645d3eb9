"""A worker killed at any moment, then started again: the same cases, one effect."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client

from control_tower.keeping.archive import Archive
from control_tower.keeping.records import runs, verify
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.cases import queue
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proposals import find_proposal, waiting_proposals
from control_tower.nouns import Action, EffectState, Proposal
from control_tower.server import Server
from control_tower.settings import settings
from control_tower.stores.generator import generate
from desk.deploy import deploy
from flows.watch_fulfilment import watch_fulfilment
from tests.thorough import own_seed

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LANE_STEPS = 13
KILLED = -signal.SIGKILL


def environment(folder: Path, shop: Path) -> dict[str, str]:
    return {
        "TOWER_LEDGER_URL": f"sqlite:///{folder / 'ledger.db'}",
        "TOWER_SHOP_URL": f"sqlite:///{shop}",
        "TOWER_ARTIFACTS_URL": (folder / "artifacts").as_uri(),
        "AS_OF": AS_OF.isoformat(),
    }


@contextmanager
def at_home(folder: Path, shop: Path) -> Iterator[dict[str, str]]:
    """This process's own environment is that of a worker, for as long as the block lasts."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        here = environment(folder, shop)
        for name, value in here.items():
            monkeypatch.setenv(name, value)
        yield here


def workers(*plan: tuple[dict[str, str], str, int | str, str]) -> list[int]:
    """Run workers one after the other; returns how each ended."""
    nursery = Path(__file__).parent / "nursery.py"
    done = subprocess.run(
        [sys.executable, str(nursery), json.dumps(plan)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    exits: list[int] = json.loads(done.stdout.splitlines()[-1])
    return exits


def book(folder: Path) -> tuple[Any, Any]:
    """The cases and the proposals of a ledger, as far as a rerun must repeat them."""
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    cases = {(row.id, row.material, row.standing) for row in queue(ledger)}
    return cases, {row.digest for row in waiting_proposals(ledger)}


@pytest.mark.large
def test_a_lane_killed_at_any_step_opens_the_same_cases_when_started_again(server: Server, tmp_path: Path) -> None:
    deploy(settings())
    shop = tmp_path / "shop.db"
    generate(shop, orders=250, seed=17, as_of=AS_OF)
    undisturbed, plan, disturbed = tmp_path / "undisturbed", [], {}
    for step in range(1, LANE_STEPS + 1):
        folder = disturbed[step] = tmp_path / f"killed-{step}"
        # Half before the record is kept, half after: either way the next run finds the house as it was left.
        plan.append((environment(folder, shop), "lane", step, "before" if step % 2 else "after"))
        plan.append((environment(folder, shop), "lane", 0, ""))
    for folder in (undisturbed, *disturbed.values()):
        folder.mkdir()
    with at_home(undisturbed, shop):
        watch_fulfilment(as_of=AS_OF)
    assert workers(*plan) == [KILLED, 0] * LANE_STEPS
    expected = book(undisturbed)
    assert len(expected[0]) > 5
    for folder in disturbed.values():
        assert book(folder) == expected
        ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        rows = waiting_proposals(ledger)
        assert len({row.flow_run_id for row in rows}) == len(rows), "one paused run for each proposal"
        archive = Archive((folder / "artifacts").as_uri())
        assert [verify(archive, ledger, run).records for run in runs(ledger)]


# Steps of a resumed run by the record that each keeps, and the moments inside the act itself.
BOUNDARIES: list[tuple[int | str, str]] = [
    (1, "after"), (2, "before"), (3, "after"), (4, "before"), (5, "after"),
    ("intend", "after"), ("move", "after"), ("call", "before"), ("call", "after"),
    (6, "before"), (6, "after"), (7, "before"), (7, "after"), (8, "after"),
]  # fmt: skip
INSIDE_THE_ACT: list[tuple[int | str, str]] = [("move", "after"), ("call", "after")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "boundaries", [INSIDE_THE_ACT, pytest.param(BOUNDARIES, marks=pytest.mark.large)], ids=["some", "all"]
)
def test_a_resumed_run_killed_anywhere_pays_once(
    server: Server, tmp_path: Path, boundaries: list[tuple[int | str, str]]
) -> None:
    deploy(settings())
    shop = tmp_path / "shop.db"
    generate(shop, orders=300 * len(boundaries) + 300, seed=own_seed(), as_of=AS_OF)
    with at_home(tmp_path, shop) as here:
        watch_fulfilment(as_of=AS_OF)
        ledger = Ledger(here["TOWER_LEDGER_URL"])
        token = enrol(ledger, "ana", datetime.now(UTC)).token
        rows = [Proposal.model_validate(row.body) for row in waiting_proposals(ledger)]
        refunds = [proposal for proposal in rows if proposal.action is Action.refund]
        assert len(refunds) >= len(boundaries)
        chosen = refunds[: len(boundaries)]
        before = {proposal.order_id: refunded(shop, proposal.order_id) for proposal in chosen}
        plan = []
        for proposal, (boundary, moment) in zip(chosen, boundaries, strict=True):
            asked = here | {"PROPOSAL": proposal.digest, "TOKEN": token}
            plan += [(asked, "rule", 0, ""), (here, "work", boundary, moment), (here, "work", 0, "")]
        assert workers(*plan) == [0, KILLED, 0] * len(boundaries)
        for proposal, killed in zip(chosen, boundaries, strict=True):
            assert proposal.money
            paid = refunded(shop, proposal.order_id)
            assert paid == sorted([*before[proposal.order_id], proposal.money.amount]), f"killed at {killed}"
            effect = find_effect(ledger, proposal.digest)
            assert effect and effect.state is EffectState.confirmed
            assert find_proposal(ledger, proposal.digest).standing == "done"
        with get_client(sync_client=True) as client:
            states = [
                client.read_flow_run(UUID(str(find_proposal(ledger, p.digest).flow_run_id))).state for p in chosen
            ]
        assert all(state and state.is_completed() for state in states)
        archive = Archive(here["TOWER_ARTIFACTS_URL"])
        assert all(verify(archive, ledger, run).records for run in runs(ledger))


def refunded(shop: Path, order: str) -> list[int]:
    """What the shop's own book says went back on an order."""
    with sqlite3.connect(shop) as own:
        rows = own.execute("SELECT amount FROM refunds WHERE order_id = ? ORDER BY amount", (order,))
        return [amount for (amount,) in rows]
