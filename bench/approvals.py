"""Approvals at rest and in motion: opening, waiting, ruling and acting, beside Prefect's own ways in the same run.

    python bench/approvals.py [--pending 10000] [--at-once 1 10 100] [--stock 5]

Everything happens on one loopback server that is started for it. Read the ratios: seconds differ from
machine to machine. "bare" is one create-flow-run call each, at the concurrency at which opening works;
"stock" is Prefect's own `suspend_flow_run(wait_for_input=...)`, whose run must start before it can wait.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CONCURRENT = 8


def fill_ledger(pending: int) -> list[Any]:
    """So many waiting refunds in the book, ten to a case; their proposals."""
    from control_tower.ledger import open_ledger
    from control_tower.ledger.proposals import record_proposals
    from control_tower.ledger.tables import CaseRow
    from control_tower.nouns import Action, Money, Proposal, digest_of
    from control_tower.settings import settings

    ledger, now = open_ledger(settings().ledger), datetime.now(UTC)
    seed = int(time.time())
    made = [
        Proposal(
            case_id=f"case-{number // 10}", lane="fulfilment", shop="bench", source="shop", action=Action.refund,
            order_id=f"{seed}-{number}", subject=f"{seed}-{number}", target=f"{seed}-{number}",
            money=Money(amount=1000 + number, currency="EUR"), rests_on={}, evidence=digest_of({}),
            policy="fulfilment@1", reason="bench", as_of=None,
        )
        for number in range(pending)
    ]  # fmt: skip
    with ledger.write() as session:
        for case in dict.fromkeys(one.case_id for one in made):
            session.add(
                CaseRow(
                    id=case, lane="fulfilment", shop="bench", pivot=f"order:{case}", title=case, standing="open",
                    material="", severity="sev2", team="payments", owner="", priority=1.0, due_at=now, opened_at=now,
                    seen_as_of=now, body={},
                )
            )  # fmt: skip
    record_proposals(ledger, [], made, now)
    return made


def opened(proposals: list[Any]) -> float:
    """Seconds to open a paused run for each."""
    from control_tower.ledger import open_ledger
    from control_tower.ledger.proposals import paused_as
    from control_tower.pause import PauseRequest, open_pauses
    from control_tower.settings import settings

    asked = [
        PauseRequest(
            proposal_id=one.digest, name=f"refund-{one.id}", description_markdown="### Refund?\n" + "evidence " * 60,
            parameters={"proposal": one.digest}, tags=["lane:fulfilment"], key=f"ruling-{one.id}",
        )
        for one in proposals
    ]  # fmt: skip
    began = time.perf_counter()
    runs = open_pauses(asked)
    seconds = time.perf_counter() - began
    paused_as(open_ledger(settings().ledger), runs)
    return seconds


def bare(number: int) -> float:
    """Seconds for so many create-flow-run calls, some at a time."""
    from prefect.client.orchestration import get_client

    async def create() -> None:
        turns = asyncio.Semaphore(CONCURRENT)
        async with get_client() as client:
            deployment = (await client.read_deployment_by_name("resolve-case/resolve-case")).id
            far = datetime.now(UTC) + timedelta(days=300)

            async def one(number: int) -> None:
                from prefect.states import Scheduled

                async with turns:
                    await client.create_flow_run_from_deployment(
                        deployment, parameters={"proposal": f"bare-{number}"}, state=Scheduled(scheduled_time=far)
                    )

            await asyncio.gather(*(one(number) for number in range(number)))

    began = time.perf_counter()
    asyncio.run(create())
    return time.perf_counter() - began


STOCK = """
import sys, time
from prefect import flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
class Answer(RunInput):
    approve: bool
@flow(name="stock-approval")
def stock_approval(n: int):
    suspend_flow_run(wait_for_input=Answer, timeout=3600, key=f"stock-{n}")
    return "acted"
if __name__ == "__main__":
    stock_approval.serve(name="stock")
"""


def stock(folder: Path, number: int) -> tuple[float, list[float]]:
    """Prefect's own way, served by its runner: seconds to have so many wait, and from each resume to the end."""
    from prefect.client.orchestration import get_client

    file = folder / "stock.py"
    file.write_text(STOCK)
    log = (folder / "stock.log").open("w")
    serving = subprocess.Popen([sys.executable, str(file)], stdout=log, stderr=log)
    try:
        with get_client(sync_client=True) as client:
            deployment = _until(lambda: _found(client), 60)
            began = time.perf_counter()
            runs = [client.create_flow_run_from_deployment(deployment, parameters={"n": n}).id for n in range(number)]
            _until(lambda: all(_state(client, run).is_paused() for run in runs) or None, 300)
            seconds = time.perf_counter() - began
            effects = []
            for run in runs:
                began = time.perf_counter()
                client.resume_flow_run(run, run_input={"approve": True})
                _until(lambda run=run: _state(client, run).is_completed() or None, 120)
                effects.append(time.perf_counter() - began)
            return seconds, effects
    finally:
        serving.terminate()
        serving.wait(20)


def _found(client: Any) -> Any:
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name("stock-approval/stock").id
    except ObjectNotFound:
        return None


def _state(client: Any, run: Any) -> Any:
    return client.read_flow_run(run).state


def _until(so: Any, seconds: float) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (found := so()) is not None:
            return found
        time.sleep(0.05)
    raise SystemExit("what was waited for did not come")


WORKER = """
import signal, sys, threading
from control_tower.server import use
from control_tower.settings import settings
from desk.deploy import deploy
from desk.worker import work
tower = settings()
use(tower)
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
flows = {each.id: each.flow for each in deploy(tower) if each.id and each.flow.name == "resolve-case"}
print("warm", flush=True)
work(flows, tower, stop=stop)
"""


@contextmanager
def warm_worker() -> Iterator[None]:
    """A worker in a process of its own, as `tower up` has one."""
    worker = subprocess.Popen([sys.executable, "-P", "-c", WORKER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert worker.stdout and worker.stdout.readline() == b"warm\n"
        yield
    finally:
        worker.terminate()
        worker.wait(120)


def ruled_and_acted(at_once: list[int]) -> Iterator[tuple[int, float, list[float]]]:
    """How many were ruled at once, seconds for the rulings, and from each to its effect in the embedded shop."""
    from control_tower.ledger import open_ledger
    from control_tower.ledger.approvers import enrol
    from control_tower.ledger.proofs import Token
    from control_tower.ledger.proposals import find_proposal, waiting_proposals
    from control_tower.ledger.rulings import rule
    from control_tower.nouns import Action, Proposal, Verdict
    from control_tower.pause import resume
    from control_tower.settings import settings
    from control_tower.stores.generator import Rates, generate
    from flows.watch_fulfilment import watch_fulfilment
    from tasks.authority import written_authority

    tower = settings()
    now = datetime.now(UTC).replace(microsecond=0)
    rounds = {number: 5 if number == 1 else 1 for number in at_once}  # the median of one would say little
    wanted = sum(number * rounds[number] for number in at_once) + 2
    generate(
        tower.shop, orders=max(2000, wanted * 12), seed=int(time.time()), as_of=now, frozen=False,
        rates=Rates(refund_due=0.1),
    )  # fmt: skip
    with contextlib.redirect_stderr(io.StringIO()):
        watch_fulfilment()
    ledger = open_ledger(tower.ledger)
    mine = (Proposal.model_validate(row.body) for row in waiting_proposals(ledger))
    waiting = iter([one for one in mine if one.action is Action.refund and one.shop != "bench" and one.money])
    authority = written_authority("")

    def say(proposal: Proposal, name: str, token: str) -> float:
        began = time.perf_counter()
        rule(
            ledger, proposal.digest, Verdict.approve, by=Token(name, token), authority=authority, reason="bench",
            via="command", now=datetime.now(UTC),
        )  # fmt: skip
        resume(str(find_proposal(ledger, proposal.digest).flow_run_id))
        return began

    def turn(number: int) -> tuple[float, list[float]]:
        asked = [next(waiting) for _ in range(number)]
        people = [f"person {proposal.digest[:12]}" for proposal in asked]
        tokens = [enrol(ledger, name, datetime.now(UTC)).token for name in people]
        began = time.perf_counter()
        with ThreadPoolExecutor(number) as together:
            saying = [together.submit(say, *each) for each in zip(asked, people, tokens, strict=True)]
            began_at = {one.digest: said.result() for one, said in zip(asked, saying, strict=True)}
        return time.perf_counter() - began, _seconds_to_effects(ledger, began_at)

    with warm_worker():
        turn(1)  # warms what is imported at first
        for number in at_once:
            turns = [turn(number) for _ in range(rounds[number])]
            yield number, statistics.mean(ruled for ruled, _ in turns), [each for _, all_ in turns for each in all_]


def _seconds_to_effects(ledger: Any, began_at: dict[str, float]) -> list[float]:
    """One pair of eyes for all of them: a hundred that look twenty times a second would be what is measured."""
    from sqlalchemy import select

    from control_tower.ledger.tables import EffectRow
    from control_tower.nouns import EffectState

    seen: dict[str, float] = {}
    until = time.monotonic() + 600
    while len(seen) < len(began_at):
        with ledger.read() as session:
            found = select(EffectRow.key).where(EffectRow.state == EffectState.confirmed.value)
            done = [key for key in session.scalars(found) if key in began_at and key not in seen]
        seen |= {key: time.perf_counter() - began_at[key] for key in done}
        if time.monotonic() > until:
            raise SystemExit(f"{len(began_at) - len(seen)} effects did not come")
        time.sleep(0.05)
    return list(seen.values())


def measured(given: argparse.Namespace, folder: Path) -> None:
    """Everything, on one server, printed."""
    from control_tower.server import running_server
    from control_tower.settings import settings
    from desk.cases import show_queue
    from desk.deploy import deploy

    tower = settings()
    with running_server(tower, port=0):
        deploy(tower)
        proposals = fill_ledger(given.pending)
        sample = min(500, max(50, given.pending // 10))
        first = bare(sample)
        seconds = opened(proposals)
        second = bare(sample)
        rate, plain = given.pending / seconds, 2 * sample / (first + second)
        print(f"opening {given.pending:,} paused runs: {rate:.1f} a second; bare create-flow-run: {plain:.1f} a second")
        print(f"  ratio to bare calls: {rate / plain:.2f}")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        out = os.dup(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        show_queue(20, json=False, shop="")
        sys.stdout.flush()
        os.dup2(out, 1)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
        print(f"tower queue with {given.pending:,} waiting: {time.perf_counter() - began:.2f} s, {grown:.0f} MB more")
        print("processes of ours while they wait: 0 (a run that waits is a row in two databases)")
        waits, effects = stock(folder, given.stock)
        theirs = given.stock / waits
        print(f"Prefect's own suspend: {theirs:.2f} a second come to wait; ours are {rate / theirs:.0f} times as fast")
        print(f"  from resume to the end: median {statistics.median(effects):.1f} s")
        for number, ruled, taken in ruled_and_acted(given.at_once):
            middle = statistics.median(taken)
            print(
                f"{number} at once: ruled in {ruled:.2f} s; from ruling to confirmed effect: median {middle:.2f} s,"
                f" last {max(taken):.2f} s ({number / max(taken):.1f} a second);"
                f" stock takes {statistics.median(effects) / middle:.1f} times the median"
            )


def main() -> None:
    """Measure in a tower of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pending", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--stock", type=int, default=5)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        measured(given, Path(os.environ["TOWER_HOME"]))
        return
    with tempfile.TemporaryDirectory(prefix="tower-bench-") as home:
        words = [str(word) for word in given.at_once]
        subprocess.run(
            [
                sys.executable, __file__, "--inside", "--pending", str(given.pending),
                "--stock", str(given.stock), "--at-once", *words,
            ],
            env=os.environ | {"TOWER_HOME": home, "PREFECT_LOGGING_LEVEL": "ERROR"}, check=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
