"""A warm parent that forks workers to be killed: everything is imported once, each child works alone.

Usage: nursery.py PLAN, a JSON list of [environment, what, boundary, moment]; prints each child's exit
as a JSON list. `what` is lane, work, rule or fan-out. The child dies by SIGKILL at its boundary: the number of the
record it keeps, `before` or `after` it is kept; or, by name, a point inside the act.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import great_expectations  # noqa: F401 - warmed up for every child
import scipy.stats  # noqa: F401 - and this

import data_contracts
import policies
import tasks.act as acting
from control_tower.keeping import step as keeping
from control_tower.ledger import open_ledger
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import find_proposal
from control_tower.ledger.rulings import rule
from control_tower.nouns import Verdict
from control_tower.pause import resume
from control_tower.settings import settings
from desk.deploy import deploy
from desk.worker import work
from flows.watch_fulfilment import LANE, watch_fulfilment
from tasks.authority import written_authority

ACTS = {"intend": "intend", "move": "move", "call": "_call"}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(function: Callable[..., Any], at: int, moment: str) -> Callable[..., Any]:
    """A function that kills its process at the n-th call, before or after doing its work."""
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and moment == "before":
            die()
        result = function(*args, **kwargs)
        if calls == at and moment == "after":
            die()
        return result

    return wrapped


def child(environment: dict[str, str], what: str, boundary: int | str, moment: str) -> None:
    os.environ.update(environment)
    if isinstance(boundary, int):
        keeping.append = dying(keeping.append, boundary, moment)
    elif boundary in ACTS:
        setattr(acting, ACTS[boundary], dying(getattr(acting, ACTS[boundary]), 1, moment))
    if what == "lane":
        watch_fulfilment(as_of=datetime.fromisoformat(os.environ["AS_OF"]))
    elif what == "rule":
        approve(os.environ["PROPOSAL"])
    else:
        names = ("fan-out", "watch-fulfilment") if what == "fan-out" else ("resolve-case",)
        flows = {each.id: each.flow for each in deploy(settings()) if each.id and each.flow.name in names}
        work(flows, settings(), once=True, lanes=2)


def approve(digest: str) -> None:
    """One approval by a person, and the wake-up."""
    ledger = open_ledger(settings().ledger)
    rule(
        ledger, digest, Verdict.approve,
        by=Token("ana", os.environ["TOKEN"]), authority=written_authority(""), reason="", via="command",
        now=datetime.now(UTC),
    )  # fmt: skip
    resume(str(find_proposal(ledger, digest).flow_run_id))


def warm_up() -> None:
    """Read once what every child would read: the contracts and the policy."""
    for table in LANE.tables:
        data_contracts.load(table)
    policies.load("fulfilment", datetime.now(UTC))


def main() -> None:
    warm_up()
    exits = []
    for plan in json.loads(sys.argv[1]):
        pid = os.fork()
        if pid == 0:
            try:
                child(*plan)
            except BaseException as fault:  # noqa: BLE001 - a child tells, whatever it is
                print(f"{type(fault).__name__}: {fault}", file=sys.stderr)
                os._exit(1)
            os._exit(0)
        exits.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    print(json.dumps(exits))


if __name__ == "__main__":
    main()
