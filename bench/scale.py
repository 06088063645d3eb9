"""How a look of the fulfilment lane grows: one, three and ten million orders, whole and of what changed.

Shops are made of numbers alone, many orders at a time: orders over two years, two lines, a payment, two promises, a
parcel and five scans each, in a folder of canonical Parquet, in the order in which they were placed. One in a hundred
is not moving as promised. A day's changes are one order in a thousand: half of them placed that day, half older ones
that were scanned again; they are written to the same files, whose rows say when they were observed.

Each look runs in a process of its own with a tower of its own: all orders in one process, all on a local Dask cluster,
then what changed after a look at everything. Memory is that of the process and of all its children, sampled ten times a
second as the sum of their resident sets: what they share is counted for each. It is the look alone that is timed; the
Prefect server it talks to is another process, and not counted. Read growth and ratios; seconds are this machine's, and
where something else runs beside it, those of its processors say more.

    python bench/scale.py [--orders 1000000 3000000 10000000] [--looks whole dask changed] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

THEN = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""When a shop is first looked at; what changes comes in the day after."""
DAYS = 730
LOOKS = ("whole", "dask", "changed")
SHARE = 1000
"""One order in so many changes in a day."""
PARTS = 250_000
SHOP = "id: shop\ntime_zone: Europe/Berlin\ncountry: DE\ncurrency: EUR\n"

ORDERS = """
SELECT
    i, 'o' || lpad(CAST(i AS VARCHAR), 9, '0') AS order_id, hash(i) % 1000 AS luck,
    CASE WHEN i < {older} THEN TIMESTAMPTZ '{then}' - INTERVAL 2 HOUR - ({older} - i) * INTERVAL '{apart} microseconds'
    ELSE TIMESTAMPTZ '{then}' + (i - {older}) * INTERVAL '{fresh} microseconds' END AS placed_at
FROM range({first}, {last}) AS t(i)
"""
# What of an order, and when it was written: by the day it was over, or as it was placed where it is not yet.
LIFE = """
SELECT
    *, luck < 5 AS stuck, placed_at + INTERVAL 1 DAY AS handed_at,
    placed_at + (CASE WHEN luck BETWEEN 5 AND 9 THEN 9 ELSE 3 END) * INTERVAL 1 DAY AS arrived_at
FROM ({orders})
"""
TABLES = {
    "orders": """
        SELECT order_id, 'c' || CAST(hash(i) % 3000000 AS VARCHAR) AS customer_id,
            CASE WHEN stuck OR handed_at >= {now} THEN 'approved' WHEN arrived_at < {now} THEN 'delivered'
                ELSE 'shipped' END AS status,
            placed_at AS status_at, placed_at, placed_at AS approved_at, 'EUR' AS currency,
            CAST(2000 + hash(i) % 9000 AS BIGINT) AS total_amount, 'DE' AS ship_to_country,
            'shop' AS source, order_id AS source_id, least(placed_at + INTERVAL 10 MINUTE, {now}) AS observed_at
        FROM life""",
    "order_lines": """
        SELECT order_id || '-' || n AS line_id, order_id, 's' || CAST(hash(i + n) % 20000 AS VARCHAR) AS sku,
            CAST(1 AS BIGINT) AS quantity, CAST(1000 + hash(i) % 4500 AS BIGINT) AS unit_amount, 'EUR' AS currency,
            CASE WHEN hash(i) % 2 = 0 THEN 'HAM' ELSE 'MUC' END AS warehouse_id, 'shop' AS source,
            order_id || '-' || n AS source_id, placed_at AS observed_at
        FROM life, (SELECT unnest([1, 2]) AS n)""",
    "payments": """
        SELECT 'p' || order_id AS payment_id, order_id, CAST(2000 + hash(i) % 9000 AS BIGINT) AS amount,
            'EUR' AS currency, 'card' AS method, placed_at AS paid_at, 'shop' AS source, 'p' || order_id AS source_id,
            placed_at AS observed_at
        FROM life""",
    "promises": """
        SELECT kind || order_id AS promise_id, order_id, kind,
            placed_at + (CASE WHEN kind = 'ship_by' THEN 2 ELSE 5 END) * INTERVAL 1 DAY AS due_at, false AS by_day,
            placed_at AS made_at, 'shop' AS source, kind || order_id AS source_id, placed_at AS observed_at
        FROM life, (SELECT unnest(['ship_by', 'deliver_by']) AS kind)""",
    "fulfillments": """
        SELECT 'f' || order_id AS fulfillment_id, order_id,
            CASE WHEN arrived_at < {now} THEN 'delivered' ELSE 'in_transit' END AS status,
            ['adler', 'falke', 'milan'][CAST(1 + hash(i) % 3 AS BIGINT)] AS carrier, 'standard' AS service,
            't' || order_id AS tracking_code,
            CASE WHEN hash(i) % 2 = 0 THEN 'HAM' ELSE 'MUC' END AS warehouse_id, handed_at AS label_created_at,
            handed_at AS handed_over_at, CASE WHEN arrived_at < {now} THEN arrived_at END AS delivered_at,
            'shop' AS source, 'f' || order_id AS source_id,
            CASE WHEN arrived_at < {now} THEN arrived_at ELSE handed_at END AS observed_at
        FROM life WHERE NOT stuck AND handed_at < {now}""",
    "shipment_events": """
        SELECT n || order_id AS event_id, 'f' || order_id AS fulfillment_id, order_id,
            CASE WHEN n = 4 THEN 'delivered' ELSE 'in_transit' END AS code, moment AS occurred_at,
            ['Hamburg', 'Leipzig', 'Ulm'][CAST(1 + hash(i + n) % 3 AS BIGINT)] AS place,
            'shop' AS source, n || order_id AS source_id, moment AS observed_at
        FROM (SELECT *, handed_at + (arrived_at - handed_at) * (n / 4.0) AS moment
            FROM life, (SELECT unnest([0, 1, 2, 3, 4]) AS n) WHERE NOT stuck)
        WHERE moment < {now}""",
}


def make(folder: Path, orders: int, *, changed: bool) -> None:
    """Write a shop, or the same shop a day later."""
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.yaml").write_text(SHOP)
    fresh = orders // SHARE // 2 if changed else 0
    now = THEN + timedelta(days=1) if changed else THEN
    steps = {"older": orders, "then": THEN.isoformat(), "apart": DAYS * 86_400_000_000 // orders}
    steps |= {"fresh": 86_400_000_000 // max(fresh, 1) // 2, "first": 0, "last": orders + fresh}
    life = LIFE.format(orders=ORDERS.format(**steps), **steps)
    with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(folder.parent)}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE VIEW life AS {life}")
        for table, rows in TABLES.items():
            sql = rows.format(now=f"TIMESTAMPTZ '{now.isoformat()}'")
            connection.execute(f"COPY ({sql}) TO '{folder / table}.parquet' (COMPRESSION zstd, COMPRESSION_LEVEL 1)")


class Memory:
    """The most that this process and its children held at once, but for those of the server."""

    def __init__(self, without: set[int]) -> None:
        self.without, self.peak, self.over = without, 0, threading.Event()

    def watch(self) -> None:
        """Sample until it is over."""
        import psutil

        me = psutil.Process()
        while not self.over.wait(0.1):
            held = 0
            for each in (me, *me.children(recursive=True)):
                try:
                    held += 0 if each.pid in self.without else each.memory_info().rss
                except psutil.Error:
                    continue  # gone meanwhile
            self.peak = max(self.peak, held)


@contextmanager
def measured(without: set[int]) -> Iterator[dict[str, Any]]:
    """Seconds, those of processors, and peak memory of the block, once it is over."""
    memory, told, began, worked = Memory(without), dict[str, Any](), time.perf_counter(), processor_seconds()
    thread = threading.Thread(target=memory.watch)
    thread.start()
    try:
        yield told
    finally:
        told["seconds"] = time.perf_counter() - began
        told["processor_seconds"] = processor_seconds() - worked
        memory.over.set()
        thread.join()
        told["peak_gb"] = memory.peak / 1e9


def processor_seconds() -> float:
    """Of this process, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def look(kind: str, folder: Path, later: Path) -> dict[str, Any]:
    """One look, in this process, with a server and a tower of its own."""
    import psutil

    from control_tower.server import running_server
    from control_tower.settings import settings

    os.environ["TOWER_PART_ORDERS"] = str(PARTS)
    with running_server(settings(), port=0):
        from flows import look as looking
        from flows.watch_fulfilment import watch_fulfilment

        servers = {each.pid for each in psutil.Process().children(recursive=True)}
        stand = folder.parent / f"stand-{kind}"
        if kind != "changed":
            if kind == "dask":
                os.environ["TOWER_DASK"] = "2"
            with measured(servers) as told:
                report = watch_fulfilment(source=f"folder:{folder}", as_of=THEN, dry_run=True)
            return told | outcome(report)
        # The same source, a day later: a link is set to other files.
        stand.unlink(missing_ok=True)
        stand.symlink_to(folder)
        looking.datetime = clock(THEN)  # type: ignore[misc]
        watch_fulfilment(source=f"folder:{stand}", only_changed=True)
        stand.unlink()
        stand.symlink_to(later)
        looking.datetime = clock(THEN + timedelta(days=1))  # type: ignore[misc]
        with measured(servers) as told:
            report = watch_fulfilment(source=f"folder:{stand}", only_changed=True)
        return told | outcome(report)


def clock(moment: datetime) -> Any:
    """A clock that stands still."""
    return type("Clock", (datetime,), {"now": classmethod(lambda cls, tz=None: moment)})


def outcome(report: Any) -> dict[str, Any]:
    """What a look found, and how long each of its steps took."""
    from control_tower.keeping.records import chain
    from control_tower.keeping.step import open_archive
    from control_tower.settings import settings

    steps: dict[str, float] = {}
    for record in chain(open_archive(settings().artifacts), report.run_id):
        steps[record.step] = steps.get(record.step, 0) + (record.ended_at - record.started_at).total_seconds()
    found = {kind: said.yes for kind, said in report.findings.items() if said.yes}
    return {"looked_at": report.looked_at, "why_all": report.why_all, "found": found, "steps": steps}


def own_process(kind: str, folder: Path, later: Path) -> dict[str, Any]:
    """One look in a process of its own, so that its memory is its own."""
    home = Path(tempfile.mkdtemp(prefix="tower-scale-", dir=folder.parent))
    environment = os.environ | {"TOWER_HOME": str(home)}
    arguments = [__file__, "--look", kind, "--folder", str(folder), "--later", str(later)]
    done = subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, check=True)
    shutil.rmtree(home, ignore_errors=True)
    answer: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return answer


def machine() -> dict[str, Any]:
    """What it ran on."""
    import psutil

    memory = psutil.virtual_memory().total / 1e9
    return {"cores": os.cpu_count(), "memory_gb": round(memory, 1), "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1)}  # fmt: skip


def growth(results: list[dict[str, Any]], kind: str, what: str) -> float | None:
    """The exponent by which something grows with the number of orders, from the first size to the last."""
    mine = sorted((each["orders"], each[what]) for each in results if each["look"] == kind)
    if len(mine) < 2:
        return None
    return math.log(mine[-1][1] / mine[0][1]) / math.log(mine[-1][0] / mine[0][0])


def main() -> None:
    """Make the shops, look at each in each way, print the table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--looks", nargs="+", choices=LOOKS, default=list(LOOKS))
    parser.add_argument("--folder", type=Path, default=None, help="where the shops are made, and left")
    parser.add_argument("--look", choices=LOOKS, help=argparse.SUPPRESS)
    parser.add_argument("--later", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.look:
        print(json.dumps(look(given.look, given.folder, given.later)))
        return
    where = given.folder or Path(tempfile.mkdtemp(prefix="tower-scale-"))
    results: list[dict[str, Any]] = []
    for orders in given.orders:
        folder, later = where / f"{orders}", where / f"{orders}-later"
        for made, changed in ((folder, False), (later, True)):
            if not (made / "shipment_events.parquet").exists():
                make(made, orders, changed=changed)
        for kind in given.looks:
            results.append({"orders": orders, "look": kind} | own_process(kind, folder, later))
            tell(results[-1])
    for kind in given.looks:
        for what in ("seconds", "processor_seconds", "peak_gb"):
            if found := growth(results, kind, what):
                print(f"{kind}: {what} grow as orders to the power of {found:.2f}")
    print(json.dumps({"machine": machine(), "parts_of": PARTS, "results": results}, indent=1))


def tell(result: dict[str, Any]) -> None:
    """One line of the table, and the shares of the steps."""
    looked = f"{result['looked_at']:,} orders" if result["looked_at"] else "all"
    held = f"{result['seconds']:>9.1f} s {result['processor_seconds']:>9.1f} s {result['peak_gb']:>6.2f} GB"
    line = f"{result['orders']:>12,} {result['look']:8} {looked:>16} {held}"
    whole = sum(result["steps"].values())
    shares = ", ".join(
        f"{name} {100 * each / whole:.0f}%" for name, each in result["steps"].items() if each > whole / 50
    )
    print(f"{line}   {shares}", flush=True)


if __name__ == "__main__":
    main()
