"""Stores: where an approved action takes effect, behind one protocol."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from control_tower.errors import StoreError
from control_tower.secret import reveal
from control_tower.settings import Settings
from control_tower.sources import words_of

if TYPE_CHECKING:
    from control_tower.stores.protocol import Store


def open_store(source: str, tower: Settings) -> Store:
    """The store whose hands act on what a source, or the first of several, told of.

    Raises:
        StoreError: the source is for reading only.
    """
    first = words_of(source)[0]  # of sources laid over one another, the first is where the orders live
    kind = first.partition(":")[0]
    if first == "shop":
        from control_tower.stores.shop import EmbeddedShop

        return EmbeddedShop(tower.shop) if tower.hostile is None else _misbehaving(tower.shop, tower.hostile)
    if kind == "stripe" and tower.stripe_key is not None:
        from control_tower.stores.stripe import StripeStore

        return StripeStore(reveal(tower.stripe_key), tower.stripe_api_url)
    if kind == "stripe":
        raise StoreError("Stripe has no hands without a key: it is for reading only", remedy="set TOWER_STRIPE_KEY")
    if kind == "shopify" and tower.shopify_shop is not None and tower.shopify_token is not None:
        from control_tower.stores.shopify import ShopifyStore

        return ShopifyStore(tower.shopify_shop, reveal(tower.shopify_token))
    if kind == "shopify":
        raise StoreError(
            "Shopify has no hands without a shop and a token: it is for reading only",
            remedy="set TOWER_SHOPIFY_SHOP and TOWER_SHOPIFY_TOKEN",
        )
    if kind == "folder" and tower.hands == "vendure":
        from control_tower.stores.vendure import VendureStore

        if tower.vendure_url is None or tower.vendure_key is None:
            raise StoreError("Vendure has no address or no key", remedy="set TOWER_VENDURE_URL and TOWER_VENDURE_KEY")
        return VendureStore(tower.vendure_url, reveal(tower.vendure_key))
    if kind == "folder" and tower.hands == "medusa":
        from control_tower.stores.medusa import MedusaStore

        if tower.medusa_url is None or tower.medusa_key is None:
            raise StoreError("Medusa has no address or no key", remedy="set TOWER_MEDUSA_URL and TOWER_MEDUSA_KEY")
        return MedusaStore(tower.medusa_url, reveal(tower.medusa_key))
    raise StoreError(
        f"{source} is for reading only: it has no hands",
        remedy="carry the action out where the orders live, or see TOWER_HANDS; the ruling is kept",
    )


@lru_cache(maxsize=4)
def _misbehaving(url: str, seed: int) -> Store:
    """One for each process, so that what it does late is done; it tries nobody's patience by being slow."""
    from control_tower.stores.hostile import MIX, HostileStore, Malice
    from control_tower.stores.shop import EmbeddedShop

    return HostileStore(EmbeddedShop(url), seed, MIX | {Malice.slow: 0.0})
