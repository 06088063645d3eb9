"""Where evidence comes from: adapters onto the canonical tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control_tower.errors import SourceError
from control_tower.settings import Settings

if TYPE_CHECKING:
    from control_tower.sources.protocol import Source


def open_source(source: str, mapping: str | None, tower: Settings) -> Source:
    """The source that a word names: `shop`, or `folder:PATH` with an optional mapping.

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
    raise SourceError(f"{source!r} is no source", remedy="use shop or folder:PATH")
