"""Where evidence comes from: adapters onto the canonical tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control_tower.errors import SourceError
from control_tower.identity import identity_key
from control_tower.settings import Settings

if TYPE_CHECKING:
    from control_tower.sources.protocol import Source


def open_source(source: str, mapping: str | None, tower: Settings) -> Source:
    """The source that a word names: `shop`, `folder:PATH` with an optional mapping, `shopify:PATH` or `stripe:PATH`.

    Raises:
        SourceError: the word names no kind of source.
    """
    kind, _, path = source.partition(":")
    if kind == "shop" and not path:
        from control_tower.stores.shop import EmbeddedShop

        return EmbeddedShop(tower.shop)
    if kind == "folder" and path:
        from control_tower.sources.folder import FolderSource

        return FolderSource(path, mapping)
    if kind == "shopify" and path:
        from control_tower.sources.shopify import open_shopify

        return open_shopify(path, identity_key(tower.folder))
    if kind == "stripe" and path:
        from control_tower.sources.stripe import open_stripe

        return open_stripe(path, identity_key(tower.folder))
    raise SourceError(f"{source!r} is no source", remedy="use shop, folder:PATH, shopify:PATH or stripe:PATH")
