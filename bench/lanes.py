"""Every lane over generated shops of growing size and a year of history: wall time, memory, and how they grow.

Each lane runs in a process of its own, dry, over the same Parquet, from files to scored cases and everything kept.
What it finds is held against what was planted. Read the growth: seconds differ from machine to machine.

    python bench/lanes.py [--orders 100000 1000000] [--folder FOLDER] [--lanes fulfilment fraud ...]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LANES = ("fulfilment", "returns", "fraud", "inventory", "subscriptions")


def measured(lane: str, folder: Path) -> dict[str, Any]:
    """Run one lane in this process; wall seconds of its flow alone, memory of all of it, and what it missed."""
    from control_tower.server import running_server
    from control_tower.settings import settings
    from control_tower.stores.generator import Truth

    tower = settings()
    with running_server(tower, port=0):
        from control_tower.keeping.records import chain
        from control_tower.keeping.step import open_archive

        run = getattr(importlib.import_module(f"flows.watch_{lane}"), f"watch_{lane}")
        began = time.perf_counter()
        report = run(source=f"folder:{folder}", as_of=AS_OF, dry_run=True)
        seconds = time.perf_counter() - began
        archive = open_archive(tower.artifacts)
        records = {record.step: record for record in chain(archive, report.run_id)}
        import pandas as pd

        found = pd.read_parquet(
            archive.path(*records["judge"].outputs["result"]), columns=["subject", "kind", "answer"]
        )
    yes = found[found["answer"] == "yes"]
    planted = {(one, kind) for kind, ids in Truth.of(folder).planted[lane].items() for one in ids}
    pairs = set(yes[["subject", "kind"]].itertuples(index=False, name=None))
    return {
        "seconds": seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "steps": {name: (one.ended_at - one.started_at).total_seconds() for name, one in records.items()},
        "findings": len(yes),
        "missed": len(planted - pairs),
        "extra": len(pairs - planted),
    }


def own_process(lane: str, folder: Path) -> dict[str, Any]:
    """One lane in a process and a tower of its own, so that its memory is its own."""
    with tempfile.TemporaryDirectory(prefix="tower-bench-") as home:
        done = subprocess.run(
            [sys.executable, __file__, "--lane", lane, "--folder", str(folder)],
            env=os.environ | {"TOWER_HOME": home}, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return answer


def main() -> None:
    """Make the shops, run every lane over each, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=None, help="where the shops lie, or are made")
    parser.add_argument("--lanes", nargs="+", choices=LANES, default=LANES)
    parser.add_argument("--lane", choices=LANES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.lane:
        print(json.dumps(measured(given.lane, given.folder)))
        return
    from control_tower.stores.generator import parquet

    shops = given.folder or Path(tempfile.mkdtemp(prefix="tower-bench-shops-"))
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for orders in given.orders:
        folder = shops / f"{orders}"
        if not (folder / "orders.parquet").exists():
            parquet(folder, orders=orders, seed=1, as_of=AS_OF, days=365)
        for lane in given.lanes:
            found[lane, orders] = each = own_process(lane, folder)
            steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in each["steps"].items() if seconds >= 0.5)
            print(f"{lane}, {orders:,} orders: {each['seconds']:.1f} s ({steps})", flush=True)
    print(
        f"\n{'lane':16}{'orders':>12}{'seconds':>9}{'peak GB':>9}{'findings':>10}{'missed':>8}{'extra':>7}{'growth':>8}"
    )
    for lane in given.lanes:
        rows = [(orders, found[lane, orders]) for orders in given.orders]
        grown = [None, *(_growth(*pair) for pair in pairwise(rows))]
        for (orders, each), growth in zip(rows, grown, strict=True):
            print(
                f"{lane:16}{orders:>12,}{each['seconds']:>9.1f}{each['peak_gb']:>9.2f}{each['findings']:>10,}"
                f"{each['missed']:>8}{each['extra']:>7}{'' if growth is None else f'{growth:.2f}':>8}"
            )
    print("\ngrowth: how much longer for each order than at the size before; 1 is linear")
    if any(each["missed"] or each["extra"] for each in found.values()):
        raise SystemExit("what was found is not what was planted")


def _growth(before: tuple[int, dict[str, Any]], after: tuple[int, dict[str, Any]]) -> float:
    (fewer, less), (more, longer) = before, after
    return float(longer["seconds"] / less["seconds"] / (more / fewer))


if __name__ == "__main__":
    main()
