"""Versions: on each day one version of a document is in force, and what extends it has something to extend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from policies.document import Document, Entitlement, Policy
from policies.lint.findings import Found, Level, Place

PLACE: Place = ("in_force",)
CHECK = "versions"
DAY = timedelta(days=1)


def of_version(document: Document, versions: Sequence[Document]) -> Iterator[Found]:
    """What is wrong with the days of a version, beside those before it.

    Args:
        versions: every version of the document, in any order; shadows are served to nobody and don't count.
    """
    if document.shadow:
        return
    served = sorted((one for one in versions if not one.shadow), key=lambda one: (one.in_force.since, one.version))
    earlier = served[: next(n for n, one in enumerate(served) if one.reference == document.reference)]
    for other in earlier:
        if other.in_force.covers(document.in_force.since):
            last = min(other.in_force.until or date.max, document.in_force.until or date.max)
            days = _days(document.in_force.since, last)
            sentence = f"{other.reference} and {document.reference} are both in force {days}."
            yield Found(CHECK, "in_force", PLACE, sentence, topic=other.reference)
    ends = [one.in_force.until or date.max for one in earlier]
    extends = isinstance(document, Entitlement) and document.extends
    if ends and not extends and (before := max(ends)) < document.in_force.since - DAY:
        days = _days(before + DAY, document.in_force.since - DAY)
        yield Found(CHECK, "in_force", PLACE, f"No version of {document.id} is in force {days}.", topic="none")


def of_extension(document: Document, bases: Sequence[Document]) -> Iterator[Found]:
    """Days on which an extension has nothing to extend."""
    if not isinstance(document, Entitlement) or not document.extends or document.shadow:
        return
    held = [one.in_force for one in bases if one.id == document.extends and not one.shadow]
    day, until = document.in_force.since, document.in_force.until or date.max
    for days in sorted(held, key=lambda one: one.since):
        if day < days.since:
            break
        if days.until is None or days.until >= until:
            return
        day = max(day, days.until + DAY)
    nothing = f"There is no {document.extends} to extend on {day}"
    yield Found(CHECK, "in_force", PLACE, f"{nothing}, when {document.reference} is in force.", topic="base")


def of_lists(policy: Policy, today: date) -> Iterator[Found]:
    """Lists that have run out."""
    for number, listing in enumerate(policy.lists):
        if listing.until is not None and listing.until < today:
            place: Place = ("lists", number, "until")
            sentence = f"The list {listing.id} ended on {listing.until} and names nobody since."
            yield Found(CHECK, f"lists.{listing.id}", place, sentence, Level.note)


def _days(first: date, last: date) -> str:
    if last == date.max:
        return f"from {first} on"
    return f"on {first}" if first == last else f"from {first} to {last}"
