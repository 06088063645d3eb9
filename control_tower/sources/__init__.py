"""Where evidence comes from: adapters onto the canonical tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from control_tower.errors import MappingError, SourceError
from control_tower.identity import identity_key
from control_tower.settings import Settings

if TYPE_CHECKING:
    from control_tower.sources.protocol import Source

KINDS = ("shop", "folder", "shopify", "stripe", "woocommerce", "tracking")
# A + may stand in the name of a folder: only one before a kind of source begins the next.
NEXT = re.compile(rf"\+(?=(?:{'|'.join(KINDS[1:])}):)")


def words_of(source: str) -> list[str]:
    """The words of sources that are laid over one another, as in `folder:EXPORT+tracking:FOLDER`."""
    return NEXT.split(source)


def open_source(source: str, mapping: str | None, tower: Settings) -> Source:
    """The source that a word names, or several joined by `+`: of those, the first that has a table gives it.

    Args:
        source: `shop`, `folder:PATH`, or `shopify`, `stripe`, `woocommerce` or `tracking` with a path.
        mapping: for a folder, a mapping file or the name of a shipped one; for several, one each, joined by `+`,
            and nothing for one whose files are canonical.
        tower: where the shop and the key of hashes are.

    Raises:
        SourceError: a word names no kind of source, or a source can't be read.
        MappingError: there are more folders than mappings, or more mappings than folders.
    """
    words = words_of(source)
    given = mappings_of(words, mapping)
    opened = [_open(word, mapped, tower) for word, mapped in zip(words, given, strict=True)]
    if len(opened) == 1:
        return opened[0]
    from control_tower.sources.layered import LayeredSource

    return LayeredSource(opened)


def mappings_of(words: list[str], mapping: str | None) -> list[str | None]:
    """The mapping of each word; only folders have one."""
    folders = [word for word in words if word.startswith("folder:")]
    if mapping is None or len(words) == 1:
        return [mapping] * len(words)
    named = mapping.split("+") if len(folders) > 1 else [mapping]
    if len(named) != len(folders):
        raise MappingError(
            f"{mapping!r} names {len(named)} mappings for {len(folders)} folders",
            where="+".join(words),
            remedy="join one for each folder by +, and leave it empty where the files are canonical",
        )
    each = iter(named)
    return [(next(each) or None) if word in folders else None for word in words]


def _open(source: str, mapping: str | None, tower: Settings) -> Source:
    kind, _, path = source.partition(":")
    if kind == "shop" and not path:
        from control_tower.stores.shop import EmbeddedShop

        return EmbeddedShop(tower.shop)
    if kind == "folder" and path:
        from control_tower.sources.folder import FolderSource

        return FolderSource(path, mapping)
    if kind == "shopify" and path:
        from control_tower.sources.shopify_folder import open_shopify

        return open_shopify(path, identity_key(tower.folder))
    if kind == "stripe" and path:
        from control_tower.sources.stripe import open_stripe

        return open_stripe(path, identity_key(tower.folder))
    if kind == "woocommerce" and path:
        from control_tower.sources.woocommerce import open_woocommerce

        return open_woocommerce(path, identity_key(tower.folder))
    if kind == "tracking" and path:
        from control_tower.sources.tracking import open_tracking

        return open_tracking(path, identity_key(tower.folder))
    remedy = f"use shop, or {', '.join(f'{each}:PATH' for each in KINDS[1:])}; join several by +"
    raise SourceError(f"{source!r} is no source", remedy=remedy)
