"""What every store's hands do, and its book then shows; one suite for all of them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from control_tower.errors import OutcomeUnknown, StoreError
from control_tower.nouns import Money
from control_tower.stores.protocol import HANDS, Standing, Undo
from tests.stores.stands import Stand


@pytest.fixture(autouse=True)
def _fresh_keys() -> None:
    """A store that serves the whole session remembers the keys of other tests."""
    global _test
    _test = uuid4().hex[:8]


_test = ""


def keyed(name: str) -> str:
    return f"{_test}-{name}"


def can(stand: Stand, *actions: str) -> None:
    """Skip where this store has no such hands."""
    lacking = [action for action in actions if action not in stand.store.abilities.actions]
    if lacking:
        pytest.skip(f"this store can't {', '.join(lacking)}")


def money(stand: Stand, amount: int) -> Money:
    return Money(amount=amount, currency=stand.currency)


def test_a_refund_can_be_read_back_under_our_key(stand: Stand) -> None:
    can(stand, "refund")
    order = stand.order(3500)
    stand.store.refund(keyed("key-1"), order, money(stand, 1200), "lost in transit")
    (recorded,) = stand.store.effects(keyed("key-1"), order)
    assert (recorded.key, recorded.action, recorded.order_id) == (keyed("key-1"), "refund", order)
    assert (recorded.money, recorded.standing) == (money(stand, 1200), Standing.done)
    assert recorded.reference
    assert stand.refunds(order) == [1200]


def test_nothing_is_recorded_under_a_key_that_was_never_used(stand: Stand) -> None:
    order = stand.order()
    for key in ("never", "' OR '1'='1", "", "🚚", order):
        assert stand.store.effects(key, order) == ()


def test_each_key_has_its_own_refunds(stand: Stand) -> None:
    can(stand, "refund")
    order = stand.order(3500)
    stand.store.refund(keyed("key-1"), order, money(stand, 1000), "lost")
    stand.store.refund(keyed("key-2"), order, money(stand, 700), "late")
    assert [each.money for each in stand.store.effects(keyed("key-1"), order)] == [money(stand, 1000)]
    assert [each.money for each in stand.store.effects(keyed("key-2"), order)] == [money(stand, 700)]


def test_what_can_still_be_refunded_goes_down_with_every_refund(stand: Stand) -> None:
    can(stand, "refund")
    order = stand.order(3500)
    assert stand.store.refundable(order) == money(stand, 3500)
    stand.store.refund(keyed("key-1"), order, money(stand, 1200), "lost")
    assert stand.store.refundable(order) == money(stand, 2300)
    stand.store.refund(keyed("key-2"), order, money(stand, 2300), "lost")
    assert stand.store.refundable(order) == money(stand, 0)


def test_a_refund_above_what_was_paid_is_refused_and_changes_nothing(stand: Stand) -> None:
    can(stand, "refund")
    if stand.careless:
        pytest.skip("this store pays any amount; the hands above ask what is left before they call it")
    order = stand.order(3500)
    with pytest.raises(StoreError) as refusal:
        stand.store.refund(keyed("key-1"), order, money(stand, 3501), "lost")
    assert not isinstance(refusal.value, OutcomeUnknown)
    assert not [each for each in stand.store.effects(keyed("key-1"), order) if each.standing is Standing.done]
    assert stand.refunds(order) == []


def test_a_refund_on_an_order_that_is_not_there_is_refused(stand: Stand) -> None:
    can(stand, "refund")
    with pytest.raises(StoreError) as refusal:
        stand.store.refund(keyed("key-1"), "ch_nobody", money(stand, 100), "lost")
    assert not isinstance(refusal.value, OutcomeUnknown)
    assert stand.store.effects(keyed("key-1"), "ch_nobody") == ()


def test_a_hold_is_released_by_its_reference_and_no_other_hold_is(stand: Stand) -> None:
    can(stand, "hold", "release")
    order = stand.order()
    held = stand.store.hold(keyed("key-1"), order, "address in doubt")
    other = stand.store.hold(keyed("key-2"), order, "fraud in doubt")
    (recorded,) = stand.store.effects(keyed("key-1"), order)
    assert (recorded.action, recorded.standing, recorded.reference) == ("hold", Standing.done, held.reference)
    stand.store.release(keyed("key-3"), held.reference)
    (released,) = stand.store.effects(keyed("key-3"), order)
    assert (released.action, released.reference) == ("release", held.reference)
    with pytest.raises(StoreError):
        stand.store.release(keyed("key-4"), held.reference)
    stand.store.release(keyed("key-5"), other.reference)


def test_a_reship_gives_a_new_parcel_and_can_be_cancelled_while_it_is_here(stand: Stand) -> None:
    can(stand, "reship", "cancel_reship")
    order = stand.order()
    sent = stand.store.reship(keyed("key-1"), order, stand.parcel(order), "lost in transit")
    (recorded,) = stand.store.effects(keyed("key-1"), order)
    assert recorded.reference == sent.reference != stand.parcel(order)
    stand.store.cancel_reship(keyed("key-2"), sent.reference)
    assert [each.action for each in stand.store.effects(keyed("key-2"), order)] == ["cancel_reship"]
    with pytest.raises(StoreError):
        stand.store.cancel_reship(keyed("key-3"), sent.reference)


def test_an_action_captures_what_its_counter_action_needs(stand: Stand) -> None:
    order = stand.order()
    for action, ability in stand.store.abilities.actions.items():
        assert (ability.undo is Undo.irreversible) is (not ability.counter), action
        assert not ability.counter or ability.counter in HANDS
    if "refund" in stand.store.abilities.actions:
        stand.store.refund(keyed("key-1"), order, money(stand, 100), "lost")
        (recorded,) = stand.store.effects(keyed("key-1"), order)
        assert set(stand.store.abilities.actions["refund"].prior) <= set(recorded.prior)


def test_a_reason_is_only_ever_text(stand: Stand) -> None:
    can(stand, "refund")
    order = stand.order(3500)
    hostile = "x'); DROP TABLE refunds; -- \" } mutation { <!channel> {{7*7}} 🚚" + "a" * 3000
    stand.store.refund(keyed("key-1"), order, money(stand, 100), hostile)
    assert stand.refunds(order) == [100]
    assert len(stand.store.effects(keyed("key-1"), order)) == 1
