"""A shop at the command line: `--shop ID`, held against the tower's file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from control_tower.authority import ALL_SHOPS
from control_tower.errors import SettingError
from control_tower.settings import Settings
from control_tower.shops import find_shop, shops_of

EVERY = "all"
"""What a person says for every shop of the tower, those to come included."""

Shop = Annotated[str, typer.Option("--shop", help="A shop of the tower's file, where it has several.")]
OnlyShop = Annotated[str, typer.Option("--shop", help="Only what is about this shop.")]


def one_of_them(shop: str, tower: Settings) -> None:
    """Return if a shop is named where there are several, and is one of them.

    Raises:
        SettingError: none is named, and there are several.
        SourceError: there is no such shop; offers the nearest.
    """
    if shop:
        find_shop(shop, tower)
    elif there := shops_of(tower):
        raise SettingError("it is of one shop alone", where="--shop", remedy=f"one of {', '.join(there)}")


def those_named(shops: Sequence[str], tower: Settings) -> tuple[str, ...]:
    """Whom an approver rules for; whoever enrols them says so, where there are several shops.

    Raises:
        SettingError: none is named, and there are several.
        SourceError: there is no such shop; offers the nearest.
    """
    if not shops and (there := shops_of(tower)):
        remedy = f"--shop {' or --shop '.join(there)}, or --shop {EVERY}"
        raise SettingError("an approver rules for the shops that are named", where="--shop", remedy=remedy)
    if not shops or EVERY in shops:
        return (ALL_SHOPS,)
    for shop in shops:
        find_shop(shop, tower)
    return tuple(dict.fromkeys(shops))
