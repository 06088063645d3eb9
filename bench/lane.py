"""A million orders, from files to scored cases: this lane beside a Polars script written by hand.

Both read the same Parquet (orders, two lines an order, five scans an order) and must find the same
case keys. Then validation alone, beside the same rules written by hand in pandas. Read the ratios;
seconds differ from machine to machine.

    python bench/lane.py [--orders 1000000] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
HERE = Path(__file__).parent


def lane(folder: Path) -> dict[str, Any]:
    """Run the lane's own flow, dry, in this process; wall time of the flow alone, memory of all of it."""
    from control_tower.server import running_server
    from control_tower.settings import settings

    tower = settings()
    with running_server(tower, port=0):
        from control_tower.keeping.records import chain
        from control_tower.keeping.step import open_archive
        from flows.watch_fulfilment import watch_fulfilment

        began = time.perf_counter()
        report = watch_fulfilment(source=f"folder:{folder}", as_of=AS_OF, dry_run=True)
        seconds = time.perf_counter() - began
        archive = open_archive(tower.artifacts)
        records = {record.step: record for record in chain(archive, report.run_id)}
        import pandas as pd

        cases = pd.read_parquet(archive.path(*records["score"].outputs["result"]), columns=["pivot"])
    pivots = sorted(cases["pivot"])
    steps = {name: (r.ended_at - r.started_at).total_seconds() for name, r in records.items()}
    return outcome(pivots, seconds) | {"steps": steps}


def outcome(pivots: list[str], seconds: float) -> dict[str, Any]:
    """Case keys as a digest, wall seconds, and the peak memory of this process in GB."""
    return {
        "cases": len(pivots),
        "digest": hashlib.sha256("\n".join(pivots).encode()).hexdigest(),
        "seconds": seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def validation(folder: Path) -> dict[str, Any]:
    """Contract checks on orders and scans, beside the same rules by hand; frames are read beforehand."""
    import pandas as pd
    import pyarrow.parquet as pq

    import data_contracts
    from control_tower.keeping.frames import as_pandas

    data_contracts.check(data_contracts.load("orders"), pd.DataFrame(), AS_OF)  # imports, once
    found: dict[str, Any] = {}
    for table, by_hand in (("orders", orders_by_hand), ("shipment_events", scans_by_hand)):
        path = folder / f"{table}.parquet"
        few = ("status", "currency", "source", "code", "place", "ship_to_country")
        frame = as_pandas(pq.read_table(path))
        frame["unreadable"] = pd.Series(None, index=frame.index, dtype=pd.StringDtype("pyarrow"))
        frame["visible"] = True
        if table == "orders":
            frame["status_known"] = True
        contract = data_contracts.load(table)
        coded = frame.astype({name: "category" for name in few if name in frame})  # as the lane reads them
        data_contracts.check(contract, coded.head(10), AS_OF)
        began = time.perf_counter()
        checked = data_contracts.check(contract, coded, AS_OF)
        contracts = time.perf_counter() - began
        began = time.perf_counter()
        bad = by_hand(frame)
        hand = time.perf_counter() - began
        if bad != checked.bad_rows:
            raise SystemExit(f"{table}: contracts found {checked.bad_rows} bad rows, by hand {bad}")
        found[table] = {
            "rows": len(frame),
            "rules": len(contract.rules),
            "contracts": contracts,
            "by_hand": hand,
        }
    return found


def common(frame: Any, key: str, required: list[str], happened: list[str]) -> Any:
    """The rules that every contract has, by hand: the mask of broken rows."""
    texts = [name for name in frame.columns if str(frame[name].dtype) in ("str", "string") and name != "unreadable"]
    bad = frame[key].duplicated(keep=False) | frame["unreadable"].notna()
    for name in required:
        bad |= frame[name].isna()
    for name in texts:
        bad |= (frame[name].str.len() > 10_000).fillna(False).astype(bool)
        bad |= frame[name].str.contains(r"[\x00-\x08\x0B\x0C\x0E-\x1F]", regex=True).fillna(False).astype(bool)
    for name in happened:
        bad |= (frame[name] > frame["observed_at"]).fillna(False).astype(bool)
    return bad


def orders_by_hand(frame: Any) -> int:
    """The rules of the orders contract."""
    required = ["order_id", "status", "placed_at", "currency", "source", "source_id", "observed_at"]
    bad = common(frame, "order_id", required, ["placed_at", "approved_at", "cancelled_at"])
    statuses = ["created", "approved", "processing", "shipped", "delivered", "cancelled", "unavailable"]
    bad |= frame["status"].notna() & ~frame["status"].isin(statuses)
    bad |= ~frame["currency"].str.fullmatch(r"[A-Z]{3}").fillna(True).astype(bool)
    bad |= (~frame["total_amount"].between(0, 100_000_000_000)).fillna(False).astype(bool)
    return int(bad.sum())


def scans_by_hand(frame: Any) -> int:
    """The rules of the shipment_events contract."""
    required = [
        "event_id",
        "fulfillment_id",
        "order_id",
        "code",
        "occurred_at",
        "source",
        "source_id",
        "observed_at",
    ]
    bad = common(frame, "event_id", required, ["occurred_at"])
    codes = [
        "pre_transit", "in_transit", "out_for_delivery", "available_for_pickup",
        "delivered", "return_to_sender", "failure", "unknown",
    ]  # fmt: skip
    bad |= frame["code"].notna() & ~frame["code"].isin(codes)
    return int(bad.sum())


def own_process(*arguments: str, home: Path) -> dict[str, Any]:
    """One part in a process of its own, so that its memory is its own."""
    environment = os.environ | {"TOWER_HOME": str(home)}
    done = subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return answer


def main() -> None:
    """Make the data, run each part, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None, help="where the Parquet lies, or is made")
    parser.add_argument("--part", choices=["lane", "validation"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(lane(given.folder) if given.part == "lane" else validation(given.folder)))
        return
    home = Path(tempfile.mkdtemp(prefix="tower-bench-"))
    folder = given.folder or home / "shop"
    if not (folder / "orders.parquet").exists():
        from control_tower.stores.generator import parquet

        parquet(folder, orders=given.orders, seed=1, as_of=AS_OF)
    ours = own_process(__file__, "--part", "lane", "--folder", str(folder), home=home)
    hand = own_process(str(HERE / "by_hand.py"), str(folder), AS_OF.isoformat(), home=home)
    checks = own_process(__file__, "--part", "validation", "--folder", str(folder), home=home)
    same = "the same case keys" if ours["digest"] == hand["digest"] else "DIFFERENT CASE KEYS"
    print(f"\n{given.orders:,} orders, {ours['cases']:,} cases by the lane and {hand['cases']:,} by hand: {same}")
    print(f"{'':24}{'seconds':>10}{'peak GB':>10}")
    for name, each in (("lane, contracts, kept", ours), ("by hand in Polars", hand)):
        print(f"{name:24}{each['seconds']:>10.1f}{each['peak_gb']:>10.2f}")
    print(f"{'ratio':24}{ours['seconds'] / hand['seconds']:>10.1f}{ours['peak_gb'] / hand['peak_gb']:>10.1f}")
    print("\nsteps: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in ours["steps"].items()))
    for table, each in checks.items():
        ratio = each["contracts"] / each["by_hand"]
        print(
            f"validation of {each['rows']:,} {table}, {each['rules']} rules: contracts {each['contracts']:.1f} s,"
            f" pandas by hand {each['by_hand']:.1f} s, ratio {ratio:.2f}"
        )
    if ours["digest"] != hand["digest"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
