"""Where evidence comes from: adapters onto the canonical tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control_tower.errors import MappingError, SourceError
from control_tower.identity import identity_key
from control_tower.settings import Settings
from control_tower.shops import find_shop, named_in, settings_of, shops_of
from control_tower.source_words import KINDS, placed, words_of

if TYPE_CHECKING:
    from control_tower.sources.protocol import Source


def open_source(source: str, mapping: str | None, tower: Settings) -> Source:
    """The source that a word names, or several joined by `+`: of those, the first that has a table gives it.

    Args:
        source: `shop`, `folder:PATH`, or `shopify`, `stripe`, `woocommerce` or `tracking` with a path; or `shop:ID`,
            a shop of the tower's file.
        mapping: for a folder, a mapping file or the name of a shipped one; for several, one each, joined by `+`,
            and nothing for one whose files are canonical.
        tower: where the shop and the key of hashes are.

    Raises:
        SourceError: a word names no kind of source, or a source can't be read.
        MappingError: there are more folders than mappings, or more mappings than folders.
    """
    if id := named_in(source):
        return _open_named(id, mapping, tower)
    words = words_of(source)
    given = mappings_of(words, mapping)
    opened = [_open(word, mapped, tower) for word, mapped in zip(words, given, strict=True)]
    found = opened[0]
    if len(opened) > 1:
        from control_tower.sources.layered import LayeredSource

        found = LayeredSource(opened)
    if tower.shops:
        _nobody_elses(source, found, tower)
    return found


def _nobody_elses(source: str, found: Source, tower: Settings) -> None:
    """Refuse what is a shop of the file: under two ids, one order would be asked about twice and paid twice."""
    for id, shop in shops_of(tower).items():
        same = shop.database == tower.shop if source == "shop" else shop.source == placed(source)
        if same or found.shop.id == id:
            what = "is read by" if same else "calls itself as"
            raise SourceError(f"{what} the shop {id} of {tower.shops}", where=source, remedy=f"use shop:{id}")


def _open_named(id: str, mapping: str | None, tower: Settings) -> Source:
    """A shop of the tower's file: its own source, under the id and with the calendar that the file gives it."""
    from control_tower.sources.own import OwnSource

    if mapping is not None:
        raise MappingError("a shop has its mapping in the shops' file", where=f"shop:{id}", remedy="leave it out here")
    shop, own = find_shop(id, tower), settings_of(f"shop:{id}", tower)
    return OwnSource(id, shop, open_source(shop.source, shop.mapping, own))


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
