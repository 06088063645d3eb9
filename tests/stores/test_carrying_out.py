"""From leave to act to one effect: the store may lie, the run may die, the clock may jump; money moves once."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_tower.clock import SYSTEM, Clock
from control_tower.errors import LedgerError, OutcomeUnknown, StoreError
from control_tower.ledger import Ledger
from control_tower.ledger.effects import ALARM, find_effect
from control_tower.ledger.tables import EventRow
from control_tower.ledger.turns import turn
from control_tower.nouns import Action, EffectState
from control_tower.stores.hostile import HARMFUL_BY_ITSELF, HostileStore, JumpingClock, Malice
from tasks.act import carry_out
from tests.ledger.books import approved, proposal
from tests.stores.stands import EmbeddedStand, embedded
from tests.thorough import up_to

SOON = JumpingClock(SYSTEM, seed=1).clock


def alarms(ledger: Ledger, key: str) -> list[str]:
    with ledger.read() as session:
        return [row.detail for row in session.query(EventRow).filter_by(subject=f"effect:{key}", what=ALARM)]


@pytest.fixture
def shop(tmp_path: Path) -> EmbeddedStand:
    return embedded(tmp_path)


def test_an_authorised_refund_is_paid_once_and_the_book_says_which(ledger: Ledger, shop: EmbeddedStand) -> None:
    leave = approved(ledger, proposal(shop.order()))
    effect = carry_out(ledger, shop.store, leave)
    again = carry_out(ledger, shop.store, leave)
    assert (effect.state, effect.store_reference) == (EffectState.confirmed, "refund-1") == (again.state, "refund-1")
    assert shop.refunds("1001") == [1200]


@pytest.mark.parametrize("malice", Malice)
def test_however_a_store_lies_money_moves_once_or_a_person_is_told(
    ledger: Ledger, shop: EmbeddedStand, malice: Malice
) -> None:
    clock = JumpingClock(SYSTEM, seed=7).clock
    store = HostileStore(shop.store, seed=3, mix={malice: 1}, clock=clock)
    leave = approved(ledger, proposal(shop.order()))
    first = carry_out(ledger, store, leave, clock)
    store._mix = {Malice.none: 1}
    last = carry_out(ledger, store, leave, clock)
    paid = shop.refunds("1001")
    if malice is Malice.failed:
        assert (paid, last.state) == ([], EffectState.refused)
        assert "Failed" in last.detail
    elif malice in HARMFUL_BY_ITSELF:
        assert (paid, last.state) == ([1200, 1200], EffectState.confirmed)
        assert "did it 2 times" in alarms(ledger, last.key)[0]
    else:
        assert (paid, last.state) == ([1200], EffectState.confirmed)
        assert not alarms(ledger, last.key)
    recorded_at_once = malice not in (Malice.lost_request, Malice.never, Malice.rate_limited)
    assert (first.state is EffectState.unknown) is not recorded_at_once


def test_a_store_that_calls_it_refused_and_did_it_is_not_believed(ledger: Ledger, shop: EmbeddedStand) -> None:
    store = HostileStore(shop.store, seed=3, mix={Malice.error_after_commit: 1}, clock=SOON)
    effect = carry_out(ledger, store, approved(ledger, proposal(shop.order())), SOON)
    assert (effect.state, shop.refunds("1001")) == (EffectState.confirmed, [1200])


def test_a_careless_store_is_never_asked_for_more_than_is_left(ledger: Ledger, shop: EmbeddedStand) -> None:
    store = HostileStore(shop.store, seed=3, mix={Malice.none: 1}, clock=SOON)
    effect = carry_out(ledger, store, approved(ledger, proposal(shop.order(1000), amount=1001)), SOON)
    assert (effect.state, shop.refunds("1001"), store.calls) == (EffectState.refused, [], [])
    assert "EUR 10.00 can be refunded" in effect.detail


def test_what_a_store_recorded_with_another_amount_raises_an_alarm(ledger: Ledger, shop: EmbeddedStand) -> None:
    leave = approved(ledger, proposal(shop.order()))
    shop.store.refund(leave.proposal.digest, "1001", leave.proposal.money.model_copy(update={"amount": 900}), "typed")
    effect = carry_out(ledger, shop.store, leave)
    assert (effect.state, shop.refunds("1001")) == (EffectState.confirmed, [900])
    assert alarms(ledger, effect.key) == ["the store recorded EUR 9.00 where EUR 12.00 was approved"]


def test_while_one_effect_is_unknown_no_other_acts_on_its_order(ledger: Ledger, shop: EmbeddedStand) -> None:
    order = shop.order()
    deaf = HostileStore(shop.store, seed=3, mix={Malice.lost_request: 1}, clock=SOON)
    first, second = approved(ledger, proposal(order)), approved(ledger, proposal(order, amount=500))
    assert carry_out(ledger, deaf, first, SOON).state is EffectState.unknown
    with pytest.raises(OutcomeUnknown, match="goes first"):
        carry_out(ledger, shop.store, second)
    assert shop.refunds(order) == []
    carry_out(ledger, shop.store, first)
    carry_out(ledger, shop.store, second)
    assert shop.refunds(order) == [500, 1200]


def test_a_store_that_cannot_be_read_afterwards_leaves_it_unknown_until_it_can(
    ledger: Ledger, shop: EmbeddedStand, tmp_path: Path
) -> None:
    class Blind(HostileStore):
        def effects(self, key: str, order_id: str):  # type: ignore[no-untyped-def]
            if self.calls:
                raise StoreError("could not be read: the network is gone")
            return super().effects(key, order_id)

    leave = approved(ledger, proposal(shop.order()))
    effect = carry_out(ledger, Blind(shop.store, seed=1, mix={Malice.none: 1}, clock=SOON), leave, SOON)
    assert effect.state is EffectState.unknown
    assert "network is gone" in effect.detail
    assert carry_out(ledger, shop.store, leave).state is EffectState.confirmed
    assert shop.refunds("1001") == [1200]


def test_six_runs_of_one_approved_refund_at_once_pay_once_and_all_say_so(ledger: Ledger, shop: EmbeddedStand) -> None:
    leave = approved(ledger, proposal(shop.order()))
    with ThreadPoolExecutor(6) as pool:
        effects = list(pool.map(lambda _: carry_out(ledger, shop.store, leave), range(6)))
    assert {effect.state for effect in effects} == {EffectState.confirmed}
    assert shop.refunds("1001") == [1200]


def test_two_refunds_of_one_payment_take_turns(ledger: Ledger, shop: EmbeddedStand) -> None:
    order = shop.order(2000)
    leaves = [approved(ledger, proposal(order, amount=amount)) for amount in (1200, 1300)]
    with ThreadPoolExecutor(2) as pool:
        effects = list(pool.map(lambda leave: carry_out(ledger, shop.store, leave), leaves))
    assert sorted(effect.state for effect in effects) == [EffectState.confirmed, EffectState.refused]
    assert len(shop.refunds(order)) == 1


def in_a_child(work: Callable[[], object]) -> int:
    """How a forked process ended that did this work."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - the parent sees the code
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Killer(HostileStore):
    """Kills its caller's process once the store has acted."""

    def _reply(self, malice: Malice, effect: object) -> object:  # type: ignore[override]
        os.kill(os.getpid(), signal.SIGKILL)
        return effect


def test_a_run_killed_with_its_turn_leaves_it_to_the_next(ledger: Ledger, shop: EmbeddedStand) -> None:
    leave = approved(ledger, proposal(shop.order()))
    ledger.engine.dispose()

    def die() -> None:
        book = Ledger(ledger.url)
        carry_out(book, Killer(shop.store, seed=1, mix={Malice.none: 1}), leave)

    assert in_a_child(die) == -signal.SIGKILL
    assert find_effect(ledger, leave.proposal.digest).state is EffectState.sent
    assert carry_out(ledger, shop.store, leave).state is EffectState.confirmed
    assert shop.refunds("1001") == [1200]


def test_a_slow_run_keeps_its_turn_however_late_the_clock_says_it_is(ledger: Ledger, shop: EmbeddedStand) -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow(HostileStore):
        def refund(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            inside.set()
            go_on.wait(20)
            return super().refund(*args, **kwargs)

    leave = approved(ledger, proposal(shop.order()))
    ticks = iter(range(0, 100_000, 10))
    hurried = Clock(now=JumpingClock(SYSTEM, seed=2).clock.now, ticks=lambda: float(next(ticks)), sleep=lambda _: None)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(carry_out, ledger, Slow(shop.store, seed=1, mix={Malice.none: 1}, lag=0), leave)
        assert inside.wait(20)
        with pytest.raises(OutcomeUnknown, match="another run is acting"):
            carry_out(ledger, shop.store, leave, hurried)
        go_on.set()
        assert slow.result().state is EffectState.confirmed
    assert shop.refunds("1001") == [1200]


def test_turns_on_different_orders_do_not_wait_for_each_other(ledger: Ledger) -> None:
    with turn(ledger, "1001", ""), turn(ledger, "1002", "", patience=0) as mine:
        mine.check()
    with turn(ledger, "1001", "", patience=5):  # PostgreSQL gives a turn back when its connection has ended
        pass


def test_a_turn_is_lost_with_the_connection_and_nothing_is_called(ledger: Ledger) -> None:
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("the kernel keeps the turn of a ledger in a file")
    from sqlalchemy import text

    with turn(ledger, "1001", "") as mine:
        with ledger.engine.connect() as other:
            other.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            )
        with pytest.raises(OutcomeUnknown, match="turn was lost"):
            mine.check()
    with turn(ledger, "1001", "", patience=5):
        pass


def test_a_ledger_that_cannot_be_written_calls_no_store(tmp_path: Path, shop: EmbeddedStand) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    leave = approved(ledger, proposal(shop.order()))
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.rollback()
        # the pool has this one connection to give again
    with pytest.raises(LedgerError, match="readonly"):
        carry_out(ledger, shop.store, leave)
    assert shop.refunds("1001") == []
    ledger.engine.dispose()
    assert carry_out(ledger, shop.store, leave).state is EffectState.confirmed


def test_a_full_disk_after_the_payment_loses_nothing(tmp_path: Path, shop: EmbeddedStand) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    leave = approved(ledger, proposal(shop.order()))

    class Filling(HostileStore):
        """While it pays, the ledger's disk fills up."""

        def _reply(self, malice: Malice, effect: object) -> object:  # type: ignore[override]
            with ledger.engine.connect() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
                connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
                connection.rollback()
            return effect

    held = "x" * 400_000
    with pytest.raises(LedgerError, match="full"):
        store = Filling(shop.store, seed=1, mix={Malice.none: 1}, lag=0)
        effect = carry_out(ledger, store, leave)
        for number in range(50):  # a small ledger has room in its last pages
            with ledger.write() as session:
                session.add(EventRow(subject=f"filler:{number}", what="filler", detail=held, at=effect.at))
    ledger.engine.dispose()
    assert carry_out(ledger, shop.store, leave).state is EffectState.confirmed
    assert shop.refunds("1001") == [1200]


def test_a_locked_shop_leaves_it_unknown_and_the_next_run_settles_it(
    tmp_path: Path, shop: EmbeddedStand, ledger: Ledger
) -> None:
    leave = approved(ledger, proposal(shop.order()))
    from sqlalchemy import event

    event.listen(shop.store.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50"))
    with sqlite3.connect(shop.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert carry_out(ledger, shop.store, leave).state is EffectState.unknown
        other.execute("ROLLBACK")
    assert carry_out(ledger, shop.store, leave).state is EffectState.confirmed
    assert shop.refunds("1001") == [1200]


@pytest.mark.slow
@settings(max_examples=up_to(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), redelivered=st.integers(1, 6), careless=st.booleans())
def test_whatever_the_store_does_and_however_often_it_is_redelivered(
    tmp_path_factory: pytest.TempPathFactory, seed: int, redelivered: int, careless: bool
) -> None:
    folder = tmp_path_factory.mktemp("drawn")
    shop, ledger = embedded(folder), Ledger(f"sqlite:///{folder / 'ledger.db'}")
    clock = JumpingClock(SYSTEM, seed).clock
    mix = {malice: 1.0 for malice in Malice if malice not in HARMFUL_BY_ITSELF}
    store = HostileStore(shop.store, seed, mix, clock=clock, careless=careless)
    leave = approved(ledger, proposal(shop.order()))
    for _ in range(redelivered):
        effect = carry_out(ledger, store, leave, clock)
    clock.sleep(store.lag)
    store.effects(effect.key, "1001")
    paid = shop.refunds("1001")
    assert paid in ([], [1200])
    if effect.state is EffectState.confirmed:
        assert paid == [1200]
    if effect.state is EffectState.refused:
        assert paid == []
    ledger.engine.dispose()


def test_a_reship_and_a_hold_are_carried_out_once_too(ledger: Ledger, shop: EmbeddedStand) -> None:
    sent, held = shop.order(), shop.order()
    for asked in (
        proposal(sent, action=Action.reship, target=shop.parcel(sent)),
        proposal(held, action=Action.hold),
    ):
        leave = approved(ledger, asked)
        for _ in range(2):
            assert carry_out(ledger, shop.store, leave).state is EffectState.confirmed
        assert len(shop.store.effects(asked.digest, asked.order_id)) == 1
