"""The reader: what a customer's own words ask for, by keywords; it understands nothing else.

It reads sentence by sentence, and in each from one verb of wishing to the next. What it finds is a list of
`Wish`es in the order of the text: the verb, the products and orders named, what it depends on. It knows
neither prices that come up in a conversation nor tone, and it never sees what the right answer is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tests.policies.tau2.words import (
    A_NOUN,
    ADDRESS,
    ALL,
    ASIDE,
    ASKED_WHETHER,
    GRANTED,
    IF,
    LATER,
    METHODS,
    NEGATED,
    NOT_MEANT,
    NUMBER,
    ONLY,
    ORDER,
    PAID,
    PART,
    PASSIVE,
    PAYMENT,
    PRICE,
    PROFILE,
    REFUSED,
    REGRETTED,
    SENTENCE,
    SOFT,
    SPARED,
    STEMS,
    STOPPED,
    TALK,
    THEN,
    VERB,
    Mention,
    mentions_in,
)


@dataclass(frozen=True)
class Condition:
    """What a wish depends on: nothing, a refusal, a price, the policy itself, or what nobody knows."""

    kind: str = "always"
    verb: str = ""
    amount: float = 0.0
    holds: bool = True


@dataclass(frozen=True)
class Wish:
    """One thing that is asked for: the verb, its words, its objects, and what it depends on."""

    verb: str
    words: str
    sentence: int
    condition: Condition = Condition()
    mentions: tuple[Mention, ...] = ()
    spared: tuple[Mention, ...] = ()
    scope: str = "items"
    orders: tuple[str, ...] = ()
    only: bool = False
    methods: tuple[str, ...] = ()


@dataclass
class Read:
    """What a text says: its wishes in order, the verbs that are forbidden, and what was spoken of last."""

    wishes: list[Wish] = field(default_factory=list)
    never: set[str] = field(default_factory=set)
    topic: tuple[Mention, ...] = ()

    def last(self) -> int:
        """The sentence that last wished anything, or -1."""
        return max((wish.sentence for wish in self.wishes), default=-1)


def read(text: str, bought: Mapping[str, str]) -> Read:
    """Read a text.

    Args:
        bought: what the customer ever bought, by product name and by item or product number, as product names.
    """
    found = Read()
    for number, sentence in enumerate(filter(str.strip, SENTENCE.split(text))):
        for condition, words in parts(sentence):
            _read_part(found, words, condition, number, bought)
    return found


def _read_part(found: Read, words: str, condition: Condition, number: int, bought: Mapping[str, str]) -> None:
    asked = list(_wishes(words, condition, number, bought, found))
    if REGRETTED.search(words):
        last = found.last()
        found.wishes = [wish for wish in found.wishes if wish.sentence != last]
    if STOPPED.search(words):
        asked = []
        if condition.kind == "always":
            found.wishes = [wish for wish in found.wishes if wish.sentence != number]
    if condition.kind == "always" and (verbs := {wish.verb for wish in asked if wish.only}):
        found.wishes = [wish for wish in found.wishes if wish.verb not in verbs]
    methods = _methods(words)
    if methods and not asked and condition.kind == "refused":
        asked = [Wish("again", words, number, condition)]  # "if it has to be, to my other card"
    found.wishes += asked
    if methods:
        last = found.last()
        found.wishes = [
            replace(w, methods=methods) if w.sentence == last and not w.methods else w for w in found.wishes
        ]
    found.topic = mentions_in(ASIDE.sub(" ", words), bought) or found.topic


def parts(sentence: str) -> Iterator[tuple[Condition, str]]:
    """A sentence taken apart at its ifs: what each part depends on, and its words."""
    sentence = re.sub(r"\botherwise\b", "if not possible,", sentence, flags=re.I)
    starts = [found for found in IF.finditer(sentence) if not ASKED_WHETHER.search(sentence[: found.start()])]
    begin, condition = 0, Condition()
    for place, found in enumerate(starts):
        end = starts[place + 1].start() if place + 1 < len(starts) else len(sentence)
        before, rest = sentence[begin : found.start()], sentence[found.end() : end]
        then = THEN.search(rest)
        if then is None and VERB.search(before):  # at the end of a wish: "send the lamp back if it is blue"
            yield condition_of(rest), before
            begin, condition = end, Condition()
            continue
        yield condition, before
        if then is None:  # an indirect question: "if you take lamps back"
            begin, condition = found.end(), Condition()
        else:
            begin, condition = found.end() + then.end(), condition_of(rest[: then.start()])
    yield condition, sentence[begin:]


def condition_of(words: str) -> Condition:
    """What the words after an if say."""
    said = words.strip().lower()
    verb = next((one for one in ("cancel", "return", "exchange") if one[:6] in said), "")
    refused = bool(REFUSED.search(said))
    if said == "possible":
        return Condition()
    if said == "not":
        return Condition("else")
    if PART.search(said):
        return Condition("part", holds=not refused)
    if price := PRICE.search(said):
        below = price[1] in ("less", "lower", "cheaper", "under", "below")
        return Condition("below" if below else "above", amount=float(price[2].replace(",", "")))
    if refused:
        return Condition("refused", verb)
    if TALK.search(said):
        return Condition()
    return Condition("granted", verb) if GRANTED.search(said) else Condition("unknown")


def _wishes(words: str, condition: Condition, number: int, bought: Mapping[str, str], found: Read) -> Iterator[Wish]:
    """The wishes of one part of a sentence."""
    verbs = sorted(_verbs(words))
    spared = SPARED.search(words)
    if spared and (not verbs or spared.start() < verbs[0][0]):  # "Except the lamp."
        kept = mentions_in(words[spared.end() : verbs[0][0] if verbs else len(words)], bought)
        last = found.last()
        found.wishes = [replace(w, spared=w.spared + kept) if w.sentence == last else w for w in found.wishes]
    for place, (start, end, verb) in enumerate(verbs):
        before = words[verbs[place - 1][1] if place else 0 : start]
        clause = words[end : verbs[place + 1][0] if place + 1 < len(verbs) else len(words)]
        if clause.strip() in ("or", "and") and place + 1 < len(verbs):  # "exchange or return the lamp"
            clause = words[verbs[place + 1][1] : verbs[place + 2][0] if place + 2 < len(verbs) else len(words)]
        if not clause.strip(" .,") or PASSIVE.match(words, start):  # "the lamp must be returned"
            clause = before
        if NEGATED.search(words[:start]):
            found.never |= {verb} if condition.kind == "always" else set()
        elif not LATER.search(clause) and not _announces(verb, clause, bought):
            topic = mentions_in(before, bought) or found.topic
            wish = _wish(verb, clause, number, condition, bought, topic)
            wish = replace(wish, only=bool(ONLY.search(before[-20:])), orders=_numbers(before) or wish.orders)
            if not (wish.mentions or wish.orders) and wish.scope == "items" and found.wishes:
                wish = replace(wish, scope=found.wishes[-1].scope, orders=found.wishes[-1].orders)  # "cancel it"
            yield wish


def _wish(
    verb: str, words: str, number: int, condition: Condition, bought: Mapping[str, str], topic: tuple[Mention, ...]
) -> Wish:
    clause = ASIDE.sub(" ", words)
    spared = SPARED.search(clause)
    asked, kept = (clause[: spared.start()], clause[spared.end() :]) if spared else (clause, "")
    mentions = mentions_in(asked, bought)
    orders = _numbers(re.split(r"\bto\b", words, maxsplit=1)[0])
    scope = "order" if ORDER.search(asked) else "items"
    if ALL.search(asked) and (verb == "cancel" or not mentions):
        scope = "all"
    elif not mentions and orders:
        scope = "order"
    return Wish(
        verb=_aim(verb, asked),
        words=words,
        sentence=number,
        condition=condition,
        mentions=mentions if mentions or scope == "all" or orders else topic,
        spared=mentions_in(kept, bought),
        scope=scope,
        orders=orders,
    )


def _announces(verb: str, clause: str, bought: Mapping[str, str]) -> bool:
    """Whether a verb only announces that an order is to change, and not yet what of it."""
    vague = re.search(r"\border\b(?! items?\b)", clause, re.I) and not mentions_in(clause, bought)
    return bool(vague) and _aim(verb, clause) in ("modify", "exchange") and not NUMBER.search(clause)


def _numbers(words: str) -> tuple[str, ...]:
    """The order numbers in some words."""
    return tuple("#" + name.lstrip("#") for name in NUMBER.findall(words))


def _aim(verb: str, clause: str) -> str:
    """Of a verb of changing, what is changed: an item, an address or the payment."""
    if verb != "modify":
        return verb
    aimed = re.split(r"\bto\b", clause, maxsplit=1)[0]
    if PROFILE.search(aimed):
        return "new_profile"
    if ADDRESS.search(clause):
        return "new_address"
    return "new_payment" if PAYMENT.search(aimed) else verb


def _verbs(words: str) -> Iterator[tuple[int, int, str]]:
    for found in VERB.finditer(words):
        verb = str(found.lastgroup)
        noun = A_NOUN.search(words[: found.start()]) and verb != "a_person"
        if not noun and not NOT_MEANT.match(words, found.end()):
            yield found.start(), found.end(), verb
    for found in PASSIVE.finditer(words):
        yield found.start(), found.end(), STEMS[found["verb"].lower()]


def _methods(words: str) -> tuple[str, ...]:
    """The payment methods that a sentence insists on; what is only preferred is left to the policy."""
    if not PAID.search(words) or SOFT.search(words):
        return ()
    return tuple(name for name, pattern in METHODS.items() if re.search(pattern, words, re.I))
