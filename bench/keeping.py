"""What keeping costs: a look that keeps everything, beside the same look that keeps nothing; bytes, and checking them.

A look is the fulfilment lane over a generated shop whose tables have about a million rows together, on a real Prefect
server, first as a dry run, then as a full look that opens cases, proposals and paused runs. Its counterparts are the
same flow over the same files, whose steps are plain Prefect tasks, and must report the same. Left out of them are:

- compression: frames are handed on as uncompressed Parquet in a scratch folder, and by a second, stricter
  counterpart as Arrow in memory, which is never written at all and needs a machine that holds it;
- hashing: what is handed on has a random name;
- nouns: what a step is given and gives stays in memory, never as JSON, not looked through for secrets, not gzipped;
- records: no file a step, no head of a chain in the ledger;
- artifacts: nothing of a step in Prefect's UI but its task run.

All take turns in one process, each look with a ledger and a folder of its own, after a small look to warm up. Read
the ratios: seconds differ from machine to machine, and from hour to hour where others use it. The parts are taken
with stopwatches inside the kept looks; the Parquet of a look is written once more from memory, for what compression
costs. A bucket is one in memory behind loopback: its requests and bytes are those of any, its seconds are not told.

    python bench/keeping.py [--orders 80000] [--rounds 3] [--full-orders 80000] [--bucket-orders 2000]
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))

from control_tower.joins import PARQUET, joins, literal
from control_tower.keeping import Archive, Kept
from control_tower.keeping import archive as keeping
from control_tower.keeping import step as stepping
from control_tower.keeping.frames import as_pandas
from control_tower.keeping.records import append, chain, verify
from control_tower.ledger import open_ledger
from control_tower.settings import settings
from control_tower.stores.generator import parquet

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
ZSTD = "COMPRESSION zstd, COMPRESSION_LEVEL 1"  # as PARQUET has it
PLAIN = PARQUET.replace(ZSTD, "COMPRESSION uncompressed")
SHELVES, NAMED = ("frames", "nouns", "runs"), ("frames", "nouns", "records")
CHAIN = 1000
MEGA = 1e6


class Scratch(Archive):
    """Where frames lie between two steps that keep nothing: not compressed, not hashed."""

    def keep_file(self, name: str, written: Path, contract: str = "") -> Kept:
        """Move a Parquet file aside under a random name."""
        kept = self.described(name, written, uuid4().hex, contract)
        target = Path(self.path(*kept.address))
        target.parent.mkdir(parents=True, exist_ok=True)
        written.replace(target)
        return kept

    def keep_frame(self, name: str, frame: Any, contract: str = "") -> Kept:
        """Write a frame as it is."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        written = self.scratch(name)
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), written, compression="none")
        return self.keep_file(name, written, contract)


class Memory(Archive):
    """Frames that are never written: Arrow tables of this process, by made-up paths."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.tables: dict[str, Any] = {}

    def scratch(self, name: str) -> Path:
        """A path that no file has."""
        return Path(f"/memory/{name}-{uuid4().hex}")

    def location(self, kept: Kept) -> str:
        """The path that stands for a table."""
        return f"/memory/{kept.digest}"

    def keep_file(self, name: str, written: Path, contract: str = "") -> Kept:
        """Call a table by a path of its own."""
        table, digest = self.tables.pop(str(written)), uuid4().hex
        self.tables[f"/memory/{digest}"] = table
        columns = tuple(table.column_names)
        return Kept(name=name, digest=digest, rows=table.num_rows, columns=columns, contract=contract)

    def keep_frame(self, name: str, frame: Any, contract: str = "") -> Kept:
        """Hold a frame as Arrow."""
        import pyarrow as pa

        written = self.scratch(name)
        self.tables[str(written)] = pa.Table.from_pandas(frame, preserve_index=False)
        return self.keep_file(name, written, contract)

    def frame(self, kept: Kept, columns: Sequence[str] | None = None, coded: Sequence[str] = ()) -> Any:
        """A table as pandas, as a kept frame is."""
        held = self.tables[self.location(kept)]
        table = held.select(list(columns) if columns else held.column_names)
        for name in coded:
            table = table.set_column(table.column_names.index(name), name, table[name].dictionary_encode())
        return as_pandas(table)

    def repetitive(self, kept: Kept) -> list[str]:
        """The text columns that hold few values many times, by the first of their rows."""
        import pyarrow as pa

        first = self.tables[self.location(kept)].slice(0, 10_000)
        text = [field.name for field in first.schema if pa.types.is_string(field.type)]
        return [name for name in text if len(first[name].unique()) <= 100]

    @contextmanager
    def joins(self, tower: Any) -> Iterator[Any]:
        """A connection that reads and writes these tables where it is told of files."""
        with joins(tower) as connection:
            yield Reading(connection, self.tables)


COPY = re.compile(r"COPY \((.*)\) TO '(/memory/[^']*)' \(FORMAT [^)]*\)", re.DOTALL)
READ = re.compile(r"read_parquet\('(/memory/[^']*)'(, file_row_number = true)?\)")


class Reading:
    """A DuckDB connection to which tables in memory are files."""

    def __init__(self, connection: Any, tables: dict[str, Any]) -> None:
        self.connection, self.tables = connection, tables

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, sql: str) -> Any:
        """As DuckDB's own; what is copied to a file becomes a table."""
        if not (copied := COPY.fullmatch(sql)):
            return self.connection.execute(self.named(sql))
        self.tables[copied[2]] = self.connection.sql(self.named(copied[1])).to_arrow_table()
        return None

    def sql(self, sql: str) -> Any:
        """As DuckDB's own."""
        return self.connection.sql(self.named(sql))

    def named(self, sql: str) -> str:
        """SQL that reads tables by name."""
        return READ.sub(self._registered, sql)

    def _registered(self, read: re.Match[str]) -> str:
        self.connection.register(read[1], self.tables[read[1]])
        numbered = "*, row_number() OVER () - 1 AS file_row_number" if read[2] else "*"
        return f'(SELECT {numbered} FROM "{read[1]}")'


UNKEPT: dict[str, type[Archive]] = {"scratch files": Scratch, "memory": Memory}
WAYS = ("kept", *UNKEPT)


@contextmanager
def nothing_kept(way: str) -> Iterator[None]:
    """The steps of a look as plain Prefect tasks, for as long as the block lasts."""
    looks, opened = importlib.import_module("flows.look"), UNKEPT[way](settings().artifacts)
    with ExitStack() as changed:
        changed.enter_context(patch.object(stepping, "_opened", lambda _: opened))
        for name in ("gather", "validate", "detect"):
            module = importlib.import_module(f"tasks.{name}")
            changed.enter_context(patch.object(module, "PARQUET", PLAIN))
            if isinstance(opened, Memory):
                changed.enter_context(patch.object(module, "joins", opened.joins))
        for name, value in list(vars(looks).items()):
            if name.replace("_", "-") in stepping.STEPS and hasattr(value, "__wrapped__"):
                changed.enter_context(patch.object(looks, name, plain_task(value.__wrapped__)))
        yield


def plain_task(function: Callable[..., Any]) -> Callable[..., Any]:
    """A Prefect task that neither caches, persists nor keeps; as a step, it does not look for futures."""
    from prefect import task
    from prefect.cache_policies import NO_CACHE
    from prefect.utilities.annotations import quote

    taken: Any = task(name=function.__name__, persist_result=False, cache_policy=NO_CACHE)(function)
    return lambda *given, **named: taken(*map(quote, given), **{name: quote(value) for name, value in named.items()})


@dataclass
class Look:
    """One look: what it reported, wall and processor seconds, and of a kept one, the seconds of its parts."""

    report: Any
    seconds: float
    processor: float
    parts: dict[str, float] = field(default_factory=dict)


@contextmanager
def stopwatches(parts: dict[str, float]) -> Iterator[None]:
    """Time spent in each part of keeping."""
    watched = (
        ("hashing frames", keeping, "_digest_of"),
        ("nouns as JSON, gzipped", stepping, "keep_values"),
        ("records", stepping, "append"),
        ("artifacts", stepping, "show"),
    )
    with ExitStack() as watching:
        for part, module, name in watched:
            watching.enter_context(patch.object(module, name, timed(getattr(module, name), part, parts)))
        yield


def timed(function: Callable[..., Any], part: str, parts: dict[str, float]) -> Callable[..., Any]:
    """A function that adds what it took."""

    def timing(*given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            parts[part] += time.perf_counter() - began

    return timing


def look(folder: Path, home: Path, *, way: str = "kept", dry: bool = True, as_of: datetime = AS_OF) -> Look:
    """One look with a ledger and artifacts in `home`."""
    from flows.watch_fulfilment import watch_fulfilment

    home.mkdir(exist_ok=True)
    os.environ |= {"TOWER_LEDGER_URL": f"sqlite:///{home / 'ledger.db'}"}
    os.environ |= {"TOWER_ARTIFACTS_URL": (home / "artifacts").as_uri()}
    open_ledger(settings().ledger)  # made before the clock runs: every look but the first finds it there
    parts: dict[str, float] = defaultdict(float)
    gc.collect()
    with stopwatches(parts) if way == "kept" else nothing_kept(way):
        began, busy = time.perf_counter(), time.process_time()
        report = watch_fulfilment(source=f"folder:{folder}", as_of=as_of, dry_run=dry)
        return Look(report, time.perf_counter() - began, time.process_time() - busy, parts)


def same_report(*looks: Look) -> None:
    """What was found must not depend on what was kept."""
    counts = [each.report.model_dump(exclude={"run_id", "lane"}) for each in looks]
    if any(each != counts[0] for each in counts):
        raise SystemExit(f"the looks report differently: {counts}")


def another_shop(folder: Path, home: Path, name: str) -> Path:
    """The same files as the shop of another name, so that no paused run of it is there already."""
    other = home / name
    other.mkdir()
    for file in folder.glob("*.parquet"):
        (other / file.name).symlink_to(file)
    (other / "shop.yaml").write_text((folder / "shop.yaml").read_text().replace("id: ", f"id: {name}-", 1))
    return other


def turns(folder: Path, home: Path, rounds: int, *, dry: bool) -> dict[str, list[Look]]:
    """Looks in turns, each way first as often as the others."""
    found: dict[str, list[Look]] = {way: [] for way in WAYS}
    for number in range(rounds):
        first = number % len(WAYS)
        for way in (*WAYS[first:], *WAYS[:first]):
            name = f"{'dry' if dry else 'full'}-{number}-{way.partition(' ')[0]}"
            shop = folder if dry else another_shop(folder, home, name)
            found[way].append(look(shop, home / f"{name}-tower", way=way, dry=dry))
            shutil.rmtree(home / f"{name}-tower" / "artifacts")
        same_report(*(found[way][-1] for way in WAYS))
        told = ", ".join(f"{way} {found[way][-1].seconds:.2f} s" for way in WAYS)
        print(f"  round {number + 1}: {told}", flush=True)
    return found


def ratios(kept: list[Look], other: list[Look], name: str) -> str:
    """The middle of the ratios of looks that took turns, and the least and the most of them."""
    return spread([getattr(one, name) / getattr(two, name) for one, two in zip(kept, other, strict=True)])


def spread(values: list[float]) -> str:
    """The middle of several values, and how far apart they are."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def cost(name: str, found: dict[str, list[Look]]) -> float:
    """Print the ratios of one kind of look, and its parts; what a look by scratch files takes."""
    kept = found["kept"]
    print(f"\n{name}, {len(kept)} rounds\n  {'kept, over':20}{'wall time':>24}{'processor time':>24}{'seconds':>9}")
    for way in UNKEPT:
        middle = statistics.median(each.seconds for each in found[way])
        wall, busy = (ratios(kept, found[way], each) for each in ("seconds", "processor"))
        print(f"  {way:20}{wall:>24}{busy:>24}{middle:>9.2f}")
    whole = statistics.median(each.seconds for each in found["scratch files"])
    print(f"\n  {'part of keeping':34}{'seconds':>9}{'of the look by scratch files':>30}")
    for part in kept[0].parts:
        seconds = statistics.median(each.parts[part] for each in kept)
        print(f"  {part:34}{seconds:>9.3f}{seconds / whole:>29.1%}")
    return whole


def frames_of(archive: Archive, run: str) -> list[Path]:
    """Every frame that the records of a run name as given out."""
    given = {address for record in chain(archive, run) for address in record.outputs.values()}
    return [archive.local(address) for address in sorted(given) if address[0] == "frames"]


def written_again(frames: list[Path], ways: dict[str, str], folder: Path) -> dict[str, tuple[float, int]]:
    """Each frame, held in memory, written each way in turn: seconds and bytes of all."""
    import duckdb

    found = dict.fromkeys(ways, (0.0, 0))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for frame in frames:
            connection.execute(f"CREATE OR REPLACE TABLE held AS SELECT * FROM read_parquet({literal(str(frame))})")
            for way, form in ways.items():
                began = time.perf_counter()
                if form:
                    connection.execute(f"COPY held TO {literal(str(folder / 'again'))} {form}")
                    took, more = time.perf_counter() - began, (folder / "again").stat().st_size
                else:
                    more = connection.sql("SELECT * FROM held").to_arrow_table().nbytes
                    took = time.perf_counter() - began
                seconds, size = found[way]
                found[way] = seconds + took, size + more
    return found


FORMS = {
    "Parquet, zstd 1, as kept": PARQUET,
    "the same, zstd 3": PARQUET.replace(ZSTD, "COMPRESSION zstd, COMPRESSION_LEVEL 3"),
    "the same, snappy": PARQUET.replace(ZSTD, "COMPRESSION snappy"),
    "the same, every dictionary": f"(FORMAT parquet, {ZSTD})",
    "the same, uncompressed": PLAIN,
    "Arrow, in memory": "",
}
OTHERS = {"CSV": "(FORMAT csv, HEADER)", "JSON, a line a row": "(FORMAT json)"}


def forms(archive: Archive, run: str, home: Path, rounds: int, unkept: float) -> None:
    """Print what the frames of one look take in each form, to write and to hold."""
    frames = frames_of(archive, run)
    seconds: dict[str, list[float]] = defaultdict(list)
    sizes: dict[str, int] = {}
    for number in range(rounds):
        for way, (took, size) in written_again(frames, FORMS | ({} if number else OTHERS), home).items():
            seconds[way].append(took)
            sizes[way] = size
    held = sizes["Parquet, zstd 1, as kept"]
    print(f"\n{len(frames)} frames of a dry look, written once more from memory")
    print(f"  {'form':34}{'seconds':>9}{'of the look by scratch files':>30}{'MB':>9}{'as kept':>9}")
    for way, several in seconds.items():
        middle = statistics.median(several)
        share = f"{middle / unkept:.1%}" if way in FORMS else ""
        print(f"  {way:34}{middle:>9.3f}{share:>30}{sizes[way] / MEGA:>9.1f}{sizes[way] / held:>8.1f}x")


def lying(home: Path) -> dict[str, int]:
    """Bytes by shelf."""
    shelves = {shelf: (home / "artifacts" / shelf).rglob("*") for shelf in SHELVES}
    return {shelf: sum(file.stat().st_size for file in files if file.is_file()) for shelf, files in shelves.items()}


def plain_size(archive: Archive, run: str) -> int:
    """What the nouns of a run would take as plain JSON."""
    import gzip

    named = {one for record in chain(archive, run) for one in (*record.inputs.values(), *record.outputs.values())}
    return sum(len(gzip.decompress(archive.content(address))) for address in named if address[0] == "nouns")


def an_hour_later(folder: Path, home: Path) -> Path:
    """The same shop, where one order in a hundred, of those under way, has one more scan."""
    import duckdb

    later = another_shop(folder, home, "later")
    (later / "shop.yaml").write_text((folder / "shop.yaml").read_text())
    scans, moment = folder / "shipment_events.parquet", f"TIMESTAMPTZ {literal(AS_OF.isoformat())}"
    (later / scans.name).unlink()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        read = f"read_parquet({literal(str(scans))})"
        (orders,) = connection.execute(f"SELECT count(DISTINCT order_id) FROM {read}").fetchone() or (0,)
        last = (
            f"SELECT * FROM {read} QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY occurred_at DESC) = 1"
            f" ORDER BY code = 'delivered', occurred_at DESC, order_id LIMIT {orders // 100}"
        )
        moved = (
            "SELECT * REPLACE (event_id || '-next' AS event_id, source_id || '-next' AS source_id,"
            f" 'in_transit' AS code, {moment} + INTERVAL 30 MINUTE AS occurred_at,"
            f" {moment} + INTERVAL 1 HOUR AS observed_at) FROM ({last})"
        )
        connection.execute(
            f"COPY (SELECT * FROM {read} UNION ALL {moved}) TO {literal(str(later / scans.name))} (FORMAT parquet)"
        )
    return later


def sizes(folder: Path, home: Path) -> str:
    """Print bytes a row by shelf, and what a second look adds; the run whose tower the settings name afterwards."""
    again, unchanged = home / "sizes", home / "sizes-unchanged"
    later = an_hour_later(folder, home)
    seconds = (
        (unchanged, "an hour later, nothing changed", folder, AS_OF + HOUR),
        (again, "the very same look again", folder, AS_OF),
        (again, "an hour later, 1 % of orders changed", later, AS_OF + HOUR),
    )
    first = look(folder, unchanged), look(folder, again)
    whole = lying(again)
    added = {"the first look": whole}
    for tower, name, shop, as_of in seconds:
        before = lying(tower)
        look(shop, tower, as_of=as_of)
        added[name] = {shelf: size - before[shelf] for shelf, size in lying(tower).items()}
    run, rows = first[1].report.run_id, sum(first[1].report.accepted.values())
    print(f"\nbytes added by a dry look over {rows:,} rows")
    print(f"  {'':38}{'frames':>12}{'nouns':>10}{'records':>10}{'a row':>8}{'of the first':>14}")
    for name, shelves in added.items():
        size, cells = sum(shelves.values()), [shelves[shelf] for shelf in SHELVES]
        share = size / sum(whole.values())
        print(f"  {name:38}{cells[0]:>12,}{cells[1]:>10,}{cells[2]:>10,}{size / rows:>8.2f}{share:>13.1%}")
    a_row = ", ".join(f"{name} {whole[shelf] / rows:.2f}" for shelf, name in zip(SHELVES, NAMED, strict=True))
    plain = plain_size(stepping.open_archive(settings().artifacts), run) / whole["nouns"]
    print(f"  bytes a row of the first: {a_row}; nouns as plain JSON take {plain:.1f} times what they do as kept")
    return run


def checking(run: str, rounds: int) -> None:
    """Print how fast a run is checked, beside sha256sum of the same files, and how fast a long chain is."""
    archive, ledger = stepping.open_archive(settings().artifacts), open_ledger(settings().ledger)
    named = {one for record in chain(archive, run) for one in (*record.inputs.values(), *record.outputs.values())}
    files = [archive.path(*address) for address in sorted(named)]
    size = sum(Path(file).stat().st_size for file in files)
    ours, theirs = [], []
    for _ in range(max(rounds, 5)):
        began = time.perf_counter()
        subprocess.run(["sha256sum", *files], stdout=subprocess.DEVNULL, check=True)
        theirs.append(time.perf_counter() - began)
        began = time.perf_counter()
        verify(archive, ledger, run)
        ours.append(time.perf_counter() - began)
    ratio = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(
        f"\nchecking one run, {len(files)} files and {size / MEGA:.1f} MB:"
        f" {size / MEGA / statistics.median(ours):,.0f} MB a second,"
        f" sha256sum {size / MEGA / statistics.median(theirs):,.0f}; time over that of sha256sum {spread(ratio)}"
    )
    long_chain(archive, ledger)


def long_chain(archive: Archive, ledger: Any) -> None:
    """Print records written and checked a second, on a chain of small nouns."""
    now, run = datetime.now(UTC), f"long-{uuid4().hex[:8]}"
    began = time.perf_counter()
    for number in range(CHAIN):
        content: dict[str, object] = {"step": "step", "task_run": "", "code": "bench", "versions": {}, "error": ""}
        content |= {"inputs": {"number": archive.keep_nouns(number)}, "outputs": {}}
        append(archive, ledger, run, content | {"started_at": now, "ended_at": now})
    written = time.perf_counter() - began
    began = time.perf_counter()
    verify(archive, ledger, run)
    walked = time.perf_counter() - began
    print(
        f"a chain of {CHAIN:,} records, a small noun each: {CHAIN / written:,.0f} written a second,"
        f" {CHAIN / walked:,.0f} checked a second"
    )


@contextmanager
def counted_bucket() -> Iterator[tuple[str, Counter[str]]]:
    """An empty bucket, and what was asked of it: requests by method, bytes in and out."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    from tests.buckets import bucket_server

    asked: Counter[str] = Counter()
    serve = DomainDispatcherApplication.__call__

    def counting(application: Any, environ: dict[str, Any], start: Any) -> Any:
        asked[environ["REQUEST_METHOD"]] += 1
        asked["bytes in"] += int(environ.get("CONTENT_LENGTH") or 0)
        answer = list(serve(application, environ, start))
        asked["bytes out"] += sum(map(len, answer))
        return answer

    with patch.object(DomainDispatcherApplication, "__call__", counting), bucket_server() as url:
        yield url, asked


def in_a_bucket(folder: Path, home: Path) -> None:
    """Print the requests and bytes of looks whose artifacts lie in a bucket, and of checking them."""
    from flows.watch_fulfilment import watch_fulfilment

    home.mkdir(exist_ok=True)
    with counted_bucket() as (url, asked):
        os.environ |= {"TOWER_ARTIFACTS_URL": url, "TOWER_LEDGER_URL": f"sqlite:///{home / 'ledger.db'}"}
        runs: list[str] = []

        def looking(*, dry: bool) -> None:
            runs.append(watch_fulfilment(source=f"folder:{folder}", as_of=AS_OF, dry_run=dry).run_id)

        def checked() -> None:
            verify(stepping.open_archive(url), open_ledger(settings().ledger), runs[0])

        print(f"  {'':28}{'HEAD':>7}{'GET':>7}{'PUT':>7}{'POST':>7}{'all':>7}{'bytes in':>12}{'bytes out':>12}")
        for name, work in (
            ("a dry look", lambda: looking(dry=True)),
            ("the very same look again", lambda: looking(dry=True)),
            ("a full look", lambda: looking(dry=False)),
            ("checking the first", checked),
        ):
            asked.clear()
            work()
            methods = [asked[method] for method in ("HEAD", "GET", "PUT", "POST")]
            cells = "".join(f"{count:>7}" for count in (*methods, sum(methods)))
            print(f"  {name:28}{cells}{asked['bytes in']:>12,}{asked['bytes out']:>12,}")


def shop_of(orders: int, home: Path) -> Path:
    """A generated shop as Parquet."""
    folder = home / f"shop-{orders}"
    if not folder.exists():
        parquet(folder, orders=orders, seed=1, as_of=AS_OF, days=365)
    return folder


def on_a_server(given: argparse.Namespace, home: Path) -> None:
    """Every part of the bench, on one Prefect server."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from desk.deploy import deploy

    # The heartbeat keeps the end of every run waiting for up to a second, kept or not.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        deploy(settings())
        shop, small = shop_of(given.orders, home), shop_of(given.bucket_orders, home)
        for way in WAYS:
            look(small, home / f"warm-{way.partition(' ')[0]}", way=way)
        found = turns(shop, home, given.rounds, dry=True)
        rows = sum(found["kept"][0].report.accepted.values())
        whole = cost(f"dry look, {rows:,} rows of {given.orders:,} orders", found)
        run = sizes(shop, home)
        forms(stepping.open_archive(settings().artifacts), run, home, given.rounds, whole)
        checking(run, given.rounds)
        if given.full_orders:
            found = turns(shop_of(given.full_orders, home), home, given.rounds, dry=False)
            opened = found["kept"][0].report.cases.opened
            cost(f"full look of {given.full_orders:,} orders, {opened:,} cases opened", found)
        if given.bucket_orders:
            print(f"\na bucket, {given.bucket_orders:,} orders; requests and bytes")
            in_a_bucket(small, home / "bucket")


def main() -> None:
    """Make the shops, look at them, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=80_000, help="about 12 rows each")
    parser.add_argument("--full-orders", type=int, default=80_000, help="of the full look; 0 leaves it out")
    parser.add_argument("--bucket-orders", type=int, default=2_000, help="of the looks in a bucket")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="tower-bench-"))
    os.environ["TOWER_HOME"] = str(home)
    from control_tower.server import running_server

    try:
        with running_server(settings(), port=0):
            on_a_server(given, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
