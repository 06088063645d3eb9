"""The words that the reader knows: verbs of wishing, names of products and payment methods, and what ifs say."""

from __future__ import annotations

import re
from collections.abc import Mapping

Mention = tuple[str, ...]  # the products that one word may mean: "watch" is a Smart Watch or a Wristwatch

# Everyday words for products, beside the full name and its last word.
EVERYDAY = {
    "Bookshelf": "book ?shel(?:f|ves)",
    "Coffee Maker": "coffee machine",
    "Dumbbell Set": "dumbbells?",
    "Espresso Machine": "coffee machine|espresso",
    "Jigsaw Puzzle": "jigsaws?",
    "Luggage Set": "luggage",
    "Makeup Kit": "make-?up",
    "Running Shoes": "shoes?",
    "Smartphone": "phones?",
    "Sneakers": "shoes?",
    "T-Shirt": "t[- ]?shirts?",
    "Vacuum Cleaner": "vacuums?",
    "Wristwatch": "watch(?:es)?",
}
TOO_COMMON = {"set", "kit"}  # last words that mean nothing alone

VERBS = {
    "something_else": r"undo(?: cancel\w*)?|un-?cancel|reorder",
    "ruled_out": r"split|add(?= [^.]*\bto (?:your|the|an) (?:\w+ )?order)",
    "return": r"return(?:ing)?|sen[dt](?:ing)? (?:\w+ )?back|refund(?= (?:or|the|your)\b)",
    "exchange": r"exchang(?:e|ing)|replac(?:e|ing)|swap",
    "modify": r"modify(?:ing)?|chang(?:e|ing)|switch|upgrad(?:e|ing)|adjust|update|correct",
    "cancel": r"cancel(?:l?ing)?|remov(?:e|ing)",
    "a_person": r"human(?: representative| agent)?",
}
VERB = re.compile("|".join(rf"(?P<{name}>\b(?:{words})\b)" for name, words in VERBS.items()), re.I)
PASSIVE = re.compile(r"\b(?:be|is|are|been) (?P<verb>return|exchang|cancel|modifi|chang)(?:l?ed|ied)\b", re.I)
STEMS = {"return": "return", "exchang": "exchange", "cancel": "cancel", "modifi": "modify", "chang": "modify"}
A_NOUN = re.compile(r"\b(?:the|an?|any|no|this|that|these|full|total|for|of|your)\s+$", re.I)
NOT_MEANT = re.compile(r"\s+(?:your(?:self)? mind|their mind|yourself|policy|label|amount)\b", re.I)
NEGATED = re.compile(r"(?:\bnot|n't|\bnever|\bno|\bwithout)(?:\s+\w+){0,3}\s+$", re.I)
LATER = re.compile(r"\blater\b", re.I)
STOPPED = re.compile(r"(?:n't|\bnot)(?: to)? (?:do (?:it|anything)|process anything)|do it yourself", re.I)
REGRETTED = re.compile(r"\bregrets?\b|\bchanges? (?:your|their) mind|want to keep (?:it|them)\b", re.I)

SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+|\s[\u2014\u2013-]\s|[()]")
IF = re.compile(r"\b(?:if and only if|if)\b", re.I)
ASKED_WHETHER = re.compile(r"(?:\b(?:see|check|know|wonders?|sure|whether)|\bask(?:s|ing)?(?: the agent)?)\s*$", re.I)
THEN = re.compile(r",|\bthen\b|\s(?=you (?:want|would|prefer|ask|are)|you'd|just (?:cancel|return|exchange|do))", re.I)

ALL = re.compile(
    r"\b(?:everything|both (?:of them|orders|items)|each order|all of (?:them|it)"
    r"|all (?:\w+ ){0,3}(?:items|things|orders|stuff))\b",
    re.I,
)
ORDER = re.compile(r"\b(?:whole|entire|the|that|this|an|your|pending|older|old) order\b", re.I)
# Where a thing is, why it is wished and what it came with: no objects of the wish.
ASIDE = re.compile(
    r"\b(?:from|in|inside|of) (?:an?|the|that|this|your|one of your|another)(?: \w+)? orders?\b"
    r"|\b(?:because|since|so that|due to|with the)\b[^,.]*",
    re.I,
)
NUMBER = re.compile(r"#?W\d{7}\b")
SPARED = re.compile(r"\b(?:except|but not|apart from|other than|keep)\b", re.I)
ADDRESS = re.compile(r"\baddress(?:es)?\b", re.I)
PROFILE = re.compile(r"\b(?:user|default|account|profile)(?: \w+)? address", re.I)
PAYMENT = re.compile(r"\bpayment(?: method)?\b", re.I)
ONLY = re.compile(r"\bonly\b", re.I)

METHODS = {
    "gift_card": r"gift ?card|\bGC\b",
    "paypal": r"paypal",
    "credit_card": r"(?<!gift )(?<!other )\bcard\b|\bamex\b|\bvisa\b|mastercard",
    "original": r"\boriginal (?:payment|method)",
    "another": r"other order's payment",
}
PAID = re.compile(r"refund|paypal for|pay(?:ment)?\b|difference|\buse (?:the|your)|account|charges", re.I)
SOFT = re.compile(r"prefer|if possible|otherwise|accepted|fine|rather|initially", re.I)

# What the words after an if say.
PRICE = re.compile(r"\b(less|lower|cheaper|under|below|greater|more|over|above) than \$?([\d,]+(?:\.\d+)?)", re.I)
REFUSED = re.compile(
    r"not possible|impossible|can ?not|can't|unable|not available|(?:n't|not) (?:allow|work|be able)|refuse|no way"
    r"|\bno\b|isn't|any issues?|\bnot$",
    re.I,
)
GRANTED = re.compile(r"\bpossible\b|\bcan\b|\b(?:is|are|be) (?:return|exchang|cancel|refund)\w*", re.I)
TALK = re.compile(r"\bask(?:s|ed)?\b|\bconfirm|\bavailable\b", re.I)
PART = re.compile(r"(?:cancel|remov)\w*\b.*\b(?:part|partial\w*|single|one item|just|individual)\b", re.I)


def mentions_in(words: str, bought: Mapping[str, str]) -> tuple[Mention, ...]:
    """The products named, in order; of names inside one another the longest counts."""
    spans: dict[tuple[int, int], list[str]] = {}
    for name, product in sorted(bought.items()):
        for found in spoken(name).finditer(words):
            spans.setdefault(found.span(), []).append(product)
    whole = [
        span for span in sorted(spans) if not any(o != span and o[0] <= span[0] and span[1] <= o[1] for o in spans)
    ]
    return tuple(dict.fromkeys(tuple(spans[span]) for span in whole))


def spoken(product: str) -> re.Pattern[str]:
    """How people name a product."""
    last = product.split()[-1].lower()
    names = [re.escape(product).replace(r"\ ", r"\s?"), EVERYDAY.get(product, "")]
    if last not in TOO_COMMON:
        names.append(re.escape(last.removesuffix("s")) + "(?:e?s)?")
    return re.compile(rf"\b(?:{'|'.join(filter(None, names))})\b", re.I)
