"""The part of bench/rules.py that backtests: a year of kept looks at a million returns, decided again.

Twelve looks, one a month, each at the returns of its last two months, are kept as a run of the lane keeps them;
then all are decided again as if the return window had been 14 days and not 30. Keeping them is not timed.

Usage: python -P bench/a_year.py keep RETURNS, then decide FOLDER, with TOWER_HOME set to a folder for them
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import policies
from control_tower.keeping.records import append
from control_tower.keeping.step import open_archive
from control_tower.ledger import open_ledger
from control_tower.nouns import Shop
from control_tower.settings import settings
from policies.terms import Fact
from tasks.backtest import backtest

LAST = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LOOKS = 12
SHOP = Shop(id="shop", time_zone="Europe/Berlin", country="DE", currency="EUR")


def facts(policy: policies.Policy, rows: int, month: Any) -> pd.DataFrame:
    """Made-up returns, most of them ordinary; each fact is missing in 2 of 100."""
    random = np.random.default_rng(11)
    reasons = ("unwanted", "size_too_small", "size_too_large", "defective", "not_as_described", "style")

    def of(*several: str) -> Any:
        return np.array(several, dtype=object)[random.integers(0, len(several), rows)]

    requested = pd.Timestamp(LAST) - pd.to_timedelta((LOOKS - 1 - month) * 30 + random.random(rows) * 30, unit="D")
    held = random.exponential(12, rows)
    paid = random.integers(500, 30_000, rows)
    drawn: dict[str, Any] = {
        "currency": of("EUR", "EUR", "USD"),
        "sku": np.char.add("sku-", random.integers(0, 20_000, rows).astype(str)).astype(object),
        "order_id": np.char.add("o-", np.arange(rows).astype(str)).astype(object),
        "customer_id": np.char.add("c-", random.integers(0, rows // 2 + 1, rows).astype(str)).astype(object),
        "status": of("refunded", "refunded", "refunded", "inspected", "received", "requested"),
        "reason": of(*reasons),
        "condition": of("as_new", "as_new", "opened", "used"),
        "held_since": of("delivery"),
        "method_wanted": of("original", "original", "store_credit", "exchange"),
        "requested_at": requested,
        "requested_on": requested.normalize().tz_localize(None).astype("datetime64[s]"),
        "bought_on": (requested - pd.to_timedelta(held + 4, unit="D"))
        .normalize()
        .tz_localize(None)
        .astype("datetime64[s]"),
        "days_held": held,
        "final_sale": random.random(rows) < 0.05,
        "gift": random.random(rows) < 0.05,
        "received": random.random(rows) < 0.9,
        "inspected": random.random(rows) < 0.85,
        "refunded": random.random(rows) < 0.7,
        "first_refund_before_received": random.random(rows) < 0.01,
        "repeated_refund": random.random(rows) < 0.002,
        "business_days_since_received": random.exponential(1, rows),
        "business_days_since_inspected": random.exponential(1.5, rows),
        "hours_since_requested": random.exponential(200, rows),
        "paid_amount": paid,
        "order_refundable_amount": paid * 2,
        "refunded_amount": np.where(random.random(rows) < 0.7, paid, 0),
        "customer_orders": random.poisson(4, rows),
        "customer_returns_total": random.poisson(0.7, rows),
        "customer_return_share": random.random(rows) ** 4,
        "spike_q": np.ones(rows),
        "contradictions": (random.random(rows) < 0.003).astype(np.int64),
    }
    frame = pd.DataFrame({name: _column(fact, drawn.get(name), rows, random) for name, fact in policy.facts.items()})
    frame["return_id"] = pd.Series(np.char.add("r-", np.char.zfill(np.arange(rows).astype(str), 8)), dtype="str")
    return frame


def _column(fact: Fact, values: Any, rows: int, random: np.random.Generator) -> Any:
    """Drawn values, some of them missing; zeros, or nothing, where none were drawn."""
    kinds = {"boolean": "boolean", "integer": "Int64", "number": "Float64", "text": "str"}
    if values is None:
        nothing = np.full(rows, None, dtype=object)
        values = np.zeros(rows, dtype=np.int64) if fact.type in ("integer", "number") else nothing
    column = pd.Series(values).astype(kinds.get(fact.type, pd.Series(values).dtype))
    return column.mask(random.random(rows) < 0.02)


def keep_looks(rows: int) -> dict[str, Any]:
    """Keep twelve looks as runs of the lane would."""
    tower = settings()
    archive, ledger = open_archive(tower.artifacts), open_ledger(tower.ledger)
    policy = policies.load("returns", LAST)
    month = np.sort(np.random.default_rng(3).integers(0, LOOKS, rows))
    whole = facts(policy, rows, month)
    for look in range(LOOKS):
        as_of = LAST - timedelta(days=30 * (LOOKS - 1 - look))
        seen = archive.keep_frame("facts", whole[(month == look) | (month == look - 1)])
        accepted = {"shop": SHOP.model_dump(), "as_of": as_of.isoformat()}
        nothing = archive.keep_nouns([])
        given = {"accepted": archive.keep_nouns(accepted)}
        for step, inputs, outputs in (
            ("gather", {"orders": nothing}, {}),
            ("detect", given, {"result": ("frames", seen.digest, "parquet")}),
        ):
            content: dict[str, Any] = {"step": step, "task_run": "", "code": "bench", "error": ""}
            content |= {"inputs": inputs, "outputs": outputs, "versions": {"policy": policy.reference}}
            append(archive, ledger, f"look-{look:02}", content | {"started_at": as_of, "ended_at": as_of})
    return {"looks": LOOKS}


def decide(folder: Path) -> dict[str, Any]:
    """Decide what was kept again, as if the window had been 14 days."""
    shorter = folder / "return_policy.yaml"
    text = (Path(policies.__file__).parent / "return_policy.yaml").read_text()
    shorter.write_text(text.replace("{from: 2009-01-01, value: 30}", "{from: 2009-01-01, value: 14}", 1))
    began = time.perf_counter()
    (done,) = backtest(str(shorter), datetime(2025, 1, 1, tzinfo=UTC), LAST, None, "")
    return {
        "seconds": time.perf_counter() - began,
        "looks": len(done.views),
        "kept": sum(view.kept for view in done.views),
        "subjects": done.flips.subjects,
        "changed": done.flips.changed,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


if __name__ == "__main__":
    told = keep_looks(int(sys.argv[2])) if sys.argv[1] == "keep" else decide(Path(sys.argv[2]))
    print(json.dumps(told))
