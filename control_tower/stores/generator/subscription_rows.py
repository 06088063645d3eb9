"""From subscriptions to the canonical tables: subscriptions and invoices."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from control_tower.stores.generator.clock import NEVER, Generator, Moments, Numbers, span
from control_tower.stores.generator.columns import customer_ids, joined, named
from control_tower.stores.generator.rows import Rows
from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.subscribed import (
    CODES,
    COUNTRIES,
    METHODS,
    NO_CODE,
    NOTHING,
    PERIOD,
    PLAN_AMOUNTS,
    PLANS,
    STATUSES,
)
from control_tower.stores.generator.subscription_plants import SubscriptionScene, plant_subscriptions
from control_tower.stores.generator.truth import SUBSCRIPTION_KINDS, Rates

KEPT = 4
"""So many of the last invoices of each subscription are on file, and the next where it is made already."""
MADE_BEFORE = span(72.0)
"""The next invoice is made so long before it is due."""


def add_subscriptions(
    tables: dict[str, pa.Table], sold: Scene, written: Rows, rates: Rates, chance: Generator
) -> dict[str, tuple[str, ...]]:
    """Add the tables of subscriptions to a shop's; no other table is touched.

    Returns:
        Kind -> ids of the subscriptions that it holds for.
    """
    scene = SubscriptionScene(sold, written, chance)
    plant_subscriptions(scene, rates)
    first = 10 ** max(5, len(str(len(scene.rows)))) + 1
    ids = joined("S", pa.array(np.arange(first, first + len(scene.rows))).cast(pa.string()))
    tables["subscriptions"] = _subscriptions(scene, written, ids)
    tables["invoices"] = _invoices(scene, written, ids)
    return {
        kind: tuple(ids.filter(pa.array(scene.holds[:, at])).to_pylist()) for at, kind in enumerate(SUBSCRIPTION_KINDS)
    }


def _subscriptions(scene: SubscriptionScene, written: Rows, ids: pa.Array) -> pa.Table:
    rows = scene.rows
    ends = ~np.isnat(rows.cancelled)
    named_order = pa.array(np.where(rows.next_order >= 0, rows.next_order, 0), mask=rows.next_order < 0)
    return written.table(
        "subscriptions",
        {
            "subscription_id": ids,
            "customer_id": customer_ids(rows.customer),
            "status": named(STATUSES, rows.status),
            "plan": named(PLANS, rows.plan),
            "amount": PLAN_AMOUNTS[rows.plan],
            "currency": written.currency,
            "started_at": rows.started,
            "cancelled_at": rows.cancelled,
            "next_charge_at": np.where(ends, NEVER, rows.next_charge),
            "next_ship_at": rows.next_ship,
            "next_order_id": written.ids.take(named_order),
            "method_kind": named(METHODS, rows.method),
            "method_expires_at": rows.expires,
            "method_country": named(COUNTRIES, rows.country, rows.method == NOTHING),
        },
    )


def _invoices(scene: SubscriptionScene, written: Rows, ids: pa.Array) -> pa.Table:
    """The last few of each, oldest first; the last may be unpaid, and the next made and not tried yet."""
    rows, chance = scene.rows, scene.chance
    kept = np.minimum(rows.periods, KEPT)
    coming = rows.running & (rows.next_charge - MADE_BEFORE < scene.clock.now) & (rows.code == NO_CODE)
    count = kept + coming
    of = np.repeat(np.arange(len(rows)), count)
    number = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)  # 0 is the oldest
    back = kept[of] - number  # 1 is the last that was charged, 0 the next
    due: Moments = rows.next_charge[of] - back * PERIOD
    is_last, is_next = back == 1, back == 0
    unpaid = is_last & (rows.code[of] != NO_CODE)
    retried = np.where((back >= 2) & (chance.random(len(of)) < 0.12), chance.integers(2, 4, len(of)), 1)
    attempts = np.select([is_next, unpaid], [0, rows.attempts[of]], retried)
    tried = due + span(1.0) + (attempts - 1) * span(60.0)
    last = np.select([is_next, unpaid], [NEVER, rows.last_attempt[of]], tried)
    early = is_last & rows.paid_too_early[of]
    paid = np.select([is_next | unpaid, early], [NEVER, due - span(2.0)], tried + span(0.05))
    taken = pa.array(of)
    return written.table(
        "invoices",
        {
            "invoice_id": joined("N", ids.take(taken), "-", named(np.array(list("123456789")), number)),
            "subscription_id": ids.take(taken),
            "amount": PLAN_AMOUNTS[rows.plan[of]],
            "currency": written.currency,
            "created_at": np.where(is_next, due - MADE_BEFORE, due),
            "due_at": due + span(1.0),
            "paid_at": paid,
            "attempts": attempts,
            "last_attempt_at": last,
            "next_attempt_at": np.where(unpaid, rows.next_attempt[of], NEVER),
            "decline_code": named(CODES, np.maximum(_codes(rows.code, of, unpaid), 0), ~unpaid),
            "status": named(np.array(["open", "paid"]), (~(is_next | unpaid)).astype(int)),
        },
    )


def _codes(code: Numbers, of: Numbers, unpaid: Numbers) -> Numbers:
    return np.where(unpaid, code[of], NO_CODE)
