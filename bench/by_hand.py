"""The fulfilment lane as one would write it by hand in Polars, for comparison: no contracts, nothing kept.

Prints the case keys' digest and count as JSON. Usage: python bench/by_hand.py FOLDER AS_OF
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import holidays
import numpy as np
import polars as pl

ZONE = "Europe/Berlin"


def open_days(as_of: datetime) -> pl.DataFrame:
    """Open days up to and including each day, for one year back."""
    last = as_of.astimezone().date() + timedelta(days=2)
    days = [last - timedelta(days=n) for n in range(800, -1, -1)]
    closed = holidays.country_holidays("DE", years=range(days[0].year, last.year + 1))
    is_open = np.array([day.weekday() < 5 and day not in closed for day in days])
    return pl.DataFrame({"day": days, "ordinal": np.cumsum(is_open)}).cast({"day": pl.Date})


def local_day(column: str) -> pl.Expr:
    """The calendar day of a moment in the shop's time zone."""
    return pl.col(column).dt.convert_time_zone(ZONE).dt.date()


def find(folder: Path, as_of: datetime) -> list[str]:
    """The pivots of every case: order:ID, or pickup:CARRIER/DAY/WAREHOUSE."""
    now = pl.lit(as_of)

    def table(name: str) -> pl.LazyFrame:
        return pl.scan_parquet(folder / f"{name}.parquet")

    def seen(column: str) -> pl.Expr:
        return pl.when(pl.col(column) <= now).then(pl.col(column)).alias(column)

    today: date = as_of.astimezone(__import__("zoneinfo").ZoneInfo(ZONE)).date()
    calendar = open_days(as_of)
    today_ordinal = int(calendar.filter(pl.col("day") == today)["ordinal"][0])
    orders = (
        table("orders")
        .filter(pl.col("placed_at") <= now)
        .select("order_id", "status", "placed_at", seen("approved_at"), seen("cancelled_at"))
        .with_columns(
            cancelled=pl.col("status").is_in(["cancelled", "unavailable"]) & pl.col("cancelled_at").is_not_null()
        )
    )
    promised = (
        table("promises")
        .group_by("order_id")
        .agg(
            ship_by=pl.col("due_at").filter(pl.col("kind") == "ship_by").min(),
            deliver_by=pl.col("due_at").filter(pl.col("kind") == "deliver_by").min(),
        )
    )
    paid = table("payments").group_by("order_id").agg(paid=pl.col("amount").sum())
    refunded = (
        table("refunds").filter(pl.col("refunded_at") <= now).group_by("order_id").agg(refunded=pl.col("amount").sum())
    )
    code, at = pl.col("code"), pl.col("occurred_at")
    scans = (
        table("shipment_events")
        .filter(at <= now)
        .group_by("fulfillment_id")
        .agg(
            first_scan=at.filter(~code.is_in(["pre_transit", "unknown"])).min(),
            last_scan=at.max(),
            delivered_scan=at.filter(code == "delivered").min(),
            moving_scan=at.filter(code.is_in(["pre_transit", "in_transit", "out_for_delivery"])).max(),
        )
    )
    parcels = (
        table("fulfillments")
        .filter(pl.col("status") != "cancelled")
        .with_columns(seen("label_created_at"), seen("handed_over_at"), seen("delivered_at"))
        .join(scans, on="fulfillment_id", how="left")
        .sort("label_created_at", "fulfillment_id")
        .group_by("order_id", maintain_order=False)
        .agg(
            handed_over=pl.col("handed_over_at").min(),
            delivered=pl.coalesce("delivered_at", "delivered_scan").max(),
            said=(pl.col("status") == "delivered").any(),
            undated=((pl.col("status") == "delivered") & pl.col("delivered_at").is_null()).any(),
            unhanded=(pl.col("delivered_at").is_not_null() & pl.col("handed_over_at").is_null()).any(),
            backwards=(pl.col("delivered_at") < pl.col("handed_over_at")).any(),
            disordered=(pl.col("moving_scan") > pl.col("delivered_scan")).any(),
            carrier=pl.col("carrier").last(),
            service=pl.col("service").last(),
            warehouse=pl.col("warehouse_id").last(),
            label=pl.col("label_created_at").last(),
            parcel_handed=pl.col("handed_over_at").last(),
            first_scan=pl.col("first_scan").last(),
            last_scan=pl.col("last_scan").last(),
        )
    )
    held = (
        table("holds")
        .filter(pl.col("placed_at") <= now)
        .select("order_id", hold_at="placed_at", released=seen("released_at"))
        .join(parcels.select("order_id", "handed_over"), on="order_id")
        .group_by("order_id")
        .agg(
            shipped_on_hold=(
                (pl.col("hold_at") <= pl.col("handed_over"))
                & (pl.col("released").is_null() | (pl.col("released") > pl.col("handed_over")))
            ).any()
        )
    )
    facts = orders
    for part in (promised, paid, refunded, parcels, held):
        facts = facts.join(part, on="order_id", how="left")
    for column in ("label", "last_scan"):
        facts = (
            facts.with_columns(day=local_day(column))
            .join(calendar.lazy().rename({"ordinal": f"{column}_ordinal"}), on="day", how="left")
            .drop("day")
        )
    handed, gone = pl.col("handed_over").is_not_null(), pl.col("cancelled")
    arrived = pl.col("delivered").is_not_null() | pl.col("said").fill_null(False)
    approved = pl.col("approved_at").is_not_null()
    unscanned = (
        pl.col("label").is_not_null() & pl.col("first_scan").is_null() & (today_ordinal - pl.col("label_ordinal") > 2)
    )
    allowed = pl.col("service").replace_strict(
        {"express": 2, "standard": 5, "economy": 7}, default=None, return_dtype=pl.Int64
    )
    quiet = pl.col("first_scan").is_not_null() & (today_ordinal - pl.col("last_scan_ordinal") > allowed)
    late_day = local_day("delivered") > pl.col("deliver_by").dt.offset_by("-1us").dt.convert_time_zone(ZONE).dt.date()
    flags = (
        facts.select(
            "order_id",
            "carrier",
            "warehouse",
            label_day=local_day("label"),
            labelled=pl.col("label").is_not_null(),
            stuck=approved & ~gone & ~handed & ~arrived & (pl.col("ship_by") < now),
            unpaid=~approved & ~gone & (now - pl.col("placed_at") > timedelta(hours=48)),
            lost=pl.col("parcel_handed").is_not_null()
            & ~gone
            & ~arrived
            & (pl.col("deliver_by") <= now)
            & (now - pl.col("parcel_handed") > timedelta(days=4)),
            unscanned=unscanned & ~gone & ~arrived,
            quiet=quiet & ~gone & ~arrived,
            late=pl.col("delivered").is_not_null() & ~gone & late_day,
            refund=approved & gone & ~handed & (pl.col("paid") - pl.col("refunded").fill_null(0) > 0),
            stopped=gone & handed,
            contradiction=pl.any_horizontal(
                "undated",
                "unhanded",
                "backwards",
                "disordered",
                "shipped_on_hold",
                pl.col("handed_over") < pl.col("approved_at"),
                pl.col("handed_over") < pl.col("placed_at"),
            ),
        )
        .fill_null(False)
        .collect(engine="streaming")
    )
    groups = (
        flags.filter("labelled")
        .group_by("carrier", "label_day", "warehouse")
        .agg(n=pl.col("unscanned").sum(), share=pl.col("unscanned").mean())
        .filter((pl.col("n") >= 5) & (pl.col("share") >= 0.8))
        .with_columns(missed=pl.format("pickup:{}/{}/{}", "carrier", "label_day", "warehouse"))
    )
    kinds = ["stuck", "unpaid", "lost", "unscanned", "quiet", "late", "refund", "stopped", "contradiction"]
    cases = (
        flags.filter(pl.any_horizontal(kinds))
        .join(groups, on=["carrier", "label_day", "warehouse"], how="left")
        .select(
            pivot=pl.when(pl.col("unscanned") & pl.col("missed").is_not_null())
            .then(pl.col("missed"))
            .otherwise(pl.format("order:{}", "order_id"))
        )
    )
    return sorted(cases["pivot"].unique().to_list())


if __name__ == "__main__":
    began = time.perf_counter()
    pivots = find(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]).astimezone(UTC))
    print(
        json.dumps(
            {
                "cases": len(pivots),
                "digest": hashlib.sha256("\n".join(pivots).encode()).hexdigest(),
                "seconds": time.perf_counter() - began,
                "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            }
        )
    )
