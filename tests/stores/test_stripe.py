"""Refunds through Stripe's own SDK, at two stand-ins: one that keeps Stripe's rules, and one that pays anything."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from control_tower.errors import OutcomeUnknown, StoreError
from control_tower.ledger import Ledger
from control_tower.nouns import EffectState, Money
from control_tower.stores.hostile import HostileStore, Malice
from tasks.act import carry_out
from tests.ledger.books import approved, proposal

pytest.importorskip("stripe", reason="Stripe's SDK is not installed")
SECRET = "sk_test_planted0123456789"


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture(params=["mocked_stripe", "careless_stripe"])
def stripe_stand(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.mark.large
def test_six_runs_of_one_refund_at_once_leave_one(book: Ledger, stripe_stand: Any) -> None:
    order = stripe_stand.order(3500)
    leave = approved(book, proposal(order, source="stripe"))
    with ThreadPoolExecutor(6) as pool:
        effects = list(pool.map(lambda _: carry_out(book, stripe_stand.store, leave), range(6)))
    assert {effect.state for effect in effects} == {EffectState.confirmed}
    assert stripe_stand.refunds(order) == [1200]


@pytest.mark.large
@pytest.mark.parametrize("malice", [Malice.lost_reply, Malice.error_after_commit, Malice.early_reply])
def test_a_lost_or_lying_reply_of_stripe_pays_once(book: Ledger, stripe_stand: Any, malice: Malice) -> None:
    order = stripe_stand.order(3500)
    leave = approved(book, proposal(order, source="stripe"))
    liar = HostileStore(stripe_stand.store, seed=1, mix={malice: 1}, lag=0.2)
    carry_out(book, liar, leave)
    assert carry_out(book, stripe_stand.store, leave).state is EffectState.confirmed
    assert stripe_stand.refunds(order) == [1200]


@pytest.mark.large
def test_more_than_was_paid_is_never_asked_even_of_a_service_that_would_pay_it(book: Ledger, stripe_stand: Any) -> None:
    order = stripe_stand.order(1000)
    effect = carry_out(book, stripe_stand.store, approved(book, proposal(order, amount=1001, source="stripe")))
    assert (effect.state, stripe_stand.refunds(order)) == (EffectState.refused, [])


@pytest.mark.large
def test_the_same_key_twice_is_one_refund_where_keys_are_remembered(mocked_stripe: Any) -> None:
    order, money = mocked_stripe.order(), Money(amount=500, currency="EUR")
    first = mocked_stripe.store.refund(f"same-{order}", order, money, "lost")
    again = mocked_stripe.store.refund(f"same-{order}", order, money, "lost")
    assert (first.reference, mocked_stripe.refunds(order)) == (again.reference, [500])


def test_a_stripe_that_cannot_be_reached_is_unknown_and_says_no_secret(closed_port: Callable[[], int]) -> None:
    from control_tower.stores.stripe import StripeStore

    store = StripeStore(SECRET, f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(StoreError, match="could not be read") as unread:
        store.effects("key", "ch_1")
    with pytest.raises(StoreError) as unpaid:
        store.refund("key", "ch_1", Money(amount=1, currency="EUR"), "lost")
    assert SECRET not in f"{unread.value}{unpaid.value}"
    assert not isinstance(unread.value, OutcomeUnknown)
    with pytest.raises(StoreError, match="can't hold"):
        store.hold("key", "ch_1", "fraud")


@pytest.fixture
def closed_port() -> Callable[[], int]:
    import socket

    def port() -> int:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            return int(taken.getsockname()[1])

    return port
