"""Accepted: what the owner of a document knows of and wants; an entry that nothing matches is stale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from policies.document import Document
from policies.lint.findings import Found, Level
from policies.terms import Accepted


def settled(document: Document, found: Sequence[Found]) -> Iterator[tuple[Found, str]]:
    """Each finding with the reason for which it is accepted, or none; then what is accepted and never found."""
    open_still = {one.check for one in found if one.level is Level.undecided}
    matched = {number for number, entry in enumerate(document.accepted) if entry.check in open_still}
    for one in found:
        places = [n for n, entry in enumerate(document.accepted) if covers(entry, one)]
        matched |= set(places)
        if places and one.level is not Level.note:
            yield replace(one, level=Level.note), document.accepted[places[0]].because
        else:
            yield one, ""
    for number, entry in enumerate(document.accepted):
        if number not in matched:
            sentence = f"{entry.check} is accepted in {entry.where}, and nothing like it is found there any more."
            yield Found("accepted", entry.where, ("accepted", number), sentence), ""


def covers(entry: Accepted, found: Found) -> bool:
    """Whether a finding is what an entry accepts: of its check, at its place or within it."""
    names = found.where.split(".")
    asked = entry.where.split(".")
    return entry.check == found.check and any(names[start : start + len(asked)] == asked for start in (0, 1))
