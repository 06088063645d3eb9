"""Which other variant of a product is wished for, as far as its options are spoken of, and whether there is one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.policies.tau2.shop import Customer, Item, Shop
from tests.policies.tau2.wishes import Wish
from tests.policies.tau2.words import spoken

ALL_ELSE_SAME = re.compile(
    r"\bsame one\b|\b(?:all|changing)(?: the)? other (?:options|specs|specifications|features)\b", re.I
)
SAME_ITEM = re.compile(r"\bsame (?:exact )?(?:item|specs|specifications|product)\b", re.I)
UNWANTED = re.compile(r"\b(?:instead of|rather than)\b[^,.;]*")
SIZES = {"S": "small", "M": "medium", "L": "large"}


def other_item(shop: Shop, customer: Customer, item: Item, words: str) -> dict[str, Any]:
    """Whether there is another variant as it is wished, and whether the gift card can pay for it.

    Args:
        words: those of the wish that are about this item. What they don't speak of may be anything, unless
            they say that it stays the same.
    """
    variants = [one for one in shop.variants[item.product] if one.item_id != item.item_id]
    numbered = [one for one in variants if one.item_id in words]
    available = [one for one in numbered or variants if one.available and (numbered or _fits(shop, words, item, one))]
    more = min((one.price - item.price for one in available), default=0.0)
    wished = [pair for one in variants for pair in spoken_options(words, one.options).items()]
    other = bool(numbered) or any(value != item.options[name] for name, value in wished)
    return {
        "different_option": other or not SAME_ITEM.search(words),
        "item_available": bool(available),
        "gift_card_covers": customer.gift_card is not None and more <= customer.gift_card,
    }


def _fits(shop: Shop, words: str, item: Item, other: Item) -> bool:
    """Whether a variant has, of every option that is spoken of, a value that is spoken of: the new one, if any."""
    for name, value in other.options.items():
        named = {one.options[name] for one in shop.variants[item.product] if _says(words, one.options[name])}
        wanted = named - {item.options[name]} or named
        if not wanted and (ALL_ELSE_SAME.search(words) or _kept(words, name)):
            wanted = {item.options[name]}
        if wanted and value not in wanted:
            return False
    return True


def own_words(wish: Wish, product: str) -> str:
    """The words of a wish that are about one product: from its name to the next product's."""
    mine = spoken(product).search(wish.words)
    if mine is None or len(wish.mentions) < 2:
        return wish.words
    others = [name for mention in wish.mentions for name in mention if product not in mention]
    starts = [found.start() for name in others for found in spoken(name).finditer(wish.words)]
    return wish.words[mine.start() : min((start for start in starts if start > mine.start()), default=None)]


def spoken_options(words: str, options: Mapping[str, str]) -> dict[str, str]:
    """The options of an item that are spoken of."""
    return {name: value for name, value in options.items() if _says(words, value)}


def _kept(words: str, option: str) -> bool:
    """Whether an option is to stay as it is: "of the same size"."""
    return bool(re.search(rf"\b(?:same|keep(?:ing)?)\b[^.;]*\b{re.escape(option.split()[-1])}\b", words, re.I))


def _says(words: str, value: str) -> bool:
    """Whether a value of an option is spoken of; yes, no and bare numbers say nothing without their option."""
    words = UNWANTED.sub(" ", words)
    if value in ("yes", "no", "none"):
        return False
    if value.isdigit():
        return bool(re.search(rf"\bsize {value}\b|\b{value}[- ]pieces?\b", words, re.I))
    if value in SIZES:
        return bool(re.search(rf"\b(?:{value}|(?i:{SIZES[value]}))\b", words))
    pattern = re.escape(value).replace(r"\-", "[- ]").replace(r"\ ", "[- ]?").replace("ft", "(?:ft|foot|feet)")
    return bool(re.search(rf"(?<!\w){pattern}(?!\w)", words, re.I))
