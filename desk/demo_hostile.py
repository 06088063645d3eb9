"""`tower demo --hostile`: the same hands on a store that lies, and what its own book says afterwards."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from control_tower.errors import TowerError
from control_tower.ledger import Ledger
from control_tower.ledger.effects import alarms, find_effect
from control_tower.nouns import EffectState, Proposal
from control_tower.settings import Settings, settings
from control_tower.stores import open_store
from control_tower.stores.hostile import HARMFUL_BY_ITSELF, HostileStore
from control_tower.stores.shop import EmbeddedShop
from desk.rule import rule_on_many, wake_all
from desk.show import table
from tasks.settle_effects import settle_open

SEED = "11"
ROUNDS = 4


class HostileDemoFailed(TowerError):
    """Money moved other than it was said to."""


def act_on_a_store_that_lies(ledger: Ledger, refunds: Sequence[Proposal], name: str, token: str) -> None:
    """Approve refunds while the shop loses requests and replies, lies and doubles; show what came of each.

    Raises:
        HostileDemoFailed: the book of the shop and the ledger disagree.
    """
    os.environ["TOWER_HOSTILE"] = SEED
    logging.disable(
        logging.CRITICAL
    )  # every outcome that is unknown fails its run, and the table tells what came of it
    try:
        handles = [each.digest for each in refunds]
        rule_on_many(handles, "approve", name, token, "paid, cancelled", reason_code="", json=False)
        for _ in range(ROUNDS):  # as the sweeps do every few minutes
            settle_open()
            open_ = [each.digest for each in refunds if _state(ledger, each) not in SETTLED]
            if not open_:
                break
            wake_all(open_)
        _show(settings(), ledger, refunds)
    finally:
        logging.disable(logging.NOTSET)
        del os.environ["TOWER_HOSTILE"]


SETTLED = (EffectState.confirmed, EffectState.refused)


def _state(ledger: Ledger, proposal: Proposal) -> EffectState | None:
    effect = find_effect(ledger, proposal.digest)
    return effect.state if effect else None


def _show(tower: Settings, ledger: Ledger, refunds: Sequence[Proposal]) -> None:
    store, shop = open_store("shop", tower), EmbeddedShop(tower.shop)
    assert isinstance(store, HostileStore)  # noqa: S101 - TOWER_HOSTILE is set above
    told = dict(alarms(ledger))
    rows, wrong = [], []
    for each in refunds:
        did = [malice for key, malice in store.calls if key == each.digest]
        times = len(shop.effects(each.digest, each.order_id))
        state = _state(ledger, each)
        rows.append((each.order_id, each.money, ", then ".join(did) or "-", state, times, told.get(each.digest, "")))
        doubled = any(malice in HARMFUL_BY_ITSELF for malice in did) and each.digest in told
        known = (times == 1) if state is EffectState.confirmed else (times == 0)
        if not (known or doubled or state is EffectState.unknown):
            wrong.append(each.order_id)
    columns = ("order", "approved", "what the store did", "the ledger says", "times in the shop's book", "alarm")
    table("A store that lies", columns, rows)
    if wrong:
        raise HostileDemoFailed(f"the shop's book and the ledger disagree on {', '.join(wrong)}")
