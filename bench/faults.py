"""The fault campaign: seeded schedules of what can go wrong while approved refunds are carried out.

Each schedule is one proposed refund of one order. It draws, from its seed: whether a person approved it, how the
store lies, how many runs come at once and how often they come again, at which boundary a run dies by SIGKILL
(before or after a statement or commit of the ledger, before or after the store's call; the numbers go round, so
that each is had), a date that jumps, a database that is locked. Then quiet returns and runs come again, as the
sweep sends them. What counts is the shop's own book.

The second column is the plain way over the same schedules: a Prefect task with retries that calls the store.

    python bench/faults.py --schedules 2000 --seed 1
    python bench/faults.py --at vendure-postgres --schedules 100
    python bench/faults.py --only 137                      # one schedule again, told in full
    python bench/faults.py --ledger postgresql+psycopg://tower@127.0.0.1/empty_database
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
import os
import random
import secrets
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from misbehaving import Remote, serve
from places import NAMES, Embedded, Place, place
from prefect import task
from sqlalchemy import event

from control_tower.clock import Clock
from control_tower.errors import TowerError
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.authorised import authorise
from control_tower.ledger.effects import ALARM, find_effect
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import record_proposals
from control_tower.ledger.rulings import rule
from control_tower.ledger.tables import EventRow
from control_tower.nouns import Action, EffectState, Money, Proposal, Verdict, digest_of
from control_tower.server import running_server, use
from control_tower.settings import Settings
from control_tower.stores.hostile import HARMFUL_BY_ITSELF, Malice
from policies.authority import authority
from tasks.act import carry_out

PAID, ASKED = 3500, 1200
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
KEY = b"campaign"


@dataclass(frozen=True)
class Schedule:
    """What goes wrong with one refund."""

    seed: int
    ruled: bool
    malice: dict[Malice, float]
    careless: bool
    at_once: int
    redelivered: int
    dies_at: int
    """Number of the boundary at which the first run dies; 0 for none."""
    jumps: bool
    locked: bool
    order: str
    currency: str = "EUR"

    @property
    def proposal(self) -> Proposal:
        """Its refund."""
        rests_on: dict[str, Any] = {"refundable_amount": PAID}
        money = Money(amount=ASKED, currency=self.currency)
        return Proposal(
            case_id=digest_of(self.order)[:16], lane="fulfilment", shop="shop", source="shop", action=Action.refund,
            order_id=self.order, target=self.order, money=money, rests_on=rests_on,
            evidence=digest_of(rests_on), policy="fulfilment@1", reason="campaign", as_of=None,
        )  # fmt: skip


def draw(seed: int, number: int, boundaries: int) -> Schedule:
    """The schedule of a seed; the boundary goes round by its number."""
    chance = random.Random(seed)
    mild = [malice for malice in Malice if malice not in HARMFUL_BY_ITSELF]
    chosen = chance.sample(mild, chance.randint(1, 4))
    if chance.random() < 0.05:
        chosen = list(HARMFUL_BY_ITSELF)
    dies = number % (boundaries + 1) if chance.random() < 0.6 else 0
    return Schedule(
        seed=seed,
        ruled=chance.random() > 0.05,
        malice=dict.fromkeys(chosen, 1.0),
        careless=chance.random() < 0.3,
        at_once=chance.choice([1, 1, 1, 2, 6]),
        redelivered=chance.choice([0, 0, 1, 2]),
        dies_at=dies,
        jumps=chance.random() < 0.4,
        locked=chance.random() < 0.15,
        order=f"S{seed}",
    )


class Boundaries:
    """Counts the boundaries that a process passes, and kills it at one."""

    def __init__(self, dies_at: int) -> None:
        self.passed, self.dies_at = 0, dies_at

    def __call__(self, *_: object) -> None:
        """Pass one."""
        self.passed += 1
        if self.passed == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, ledger: Ledger) -> None:
        """Before and after every statement, and before every commit."""
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(ledger.engine, name, self)


@dataclass
class Campaign:
    """Where one campaign is held and keeps its state."""

    place: Place
    ledger_url: str
    address: str

    def remote(self, name: str, boundary: Callable[[], None] = lambda: None) -> Remote:
        """The misbehaving store of one schedule."""
        return Remote(self.address, KEY, name, boundary)

    def refunds(self, order: str) -> list[int]:
        """The store's own book."""
        return self.place.refunds(order)


def forked(work: Callable[[], int]) -> int:
    """Start a child that does one thing; returns its process id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = work()
        except TowerError:
            code = 1
        except BaseException as fault:  # noqa: BLE001 - said, and counted by the parent
            print(f"{type(fault).__name__}: {fault}", file=sys.stderr, flush=True)
        os._exit(code)
    return pid


def ended(pids: list[int]) -> list[int]:
    """How children ended."""
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def clock_of(schedule: Schedule, run: int) -> Clock:
    """Real seconds, and a date that may be hours off, either way, at each look."""
    chance = random.Random(schedule.seed * 31 + run)
    off = 10_800.0 if schedule.jumps else 0.0
    return Clock(now=lambda: datetime.now(UTC) + timedelta(seconds=chance.uniform(-off, off)))


def our_run(campaign: Campaign, schedule: Schedule, run: int, dies_at: int, *, locked: bool) -> int:
    """One run of ours in this process: authorise, then act."""
    boundary = Boundaries(dies_at)
    ledger = Ledger(campaign.ledger_url)
    if locked and ledger.engine.dialect.name == "sqlite":
        event.listen(ledger.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=10"))
    store = campaign.remote(schedule.order, boundary)
    boundary.watch(ledger)
    effect = carry_out(
        ledger, store, authorise(ledger, schedule.proposal.digest, authority(), NOW), clock_of(schedule, run)
    )
    if dies_at < 0:
        print(boundary.passed, file=sys.stderr)
    return 0 if effect.state in (EffectState.confirmed, EffectState.refused) else 1


def lock_for_a_while(path: Path) -> int:
    """Somebody else's long write."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(0.15)
        other.execute("ROLLBACK")
    return 0


def disturb(campaign: Campaign, schedule: Schedule, one_run: Callable[..., int]) -> list[int]:
    """Everything that goes wrong, one wave after the other."""
    exits: list[int] = []
    lockers = []
    if schedule.locked:
        paths = [campaign.place.file] if isinstance(campaign.place, Embedded) else []
        if campaign.ledger_url.startswith("sqlite"):
            paths.append(Path(campaign.ledger_url.removeprefix("sqlite:///")))
        lockers = [forked(lambda path=path: lock_for_a_while(path)) for path in paths]
    for wave in range(schedule.redelivered + 1):
        pids = []
        for run in range(schedule.at_once):
            dies = schedule.dies_at if run == 0 and wave == 0 else 0
            number = wave * 10 + run
            pids.append(forked(lambda n=number, d=dies: one_run(campaign, schedule, n, d, locked=schedule.locked)))
        exits += ended(pids)
    ended(lockers)
    return exits


def ours(campaign: Campaign, schedule: Schedule) -> str:
    """What came of a schedule with the ledger."""
    store = campaign.remote(schedule.order)
    store.open(schedule.seed, schedule.malice, campaign.place.lag, schedule.careless)
    exits = disturb(campaign, schedule, our_run)
    store.tell("quiet")
    for again in range(2):
        exits += ended([forked(lambda n=again: our_run(campaign, schedule, 90 + n, 0, locked=False))])
    if 70 in exits:
        return "FAULT OF OURS"
    time.sleep(campaign.place.lag)
    store.effects(schedule.proposal.digest, schedule.order)
    doubled = any(malice in HARMFUL_BY_ITSELF for _, malice in store.tell("calls"))
    ledger = Ledger(campaign.ledger_url)
    try:
        return _judged(campaign, schedule, ledger, doubled=doubled)
    finally:
        ledger.engine.dispose()
        store.tell("close")


def _judged(campaign: Campaign, schedule: Schedule, ledger: Ledger, *, doubled: bool) -> str:
    paid, effect = campaign.refunds(schedule.order), find_effect(ledger, schedule.proposal.digest)
    with ledger.read() as session:
        told = session.query(EventRow).filter_by(subject=f"effect:{schedule.proposal.digest}", what=ALARM).count()
    if not schedule.ruled:
        return "nothing done without a ruling" if not paid and effect is None else "PAID WITHOUT A RULING"
    if len(paid) > 1:
        return ("the store doubled it, told" if told else "THE STORE DOUBLED IT, SILENTLY") if doubled else "PAID TWICE"
    if effect is None or effect.state in (EffectState.intended, EffectState.sent, EffectState.unknown):
        return "loudly unknown" if effect and effect.state is EffectState.unknown else "NEVER SETTLED"
    if effect.state is EffectState.confirmed:
        return "paid once, and known" if paid == [ASKED] else "CALLED PAID, AND LOST"
    return "refused, and known" if not paid else "CALLED REFUSED, AND PAID"


def plain_run(campaign: Campaign, schedule: Schedule, run: int, dies_at: int, *, locked: bool) -> int:
    """One run of the plain way: a Prefect task with retries around the store's call."""
    boundary = Boundaries((dies_at % 2) + 1 if dies_at else 0)
    store = campaign.remote(schedule.order, boundary)

    @task(retries=3, retry_delay_seconds=0, persist_result=False)
    def refund() -> None:
        asked = schedule.proposal
        store.refund(asked.digest, asked.order_id, Money(amount=ASKED, currency=schedule.currency), asked.reason)

    refund()
    return 0


def plain(campaign: Campaign, schedule: Schedule) -> str:
    """What came of the same schedule without a ledger: whoever is redelivered calls again."""
    if not schedule.ruled:
        return "nothing done without a ruling"  # as long as nobody starts it
    store = campaign.remote(schedule.order)
    store.open(schedule.seed, schedule.malice, campaign.place.lag, schedule.careless)
    exits = disturb(campaign, schedule, plain_run)
    store.tell("quiet")
    if 0 not in exits:
        exits += ended([forked(lambda: plain_run(campaign, schedule, 90, 0, locked=False))])
    time.sleep(campaign.place.lag)
    store.effects(schedule.proposal.digest, schedule.order)
    doubled = any(malice in HARMFUL_BY_ITSELF for _, malice in store.tell("calls"))
    store.tell("close")
    paid = campaign.refunds(schedule.order)
    if len(paid) > 1:
        return "THE STORE DOUBLED IT, SILENTLY" if doubled and len(paid) == 2 else "PAID TWICE"
    if 0 in exits:
        return "paid once, and known" if paid else "CALLED PAID, AND LOST"
    return "CALLED REFUSED, AND PAID" if paid else "refused, and known"


def prepare(folder: Path, place: Place, ledger_url: str, schedules: list[Schedule]) -> tuple[Campaign, list[Schedule]]:
    """An order for each schedule, and a ledger in which a person has ruled."""
    campaign = Campaign(place, ledger_url, str(folder / "store"))
    orders = place.orders([schedule.order for schedule in schedules], PAID)
    schedules = [
        replace(schedule, order=order, currency=place.currency)
        for schedule, order in zip(schedules, orders, strict=True)
    ]
    if ledger_url:
        ledger = Ledger(ledger_url)
        name = f"ana {secrets.token_hex(3)}"
        token = enrol(ledger, name, NOW, roles=("finance",)).token
        for schedule in schedules:
            record_proposals(ledger, [], [schedule.proposal], NOW)
            if schedule.ruled:
                approve(ledger, schedule.proposal.digest, name, token)
        ledger.engine.dispose()
    return campaign, schedules


def approve(ledger: Ledger, digest: str, name: str, token: str) -> None:
    """A person's ruling."""
    rule(
        ledger, digest, Verdict.approve,
        by=Token(name, token), authority=authority(), reason="", via="command", now=NOW,
    )  # fmt: skip


@contextlib.contextmanager
def served(campaign: Campaign):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """The campaign's store, in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    process = spawn.Process(target=serve, args=(campaign.address, KEY, campaign.place.inner, ready))
    process.start()
    try:
        if not ready.wait(60):
            raise TimeoutError("the store did not start")
        yield
    finally:
        process.kill()
        process.join()


def count_boundaries(folder: Path, place: Place, ledger_url: str) -> int:
    """How many boundaries an undisturbed run passes."""
    plan = Schedule(0, True, {Malice.none: 1.0}, False, 1, 0, 0, False, False, "S0")
    campaign, (quiet,) = prepare(folder, place, ledger_url, [plan])
    with served(campaign):
        campaign.remote(quiet.order).open(0, quiet.malice, place.lag, False)
        counted = folder / "counted"

        def count() -> int:
            with counted.open("w") as file:
                os.dup2(file.fileno(), 2)
                return our_run(campaign, quiet, 0, -1, locked=False)

        if ended([forked(count)]) != [0]:
            raise RuntimeError(f"an undisturbed run fails: {counted.read_text()}")
    return int(counted.read_text().split()[-1])


def run(way: Callable[[Campaign, Schedule], str], campaign: Campaign, schedules: list[Schedule]) -> Counter[str]:
    """Every schedule by one way; what is in capitals is printed as it happens."""
    came: Counter[str] = Counter()
    began = time.monotonic()
    with served(campaign):
        for number, schedule in enumerate(schedules, 1):
            outcome = way(campaign, schedule)
            came[outcome] += 1
            if (way is ours and outcome.split()[0].isupper()) or len(schedules) == 1:
                print(f"  {outcome}: {schedule}", flush=True)
            if number % 250 == 0:
                print(f"  {way.__name__}: {number:,} schedules, {time.monotonic() - began:.0f} s", flush=True)
    return came


def beside(folder: Path, place: Place, schedules: list[Schedule]) -> Counter[str]:
    """The same schedules by the plain way, on one Prefect server."""
    from prefect.settings import PREFECT_LOGGING_LEVEL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

    tower = Settings(home=folder)
    use(tower)
    logging.disable(logging.CRITICAL)  # every retry would be told at length
    with (
        running_server(tower, port=0),
        temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False, PREFECT_LOGGING_LEVEL: "CRITICAL"}),
    ):
        return run(plain, *prepare(folder, place, "", schedules))


def main() -> None:
    """Run the campaign and print its table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--schedules", type=int, default=2000)
    asked.add_argument("--plain", type=int, default=None, help="schedules for the plain way; as many by default")
    asked.add_argument("--seed", type=int, default=1, help="the first schedule's seed; the others count up")
    asked.add_argument("--only", type=int, help="one schedule's seed")
    asked.add_argument("--at", choices=NAMES, default="embedded", help="the store that it is held at")
    asked.add_argument("--cache", default=".pytest_cache/d", help="where servers are installed")
    asked.add_argument("--ledger", default="", help="URL of an empty database; a SQLite file by default")
    given = asked.parse_args()
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    cache = Path(given.cache)
    cache.mkdir(parents=True, exist_ok=True)
    first = given.seed
    seeds = [given.only] if given.only else range(first, first + given.schedules)
    with (
        tempfile.TemporaryDirectory(prefix="faults-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name,
        contextlib.ExitStack() as open_,
    ):
        folder = Path(name)
        places = {}
        for part in ("count", "ours", "plain"):
            (folder / part).mkdir()
            # A server holds all three; an embedded shop is a file for each.
            shared = places.get("count") if given.at != "embedded" else None
            places[part] = shared or open_.enter_context(place(given.at, folder / part, cache))
        ledger_url = given.ledger or f"sqlite:///{folder / 'ours' / 'ledger.db'}"
        counting = given.ledger or f"sqlite:///{folder / 'count' / 'ledger.db'}"
        boundaries = count_boundaries(folder / "count", places["count"], counting)
        schedules = [draw(seed, seed - first, boundaries) for seed in seeds]
        print(f"{given.at}: {len(schedules):,} schedules, seeds {seeds[0]} to {seeds[-1]}, {boundaries} boundaries")
        mine = run(ours, *prepare(folder / "ours", places["ours"], ledger_url, schedules))
        others = schedules[: given.plain] if given.plain is not None else schedules
        theirs = beside(folder / "plain", places["plain"], others) if others else Counter()
    table(schedules, mine, theirs)
    sys.exit(1 if any(outcome.split()[0].isupper() for outcome in mine) else 0)


def table(schedules: list[Schedule], mine: Counter[str], theirs: Counter[str]) -> None:
    """What came of it, by the two ways."""
    died = sum(1 for each in schedules if each.dies_at)
    print(
        f"\n{len(schedules):,} schedules: {died:,} with a run killed, "
        f"{sum(each.at_once == 6 for each in schedules):,} with six runs at once, "
        f"{sum(each.redelivered > 0 for each in schedules):,} redelivered, "
        f"{sum(each.jumps for each in schedules):,} with a jumping date, "
        f"{sum(each.locked for each in schedules):,} with a locked database"
    )
    print(f"\n| outcome | effect ledger ({mine.total():,}) | task with retries ({theirs.total():,}) |\n|---|---:|---:|")
    for outcome in sorted({*mine, *theirs}, key=lambda text: (text.isupper(), -mine[text])):
        print(f"| {outcome} | {mine[outcome]:,} | {theirs[outcome]:,} |")


if __name__ == "__main__":
    main()
