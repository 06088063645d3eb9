"""The twenty rules of `twenty.yaml` as one would write them by hand in Polars: facts in Parquet, findings out.

Polars' own three-valued logic carries what is missing; a severity that may apply applies. Prints seconds and
peak memory as JSON. Usage: python bench/policies_by_hand.py FACTS FINDINGS ROUNDS
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

import polars as pl

c = pl.col
Severity = list[tuple[pl.Expr, str]]


def rules() -> list[tuple[str, pl.Expr, Severity, str, int]]:
    """Kind, condition, conditional severities (all sev1), the severity otherwise, and score."""
    open_ = ~c("cancelled")
    said: list[tuple[str, pl.Expr, list[pl.Expr]]] = [
        ("stuck", c("paid") & open_ & ~c("shipped") & (c("hours_past_promise") > 12), [c("hours_past_promise") > 72]),
        ("unpaid", ~c("paid") & open_ & (c("hours_since_placed") > 48), []),
        (
            "lost",
            c("shipped") & ~c("delivered") & open_ & (c("hours_past_promise") > 7 * 24),
            [c("amount") > 20000],
        ),
        (
            "silent",
            c("shipped")
            & ~c("delivered")
            & ((c("days_silent") > 5) | ((c("days_silent") > 2) & (c("service") == "express"))),
            [c("days_silent") > 10],
        ),
        ("refund_due", c("cancelled") & ~c("shipped") & (c("refunded_amount") < c("paid_amount")), []),
        ("over_refunded", c("refunded_amount") > c("paid_amount"), [c("refunded_amount") > 2 * c("paid_amount")]),
        ("underpaid", c("paid") & (c("paid_amount") < c("amount")) & open_, []),
        ("overpaid", c("paid_amount") > c("amount"), []),
        ("cancelled_in_transit", c("cancelled") & c("shipped") & ~c("delivered"), []),
        ("shipped_on_hold", c("on_hold") & c("shipped"), [~c("delivered")]),
        ("held_long", c("on_hold") & open_ & (c("hours_since_placed") > 96), []),
        ("risky", (c("risk") >= 0.95) & ~c("shipped") & open_, [c("amount") > 30000, c("orders_before") == 0]),
        ("risky_newcomer", (c("orders_before") == 0) & (c("risk") >= 0.8) & (c("amount") > 25000), []),
        ("sanctioned", c("country").is_in(["XA", "XB", "XC"]) & open_, []),
        ("heavy_express", (c("weight") > 30) & (c("service") == "express"), [c("weight") > 60]),
        ("wrong_carrier", (c("carrier") == "bike") & ((c("weight") > 20) | (c("country") != "DE")), []),
        ("bulk", (c("items") > 40) & c("channel").is_in(["web", "app"]), [c("items") > 80]),
        (
            "many_returns",
            # a share of no orders is no number
            (c("orders_before") >= 5)
            & (pl.when(c("orders_before") != 0).then(c("returns_before") / c("orders_before")) > 0.6),
            [],
        ),
        ("gift_refund", c("gift") & (c("refunded_amount") > 0) & open_, []),
        (
            "contradiction",
            ((c("status") == "open") & c("delivered"))
            | ((c("status") == "delivered") & ~c("shipped"))
            | (c("delivered") & (c("scans") == 0)),
            [c("amount") > 20000],
        ),
    ]
    return [
        (kind, when, [(worse, "sev1") for worse in severity], ("sev3", "sev2")[number % 2], 10 + number)
        for number, (kind, when, severity) in enumerate(said)
    ]


def find(facts: Path) -> pl.DataFrame:
    """Every rule's yes and unknown answers, sorted by subject and kind."""
    parts = []
    scanned = pl.scan_parquet(facts)
    for kind, when, worse, otherwise, score in rules():
        severity = pl.lit(otherwise)
        for condition, level in worse:
            severity = pl.when(condition.fill_null(True)).then(pl.lit(level)).otherwise(severity)
        answer = pl.when(when).then(pl.lit("yes")).otherwise(pl.lit("unknown"))
        parts.append(
            scanned.filter(when.fill_null(True)).select(
                c("order_id").alias("subject"),
                pl.lit(kind).alias("kind"),
                answer.alias("answer"),
                severity.alias("severity"),
                pl.lit(score, dtype=pl.Int64).alias("score"),
            )
        )
    return pl.concat(parts).sort("subject", "kind").collect()


def keep(found: pl.DataFrame, to: Path) -> str:
    """Write the findings as the lane keeps its own, zstd at level 1, and hash the file."""
    found.write_parquet(to, compression="zstd", compression_level=1)
    return hashlib.file_digest(to.open("rb"), "sha256").hexdigest()


def main() -> None:
    """Time it, best of a few rounds."""
    facts, to, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        found = find(facts)
        judged = time.perf_counter()
        keep(found, to)
        times.append((time.perf_counter() - began, judged - began))
    seconds, judging = min(times)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": seconds, "judging": judging, "findings": len(found), "peak_gb": peak}))


if __name__ == "__main__":
    main()
