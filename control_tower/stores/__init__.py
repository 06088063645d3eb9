"""Stores: where an approved action takes effect, behind one protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control_tower.errors import StoreError
from control_tower.settings import Settings

if TYPE_CHECKING:
    from control_tower.stores.protocol import Store


def open_store(source: str, tower: Settings) -> Store:
    """The store whose hands act on what a source told of.

    Raises:
        StoreError: the source is for reading only.
    """
    if source == "shop":
        from control_tower.stores.shop import EmbeddedShop

        return EmbeddedShop(tower.shop)
    raise StoreError(
        f"{source} is for reading only: it has no hands",
        remedy="carry the action out where the orders live; the ruling is kept",
    )
