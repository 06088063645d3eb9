"""Sentences: templates of a policy, filled from facts by code and by nothing else.

`{carrier}` is a fact or a threshold as it is, `{refundable_amount:money}` minor units in the order's
currency. There are no attributes, no subscripts and no other formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from string import Formatter
from typing import Any

from control_tower.errors import PolicyError, nearest
from control_tower.nouns import Money
from policies.verdict import is_missing

LONGEST_SLOT = 80


def slots(template: str, catalogue: Mapping[str, str]) -> tuple[str, ...]:
    """The names that a template shows.

    Raises:
        PolicyError: it shows something that is no fact or threshold, or in a way that is not known.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError as fault:
        raise PolicyError(f"a sentence that can't be read: {fault}", remedy="write {fact}, or {{ for a brace") from None
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if name not in catalogue:
            raise PolicyError(f"there is no fact or threshold {name!r}", remedy=nearest(name, catalogue))
        if conversion or form not in ("", "money"):
            raise PolicyError(f"{name!r} can't be shown as {form or conversion!r}", remedy="only {fact:money} is known")
        if form == "money" and catalogue[name] != "integer":
            raise PolicyError(f"{name!r} is no money", remedy="money is an integer of minor units")
    return tuple(dict.fromkeys(name for _, name, _, _ in parts if name is not None))


def render(template: str, row: Mapping[str, Any]) -> str:
    """Fill a template that `slots` has passed; what is missing is said to be unknown.

    Text from outside is shortened and loses what is not printable; who shows it still escapes it.
    """
    shown = []
    for text, name, form, _ in Formatter().parse(template):
        shown.append(text)
        if name is not None:
            shown.append(_money(row[name], row.get("currency")) if form == "money" else _shown(row[name]))
    return "".join(shown)


def _money(amount: object, currency: object) -> str:
    if is_missing(amount) or is_missing(currency):
        return "an unknown amount"
    return str(Money(amount=int(str(amount)), currency=str(currency)))


def _shown(value: object) -> str:
    if is_missing(value):
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, int | float):
        # A small number, as a chance, is told by its size and not as nothing.
        return f"{value:,.1f}".removesuffix(".0") if value == 0 or abs(value) >= 0.1 else f"{value:.1g}"
    visible = "".join(ch if ch.isprintable() else " " for ch in str(value))
    return visible if len(visible) <= LONGEST_SLOT else visible[: LONGEST_SLOT - 1] + "…"
