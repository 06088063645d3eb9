"""What the effect ledger costs: carrying out approved refunds, beside the bare call to the store.

    python bench/effects.py [--effects 300] [--at-once 1 8]

The store is the embedded shop in a file, with which the bare call is a transaction of its own; a real store takes
far longer, and the ledger's share shrinks with it. Read the ratios: both ways run in one process, one after the
other in turns, on the same disk. PostgreSQL is started on loopback for it, where it is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from places import Embedded

from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.authorised import authorise
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import record_proposals
from control_tower.ledger.rulings import rule
from control_tower.nouns import Action, EffectState, Money, Proposal, Verdict, digest_of
from control_tower.stores.shop import EmbeddedShop
from policies.authority import authority
from tasks.act import carry_out

EUR = Money(amount=1200, currency="EUR")


def proposals(orders: list[str]) -> list[Proposal]:
    """A refund of each order."""
    return [
        Proposal(
            case_id=digest_of(order)[:16], lane="bench", shop="shop", source="shop", action=Action.refund,
            order_id=order, target=order, money=EUR, rests_on={}, evidence=digest_of({}), policy="fulfilment@1",
            reason="bench", as_of=None,
        )
        for order in orders
    ]  # fmt: skip


def seconds(work: Callable[[int], object], numbers: range, at_once: int) -> float:
    """Wall time of so many pieces of work."""
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(work, numbers))
    return time.perf_counter() - began


def measure(ledger: Ledger, folder: Path, effects: int, at_once: int) -> tuple[float, float]:
    """Effects a second with the ledger, and bare calls a second, in alternating tenths."""
    shop = Embedded(folder / f"shop-{at_once}.db")
    store, now = EmbeddedShop(shop.inner.url), datetime.now(UTC)
    mark = time.monotonic_ns()
    asked = proposals(shop.orders([f"L{mark}-{number}" for number in range(effects)], 3500))
    bare = shop.orders([f"B{mark}-{number}" for number in range(effects)], 3500)
    person = f"ana {mark}"
    by, written = Token(person, enrol(ledger, person, now, roles=("finance",)).token), authority()
    record_proposals(ledger, [], asked, now)
    for one in asked:
        rule(ledger, one.digest, Verdict.approve, by=by, authority=written, reason="", via="command", now=now)
    leaves = [authorise(ledger, one.digest, written, now) for one in asked]

    def act(number: int) -> None:
        effect = carry_out(ledger, store, leaves[number], caps=written.caps)
        if effect.state is not EffectState.confirmed:
            raise SystemExit(f"an effect is {effect.state}: {effect.detail}")

    def call(number: int) -> None:
        store.refund(f"{mark}-{number}", bare[number], EUR, "bench")

    tenth = max(effects // 10, 1)
    ours, theirs = [], []
    for start in range(0, effects, tenth):
        numbers = range(start, min(start + tenth, effects))
        theirs.append(len(numbers) / seconds(call, numbers, at_once))
        ours.append(len(numbers) / seconds(act, numbers, at_once))
    return statistics.median(ours), statistics.median(theirs)


def main() -> None:
    """Measure on both databases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effects", type=int, default=300)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8])
    given = parser.parse_args()
    from tests.postgres import new_database, postgres_server

    with tempfile.TemporaryDirectory(prefix="tower-bench-") as name, contextlib.ExitStack() as open_:
        folder = Path(name)
        books = {
            "SQLite": f"sqlite:///{folder / 'ledger.db'}",
            "PostgreSQL": new_database(open_.enter_context(postgres_server())),
        }
        print("| ledger | at once | effects a second | bare calls a second | bare call takes | ledger adds |")
        print("|---|---:|---:|---:|---:|---:|")
        for book, url in books.items():
            ledger = Ledger(url)
            for at_once in given.at_once:
                ours, bare = measure(ledger, folder, given.effects, at_once)
                added = (1 / ours - 1 / bare) * 1000
                print(f"| {book} | {at_once} | {ours:.0f} | {bare:.0f} | {1000 / bare:.1f} ms | {added:.1f} ms |")
            ledger.engine.dispose()


if __name__ == "__main__":
    main()
