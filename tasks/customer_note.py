"""What a customer is told about a case: the same words for a hold as for any other delay.

The template takes what the customer can see anyway, and there is no way to hand it more. So what a reviewer knows
can't show in it, and neither can it be read from it that there is a review. A person may change the words; what is
sent is checked after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from pydantic import Field, JsonValue

from control_tower.errors import MessageRefused
from control_tower.nouns import Case, Noun
from policies.leaks import Leak, leaks
from policies.messages import Language, Tone, filled, messages
from tasks.shops import version_of

RISK_WORDS = tuple(
    pattern.rstrip("*") for never in messages().never[:1] for pattern in never.patterns if " " not in pattern
)
"""Words that tell of a review; none may reach a customer."""


class Visible(Noun):
    """What the customer of an order can see anyway."""

    order: str = Field(min_length=1)
    placed_on: date | None = None
    shop: str = Field(min_length=1)


def visible(facts: Mapping[str, JsonValue], shop: str) -> Visible:
    """What the customer can see, of all that any lane knows of an order."""
    placed = facts.get("placed_at")
    day = datetime.fromisoformat(str(placed)).date() if placed else None
    return Visible(order=str(facts["order_id"]), placed_on=day, shop=shop)


def delay_note(seen: Visible, language: Language = "en", tone: Tone = "plain") -> str:
    """The message about an order that takes longer, whatever the reason is."""
    return _note("order", seen, language, tone)


def _note(about: str, seen: Visible, language: Language, tone: Tone) -> str:
    approved = messages()
    message = approved.about(about)
    if message is None:
        return ""
    slots = {"order": seen.order, "shop": seen.shop}
    return filled(approved, message, language, tone, slots, seen.placed_on)


def note_of(case: Case, language: Language = "en", tone: Tone = "plain") -> str:
    """The draft for the customer of a case; nothing where it is not about one thing of one known order.

    It follows from what the case is about and from what its customer can see, and from nothing else.
    """
    facts = case.evidence.facts
    if len(case.subjects) != 1 or not facts or not facts[0].get("order_id"):
        return ""
    return _note(case.about, visible(facts[0], case.shop), language, tone)


def checked(case: Case, text: str, language: Language = "en", tone: Tone = "plain") -> str:
    """The final text, if it may be sent.

    Raises:
        MessageRefused: it tells what only the shop knows, promises what nobody decided, or hides something.
    """
    found = leaks_in(case, text, language, tone)
    if found:
        said = "; ".join(f"{leak.found!r}: {leak.because}" for leak in found)
        raise MessageRefused(
            f"may not be sent: {said}", where=f"the message of case {case.id}", remedy="say it without"
        )
    return text


def leaks_in(case: Case, text: str, language: Language = "en", tone: Tone = "plain") -> tuple[Leak, ...]:
    """What of a final text the customer of a case may not read."""
    return leaks(text, messages(), note_of(case, language, tone), hidden_in(case))


def hidden_in(case: Case) -> set[str]:
    """What only the shop knows of a case: the names of rules and facts, and the texts that it does not show."""
    policy = version_of(case)
    shown = {value for record in case.evidence.facts for name, value in record.items() if name == "order_id"}
    values = {
        value
        for record in case.evidence.facts
        for value in record.values()
        if isinstance(value, str) and value not in shown and (not value.isalpha() or len(value) > 12)
    }
    rules = {kind for finding in case.findings for kind in (finding.kind,)}
    return rules | values | {name for name in policy.facts if "_" in name and name != "order_id"} | {case.id}
