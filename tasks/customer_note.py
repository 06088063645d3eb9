"""What a customer is told when an order takes longer: the same words for a hold as for any other delay.

The template takes what the customer can see anyway, and there is no way to hand it more. So what a reviewer knows
can't show in it, and neither can it be read from it that there is a review.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from pydantic import Field, JsonValue

from control_tower.nouns import Noun

RISK_WORDS = (
    "fraud", "risk", "suspicious", "suspect", "score", "rule", "threshold", "policy", "review", "hold", "held",
    "block", "allow", "trusted", "flag", "verify", "verification", "velocity", "dispute", "chargeback", "device",
    "fingerprint", "network", "security", "stolen", "linked", "evidence", "avs", "cvv",
)  # fmt: skip
"""Words that tell of a review; none may reach a customer."""

DELAY = """\
Hello,

your order {order}{placed} is taking a little longer than planned. You need not do anything.
We will write to you as soon as it is on its way. If you would rather not wait, just answer this message.

Your team at {shop}"""


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


def delay_note(seen: Visible) -> str:
    """The message about an order that takes longer, whatever the reason is."""
    placed = f" of {seen.placed_on:%d %B %Y}" if seen.placed_on else ""
    return DELAY.format(order=seen.order, placed=placed, shop=seen.shop)
