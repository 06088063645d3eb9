"""`tower demo`: the whole house in a minute: a shop, its exceptions, two rulings, one refund."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from control_tower.errors import SettingError, TowerError
from control_tower.keeping.records import runs, verify
from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.proposals import waiting_proposals
from control_tower.nouns import NO_SHOP, Action, Proposal
from control_tower.settings import Settings, settings
from desk.cases import show_effects, show_queue
from desk.rule import rule_on
from desk.run import run_lane
from desk.show import out

MARK = ".demo"
LIES = 10
"""So many refunds are approved at a store that lies."""


class DemoFailed(TowerError):
    """The demo did not show what it exists to show."""


def run_demo(orders: int, home: Path | None, *, hostile: bool = False) -> None:
    """Fill a shop, run the lane, approve one refund, reject one reship, prove the money moved once.

    Raises:
        DemoFailed: something did not come out as promised; says what.
    """
    began = time.monotonic()
    tower = _fresh(home or settings().home / "demo")
    from control_tower.server import running_server, use
    from control_tower.stores.generator import generate

    use(tower)
    _say(f"1. A shop of {orders:,} orders in {tower.folder}, with exceptions planted from a seed")
    truth = generate(tower.shop, orders=orders, seed=7, as_of=datetime.now(UTC).replace(microsecond=0))
    with running_server(tower) as server:
        _say("2. The lane: gather, validate, detect, judge, score, propose, ask")
        run_lane("fulfilment", "shop", None, None, dry_run=False, json=False)
        ledger = open_ledger(tower.ledger)
        _say("3. The queue")
        show_queue(8, json=False, shop=NO_SHOP)
        refund, reship = _first(ledger, Action.refund), _first(ledger, Action.reship)
        token = enrol(ledger, "demo approver", datetime.now(UTC)).token
        _say(f"4. Approve the refund {refund.id}: {refund.money} for order {refund.order_id}")
        rule_on(refund.id, "approve", "demo approver", token, "paid, cancelled, never handed over", json=False)
        _say(f"5. Reject the reship {reship.id} of order {reship.order_id}")
        rule_on(reship.id, "reject", "demo approver", token, "the carrier has found the parcel", json=False)
        show_effects(json=False, shop=NO_SHOP)
        _prove(tower, refund, reship)
        if hostile:
            from desk.demo_hostile import act_on_a_store_that_lies

            waiting = [each for each in _waiting(ledger) if each.action is Action.refund][:LIES]
            _say(f"Approve {len(waiting)} refunds more, at a store that loses, lies and doubles")
            act_on_a_store_that_lies(ledger, waiting, "demo approver", token)
        _say("6. What was kept, and where")
        _kept(tower, ledger)
        out.print(f"Prefect's own view, while `tower up` runs: {server.ui}", markup=False)
    planted = len(truth.pairs)
    out.print(
        f"\n{planted} exceptions were planted; the demo took {time.monotonic() - began:.0f} s."
        f" It is all in {tower.folder}"
    )


def _fresh(home: Path) -> Settings:
    """An empty folder for the demo; one that is not the demo's own is never emptied."""
    home = home.expanduser().resolve()
    if home.exists() and any(home.iterdir()) and not (home / MARK).exists():
        raise SettingError("is not empty, and is not a demo's", where=str(home), remedy="choose another --home")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / MARK).touch()
    os.environ["TOWER_HOME"] = str(home)
    for name in ("TOWER_LEDGER_URL", "TOWER_SHOP_URL", "TOWER_ARTIFACTS_URL"):
        os.environ.pop(name, None)  # a demo never touches a real ledger
    return settings()


def _waiting(ledger: Ledger) -> list[Proposal]:
    return [Proposal.model_validate(row.body) for row in waiting_proposals(ledger)]


def _first(ledger: Ledger, action: Action) -> Proposal:
    for proposal in _waiting(ledger):
        if proposal.action is action:
            return proposal
    raise DemoFailed(f"no {action} was proposed", remedy="use more --orders")


def _prove(tower: Settings, refund: Proposal, reship: Proposal) -> None:
    """Read the shop's own book: one refund of the approved amount, no reship."""
    from control_tower.stores.shop import EmbeddedShop

    shop = EmbeddedShop(tower.shop)
    paid, sent = shop.find(refund.digest), shop.find(reship.digest)
    if paid is None or paid.money != refund.money or sent is not None:
        raise DemoFailed(f"the shop recorded {paid} for the refund and {sent} for the rejected reship")
    _say(f"The shop's own book: {paid.money} went back once, as {paid.reference}; the rejected reship left no trace")


def _kept(tower: Settings, ledger: Ledger) -> None:
    archive = open_archive(tower.artifacts)
    for run in runs(ledger):
        walked = verify(archive, ledger, run)
        out.print(f"run {run}: {walked.records} records, {walked.files} files, chain verified", highlight=False)
        out.print(f"  {archive.root}/runs/{run}", highlight=False, soft_wrap=True)


def _say(text: str) -> None:
    out.print(f"\n{text}", style="bold", markup=False, highlight=False)
