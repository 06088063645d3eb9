"""One tower, many shops: what is each shop's own, as settings that differ from the tower's.

`TOWER_SHOPS` names the file. A source `shop:ID` is a shop of it; any other source is the tower's one shop, as
without a file. Whoever needs what a shop may have of its own asks for its settings, and is given the tower's with
the shop's in their place.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from control_tower.errors import PolicyError, SettingError, SourceError, StoreError, nearest
from control_tower.nouns import OF_SHOP
from control_tower.secret import BLOCK
from control_tower.settings import Settings
from control_tower.shops.document import Hands, OwnShop, ShopsFile, faults
from control_tower.source_words import placed
from control_tower.written.plain_yaml import plain
from control_tower.written.refusals import refusal
from control_tower.written.validation import content_of, tree, validated

__all__ = ["OF_SHOP", "OwnShop", "acting", "find_shop", "named_in", "settings_at", "settings_of", "shops_of"]

AUTHORITY = "authority.yaml"
_NO_HANDS: dict[str, Any] = dict.fromkeys(
    ("stripe_key", "hands", "vendure_url", "vendure_key", "medusa_url", "medusa_key", "shopify_shop", "shopify_token")
)
_ADDRESS = {"stripe": "stripe_api_url", "shopify": "shopify_shop", "vendure": "vendure_url", "medusa": "medusa_url"}
_KEY = {"stripe": "stripe_key", "shopify": "shopify_token", "vendure": "vendure_key", "medusa": "medusa_key"}


def shops_of(tower: Settings) -> dict[str, OwnShop]:
    """The shops of a tower, by id; none where it has no file.

    Raises:
        SettingError: the file can't be read, or says what is not understood; names file and line.
    """
    if tower.shops is None:
        return {}
    try:
        return dict(_read(str(tower.shops.resolve()), content_of(tower.shops)).shops)
    except PolicyError as fault:
        empty = fault.what == "is no policy"
        what, remedy = ("names no shops", "it begins with `shops:`") if empty else (fault.what, fault.remedy)
        raise SettingError(what, where=fault.where, remedy=remedy) from None


@lru_cache(maxsize=8)
def _read(file: str, content: bytes) -> ShopsFile:
    written = tree(file, content)
    found = validated(ShopsFile, plain(written), written, file)
    placed = found.model_copy(update={"shops": {id: _placed(shop, Path(file)) for id, shop in found.shops.items()}})
    if wrong := faults(placed):
        raise refusal(wrong, written, file)
    return placed


def _placed(shop: OwnShop, file: Path) -> OwnShop:
    """The shop with its paths from the folder of the file."""

    def place(path: str) -> str:
        return str((file.parent / Path(path).expanduser()).resolve())

    mapping = shop.mapping and "+".join(
        place(one) if one.endswith((".yaml", ".yml")) else one for one in shop.mapping.split("+")
    )
    return shop.model_copy(
        update={
            "source": placed(shop.source, file.parent),
            "mapping": mapping,
            "database": shop.database and f"sqlite:///{place(shop.database)}",
            "policies": shop.policies and place(shop.policies),
            "authority": shop.authority and place(shop.authority),
        }
    )


def named_in(source: str) -> str:
    """The id of the shop that a source names, as `shop:berlin` does; empty for every other."""
    return source.removeprefix(OF_SHOP) if source.startswith(OF_SHOP) else ""


def find_shop(id: str, tower: Settings) -> OwnShop:
    """A shop of the file.

    Raises:
        SourceError: there is no such shop; offers the nearest.
        SettingError: the file can't be read.
    """
    known = shops_of(tower)
    if id not in known:
        remedy = nearest(id, known) if known else "name the file of your shops in TOWER_SHOPS"
        raise SourceError(f"there is no shop {id[:60]!r}", where=str(tower.shops or ""), remedy=remedy)
    return known[id]


def settings_of(source: str, tower: Settings) -> Settings:
    """The settings of whatever a source names: a shop's own, or the tower's.

    Raises:
        SourceError, SettingError: as `find_shop`.
    """
    id = named_in(source)
    return _own(find_shop(id, tower), tower) if id else tower


def settings_at(shop: str, tower: Settings) -> Settings:
    """The settings of the shop with this id: its own where the file has it, else the tower's."""
    own = shops_of(tower).get(shop)
    return _own(own, tower) if own else tower


def _own(shop: OwnShop, tower: Settings) -> Settings:
    """The tower's settings with the shop's own, and with no hands: those are asked for by `acting`."""
    beside = Path(shop.policies) / AUTHORITY if shop.policies else None
    authority = Path(shop.authority) if shop.authority else beside if beside and beside.is_file() else tower.authority
    return tower.model_copy(
        update=_NO_HANDS
        | {
            "shops": None,
            "shop_url": shop.database,
            "policies": Path(shop.policies) if shop.policies else None,
            "authority": authority,
            "slack_channel": shop.slack_channel or tower.slack_channel,
        }
    )


def acting(id: str, tower: Settings) -> tuple[str, Settings]:
    """The store that acts for a shop, and the shop's settings with the keys to that one store.

    Raises:
        StoreError: the shop has no hands, or their key is not there.
        SourceError, SettingError: as `find_shop`.
    """
    shop = find_shop(id, tower)
    own = _own(shop, tower)
    if shop.embedded:
        return "shop", own
    if shop.hands is None:
        raise StoreError(
            f"the shop {id} is for reading only: it has no hands",
            remedy=f"carry the action out in its own back office, or give it `hands` in {tower.shops}",
        )
    store = shop.hands.store
    address = {_ADDRESS[store]: shop.hands.url} if shop.hands.url else {}
    return store, own.model_copy(update=address | {_KEY[store]: _secret(id, shop.hands)})


def _secret(id: str, hands: Hands) -> SecretStr:
    if hands.key.startswith(BLOCK):
        return SecretStr(hands.key)
    secret = os.environ.get(hands.key, "")
    if not secret:
        raise StoreError(f"the hands of {id} have no key", remedy=f"set {hands.key}, which the shops' file names")
    return SecretStr(secret)
