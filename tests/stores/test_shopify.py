"""Shopify's hands, at a stand-in that executes the published schema: paid once, our holds alone, and clear refusals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from control_tower.errors import StoreBusy, StoreError
from control_tower.ledger import Ledger
from control_tower.nouns import Action, EffectState, Money
from control_tower.stores import shopify_api
from control_tower.stores.protocol import Standing
from control_tower.stores.shopify import ShopifyStore
from tasks.act import carry_out
from tests.ledger.books import approved, proposal
from tests.stores.shopify_stand import TOKEN, ShopifyStand, published_schema


@pytest.fixture
def shop(shopify: ShopifyStand) -> ShopifyStand:
    shopify.shop.status_of_refunds = "SUCCESS"
    return shopify


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def test_every_operation_is_in_the_published_schema(request: pytest.FixtureRequest) -> None:
    assert request.config.cache
    schema = published_schema(request.config.cache.mkdir("shopify"))
    import graphql

    for operation in shopify_api.ALL:
        assert graphql.validate(schema, graphql.parse(operation)) == []
    assert graphql.validate(schema, graphql.parse(shopify_api.REFUND.replace("refund {", "refunded {"))) != []
    assert "allowOverRefunding" not in "".join(shopify_api.ALL)


@pytest.mark.parametrize("fault", ["lost_replies", "failures_after_commit"])
def test_a_reply_that_is_lost_or_lies_pays_once(shop: ShopifyStand, book: Ledger, fault: str) -> None:
    order = shop.order()
    leave = approved(book, proposal(order, source="shopify:payloads"))
    setattr(shop.shop, fault, 1)
    assert carry_out(book, shop.store, leave).state is EffectState.confirmed
    assert carry_out(book, shop.store, leave).state is EffectState.confirmed
    assert shop.refunds(order) == [1200]


def test_six_runs_at_once_pay_once(shop: ShopifyStand, book: Ledger) -> None:
    order = shop.order()
    leave = approved(book, proposal(order, source="shopify:payloads"))
    with ThreadPoolExecutor(6) as pool:
        effects = list(pool.map(lambda _: carry_out(book, shop.store, leave), range(6)))
    assert {effect.state for effect in effects} == {EffectState.confirmed}
    assert shop.refunds(order) == [1200]


def test_a_throttled_shop_is_asked_again_later_and_nothing_is_lost(shop: ShopifyStand, book: Ledger) -> None:
    order = shop.order()
    shop.shop.throttled = 1
    with pytest.raises(StoreError, match="can't be read: Shopify asks us to come again later"):
        carry_out(book, shop.store, approved(book, proposal(order, source="shopify:payloads")))
    assert shop.refunds(order) == []
    shop.shop.throttled = 1
    with pytest.raises(StoreBusy):
        shop.store._act(shopify_api.LOG, {"metafields": []}, "order", "metafieldsSet")  # type: ignore[attr-defined]


@pytest.mark.parametrize(("status", "state"), [("PENDING", EffectState.unknown), ("FAILURE", EffectState.refused)])
def test_a_refund_counts_when_its_transaction_does(
    shop: ShopifyStand, book: Ledger, status: str, state: EffectState
) -> None:
    order = shop.order()
    shop.shop.status_of_refunds = status
    leave = approved(book, proposal(order, source="shopify:payloads"))
    assert carry_out(book, shop.store, leave).state is state
    assert shop.refunds(order) == []


def test_every_part_of_an_order_is_held_and_only_our_hold_is_released(shop: ShopifyStand, book: Ledger) -> None:
    order = shop.order()
    theirs = {"id": "gid://shopify/FulfillmentHold/7", "handle": "", "heldByRequestingApp": False, "reasonNotes": "x"}
    shop.parts(order)[0]["fulfillmentHolds"].append(theirs)
    held = carry_out(book, shop.store, approved(book, proposal(order, action=Action.hold, source="shopify:p")))
    assert held.state is EffectState.confirmed
    assert [len(part["fulfillmentHolds"]) for part in shop.parts(order)] == [2, 1]
    shop.store.release("release-key", held.store_reference)
    assert [part["fulfillmentHolds"] for part in shop.parts(order)] == [[theirs], []]
    with pytest.raises(StoreError, match="no open hold of ours"):
        shop.store.release("another", held.store_reference)


def test_a_hold_that_broke_off_half_way_is_completed_and_not_doubled(shop: ShopifyStand, book: Ledger) -> None:
    order = shop.order()
    leave = approved(book, proposal(order, action=Action.hold, source="shopify:p"))
    shop.shop.lost_replies = 1
    assert carry_out(book, shop.store, leave).state is EffectState.unknown
    (half,) = shop.store.effects(leave.proposal.digest, order)
    assert half.standing is Standing.pending
    shop.store.hold(leave.proposal.digest, order, "again")
    assert [len(part["fulfillmentHolds"]) for part in shop.parts(order)] == [1, 1]
    assert carry_out(book, shop.store, leave).state is EffectState.confirmed


def test_a_wrong_token_is_told_and_never_shown(shop: ShopifyStand) -> None:
    stranger = ShopifyStore(shop.url, "shpat_other_secret")
    with pytest.raises(StoreError, match="refuses the key") as refusal:
        stranger.refundable(shop.order())
    assert "shpat" not in str(refusal.value)
    assert TOKEN not in repr(vars(stranger))


def test_what_was_paid_in_another_currency_and_what_has_no_place_for_a_key_is_refused(shop: ShopifyStand) -> None:
    order = shop.order()
    shop.shop.orders[f"gid://shopify/Order/{order}"]["presentmentCurrencyCode"] = "USD"
    with pytest.raises(StoreError, match="was paid in USD in a shop of EUR"):
        shop.store.refund("key", order, Money(amount=100, currency="EUR"), "lost")
    with pytest.raises(StoreError, match="no place for our key"):
        shop.store.reship("key", order, "1", "lost")


def returned(shop: ShopifyStand, order: str) -> str:
    """A return of an order, as Shopify numbers it."""
    made = shop.shop.new("Return")
    shop.shop.orders[f"gid://shopify/Order/{order}"]["returned"].append({"id": made, "status": "OPEN"})
    return made.rpartition("/")[2]


@pytest.mark.parametrize("fault", ["", "lost_replies", "failures_after_commit"])
def test_a_refund_of_a_return_goes_through_the_return_and_is_paid_once(
    shop: ShopifyStand, book: Ledger, fault: str
) -> None:
    order = shop.order()
    target = returned(shop, order)
    shop.store.refund("someone-elses", order, Money(amount=1200, currency="EUR"), "before", target)
    leave = approved(book, proposal(order, target=target, source="shopify:p"))
    digest = leave.proposal.digest
    assert shop.store.effects(digest, order) == (), "an earlier refund of this return is none of ours"
    if fault:  # the announcement is written first; what follows it is what fails
        shop.store._log(shop.store._order(order), announced(digest, target, shop, order), "return")  # type: ignore[attr-defined]
        setattr(shop.shop, fault, 1)
    assert carry_out(book, shop.store, leave).state is EffectState.confirmed
    assert carry_out(book, shop.store, leave).state is EffectState.confirmed
    assert shop.refunds(order) == [1200, 1200]
    (mine,) = shop.store.effects(digest, order)
    assert mine.money == Money(amount=1200, currency="EUR")


def announced(digest: str, target: str, shop: ShopifyStand, order: str) -> dict[str, object]:
    before = [refund["id"] for refund in shop.shop.orders[f"gid://shopify/Order/{order}"]["book"]]
    return {
        "key": digest, "action": "refund", "target": f"gid://shopify/Return/{target}", "amount": 1200, "before": before,
    }  # fmt: skip


def test_a_return_of_another_order_is_refused(shop: ShopifyStand) -> None:
    mine, other = shop.order(), shop.order()
    with pytest.raises(StoreError, match="no open return of this order"):
        shop.store.refund("key", mine, Money(amount=100, currency="EUR"), "back", returned(shop, other))
