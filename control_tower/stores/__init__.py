"""Stores: where an approved action takes effect, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from control_tower.errors import StoreError
from control_tower.secret import reveal
from control_tower.settings import Settings
from control_tower.shops import acting, named_in
from control_tower.source_words import words_of

if TYPE_CHECKING:
    from control_tower.stores.protocol import Store


def open_store(source: str, tower: Settings) -> Store:
    """The store whose hands act on what a source, or the first of several, told of; for `shop:ID`, that shop's.

    Raises:
        StoreError: the source is for reading only.
    """
    if id := named_in(source):
        kind, own = acting(id, tower)
        return STORES[kind](own)
    kind = words_of(source)[0].partition(":")[0]  # of sources laid over one another, the first has the orders
    kind = (tower.hands or kind) if kind == "folder" else kind
    if kind not in STORES:
        raise StoreError(
            f"{source} is for reading only: it has no hands",
            remedy="carry the action out where the orders live, or see TOWER_HANDS; the ruling is kept",
        )
    return STORES[kind](tower)


def _embedded(tower: Settings) -> Store:
    from control_tower.stores.shop import EmbeddedShop

    return EmbeddedShop(tower.shop) if tower.hostile is None else _misbehaving(tower.shop, tower.hostile)


def _stripe(tower: Settings) -> Store:
    if tower.stripe_key is None:
        raise StoreError("Stripe has no hands without a key: it is for reading only", remedy="set TOWER_STRIPE_KEY")
    from control_tower.stores.stripe import StripeStore

    return StripeStore(reveal(tower.stripe_key), tower.stripe_api_url)


def _shopify(tower: Settings) -> Store:
    if tower.shopify_shop is None or tower.shopify_token is None:
        raise StoreError(
            "Shopify has no hands without a shop and a token: it is for reading only",
            remedy="set TOWER_SHOPIFY_SHOP and TOWER_SHOPIFY_TOKEN",
        )
    from control_tower.stores.shopify import ShopifyStore

    return ShopifyStore(tower.shopify_shop, reveal(tower.shopify_token))


def _vendure(tower: Settings) -> Store:
    if tower.vendure_url is None or tower.vendure_key is None:
        raise StoreError("Vendure has no address or no key", remedy="set TOWER_VENDURE_URL and TOWER_VENDURE_KEY")
    from control_tower.stores.vendure import VendureStore

    return VendureStore(tower.vendure_url, reveal(tower.vendure_key))


def _medusa(tower: Settings) -> Store:
    if tower.medusa_url is None or tower.medusa_key is None:
        raise StoreError("Medusa has no address or no key", remedy="set TOWER_MEDUSA_URL and TOWER_MEDUSA_KEY")
    from control_tower.stores.medusa import MedusaStore

    return MedusaStore(tower.medusa_url, reveal(tower.medusa_key))


STORES: dict[str, Callable[[Settings], Store]] = {
    "shop": _embedded,
    "stripe": _stripe,
    "shopify": _shopify,
    "vendure": _vendure,
    "medusa": _medusa,
}
"""How each kind of store is opened, with the addresses and keys of some settings."""


@lru_cache(maxsize=4)
def _misbehaving(url: str, seed: int) -> Store:
    """One for each process, so that what it does late is done; it tries nobody's patience by being slow."""
    from control_tower.stores.hostile import MIX, HostileStore, Malice
    from control_tower.stores.shop import EmbeddedShop

    return HostileStore(EmbeddedShop(url), seed, MIX | {Malice.slow: 0.0})
