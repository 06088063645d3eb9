"""Inheriting: a shop's folder holds what it has otherwise, and the rest is the house's, in each of its versions.

`fulfilment.yaml` in the folder says `inherits: fulfilment`, a version, an owner and dates of its own, and what differs.
On each day the house's version of that day holds with the override of that day laid over it, as a whole document
that passes every check; its reference names both, as in `fulfilment@1+berlin@2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import JsonValue
from ruamel.yaml.comments import CommentedMap

from control_tower.errors import PolicyError, nearest
from control_tower.written.faults import Fault
from control_tower.written.plain_yaml import plain
from control_tower.written.refusals import refusal
from control_tower.written.validation import content_of, tree
from policies import overlay, reader
from policies.checks import faults
from policies.document import Document, Entitlement, Policy, day_of
from policies.papers import is_paper
from policies.situations import beside, with_examples
from policies.terms import Example, InForce, Term
from policies.validation import validated

ONE_DAY = timedelta(days=1)


class Dates(Term):
    """When an override holds."""

    in_force: InForce


class Laid(NamedTuple):
    """One whole document of a shop, and the file of what it has otherwise; none where it has all from the house."""

    document: Document
    file: Path | None


def load(policy: str | Path, as_of: date, folder: Path | None = None) -> Policy:
    """The lane's policy in force on a day, in a shop.

    Args:
        folder: of what the shop overrides; the house's alone, when left out.

    Raises:
        PolicyError: as `policies.reader.load`; or an override is malformed, or two are in force.
    """
    if folder is None or isinstance(policy, Path) or policy.endswith((".yaml", ".yml")):
        return reader.load(policy, as_of)
    day = day_of(as_of)
    held = [laid.document for laid in laid_over(policy, folder) if not laid.document.shadow]
    covering = [document for document in held if document.in_force.covers(day)]
    if not covering:
        return reader.load(policy, as_of)  # it says what there is, and what is malformed
    found = covering[0]
    if len(covering) > 1:
        both = " and ".join(document.reference for document in covering)
        raise PolicyError(f"{both} are in force on {day}", where=str(folder), remedy="end one the day before the other")
    if not isinstance(found, Policy):
        raise PolicyError(f"{found.reference} has no rules", where=str(folder), remedy="a lane's policy has rules")
    return found.model_copy(update={"as_of": day})


def versions(policy: str, folder: Path | None = None) -> list[Document]:
    """Every version of a document, shadows included, in a shop.

    Raises:
        PolicyError: one of them is malformed.
    """
    return [laid.document for laid in laid_over(policy, folder)] if folder else reader.versions(policy)


def version(reference: str, folder: Path | None = None) -> Document:
    """One version, as `returns@1` or `returns@1+berlin@2` names it; the newest when no number is given.

    Raises:
        PolicyError: there is no such version.
    """
    name, _, number = reference.partition("@")
    if folder is None:
        return reader.version(reference)
    held = versions(name, folder)
    found = [one for one in held if not number or one.reference == reference]
    if not found:
        raise PolicyError(f"there is no {reference}", remedy=f"there is {', '.join(one.reference for one in held)}")
    return found[-1]


def overridden(folder: Path) -> tuple[Path, ...]:
    """The files of what a shop has otherwise; every one is of a document of the house.

    Raises:
        PolicyError: one overrides nothing that there is, or does not say that it inherits.
    """
    if not folder.is_dir():
        raise PolicyError("there is no such folder", where=str(folder), remedy="the shops' file names it: `policies`")
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", folder.name):
        raise PolicyError("can't be in a reference", where=str(folder), remedy="name the folder in small plain letters")
    found = tuple(file for file in reader.documents_in(folder) if not is_paper(file))
    for file in found:
        name = file.stem.partition("@")[0]
        written = tree(str(file), content_of(file))
        if "inherits" not in written:
            raise refusal([Fault((), "'inherits' is missing", f"say inherits: {name}")], written, str(file))
        if written["inherits"] != name or name not in reader.names():
            what = f"inherits {written['inherits']!r}, and the file is {name!r}"
            raise refusal([Fault(("inherits",), what, nearest(name, reader.names()))], written, str(file))
    return found


def laid_over(name: str, folder: Path) -> list[Laid]:
    """Every version of a document in a shop, in the order of its days.

    Raises:
        PolicyError: an override is malformed.
    """
    files = [file for file in overridden(folder) if file.stem.partition("@")[0] == name]
    found: list[Laid] = []
    for house in reader.files_of(name):
        base = reader.read(house)
        over = [(file, dates) for file in files if (dates := _meeting(base.in_force, _dates(file)))]
        served = [dates for file, dates in over if not _is_shadow(file)]
        found += [Laid(_rebound(_within(base, gap), folder), None) for gap in _left(base.in_force, served)]
        found += [Laid(_whole(house, file, dates, folder), file) for file, dates in over]
    return sorted(found, key=lambda laid: (laid.document.in_force.since, laid.document.reference))


def laid_from(file: Path) -> Document:
    """The document of a file: a whole one, or what an override makes of the newest version that it is laid over."""
    if "inherits" not in tree(str(file), content_of(file)):
        return reader.read(file)
    if (name := file.stem.partition("@")[0]) not in reader.names():
        raise PolicyError(f"there is no {name} to inherit", where=str(file), remedy=nearest(name, reader.names()))
    over = [(house, _meeting(reader.read(house).in_force, _dates(file))) for house in reader.files_of(name)]
    met = [(house, dates) for house, dates in over if dates and not reader.read(house).shadow]
    if not met:
        raise PolicyError("no version of the house is in force on its days", where=str(file))
    house, dates = max(met, key=lambda pair: pair[1].since)
    return _whole(house, file, dates, file.parent)


def _whole(house: Path, file: Path, dates: InForce, folder: Path) -> Document:
    """The house's document with an override laid over it, bound to what else the shop has, and checked."""
    base = reader.read(house)
    laid, seen = _laid(str(house), content_of(house), str(file), content_of(file), type(base), reader.others_of(house))
    own = tree(str(file), content_of(file))
    mark = f"+{folder.name}@{own['version']}"
    over: dict[str, Any] = {"in_force": dates, "overridden": mark, "owner": str(own["owner"])}
    over |= {"shadow": base.shadow or bool(own.get("shadow", False))}
    bound = {"bound": base.bound} if isinstance(base, Policy) else {}
    document = _rebound(laid.amended(**over, **bound), folder)
    if found := faults(document):
        raise refusal(found, seen, str(file))
    return _with_examples(document, base, file)


@lru_cache(maxsize=64)
def _laid(
    house: str, content: bytes, file: str, own: bytes, model: type[Document], others: tuple[tuple[str, bytes], ...]
) -> tuple[Document, CommentedMap]:
    """The text of both as one document, and the override's tree as that one has it."""
    written, given = reader.written_out(house, content, others), plain(tree(file, own))
    assert isinstance(given, dict)  # noqa: S101 - a file is a mapping; narrows the type
    if wrong := overlay.faults(written, given):
        raise refusal(wrong, tree(file, own), file)
    laid = overlay.overlaid(written, given)
    seen = overlay.as_laid(tree(file, own), laid)
    return validated(model, laid, seen, file), seen


def _with_examples(document: Document, base: Document, file: Path) -> Document:
    """The house's examples, but for those of the same name that the shop's own say otherwise, and the shop's own."""
    own: tuple[Example, ...] = ()
    if beside(file).is_file():
        bare = document.amended(examples=())
        own = with_examples(bare, str(beside(file)), content_of(beside(file))).examples
    said = {example.name for example in own}
    kept = [one for one in base.examples if one.name not in said and _decides(document, one)]
    return document.amended(examples=(*kept, *own))


def _decides(document: Document, example: Example) -> bool:
    return example.as_of is None or document.in_force.covers(example.as_of)


def _rebound(document: Document, folder: Path) -> Document:
    """A lane's policy that reads what the shop promises, where that is otherwise than the house does."""
    if not isinstance(document, Policy) or not document.bound:
        return document
    bound: dict[str, tuple[Entitlement, ...]] = {}
    for name, several in document.bound.items():
        read = [laid.document for id in dict.fromkeys(one.id for one in several) for laid in laid_over(id, folder)]
        served = [one for one in read if isinstance(one, Entitlement) and not one.shadow]
        bound[name] = tuple(sorted(served, key=lambda one: (one.id, one.version, one.in_force.since)))
    return document.amended(bound=bound)


def _within(document: Document, dates: InForce) -> Document:
    return document if dates == document.in_force else document.amended(in_force=dates)


def _dates(file: Path) -> InForce:
    written = tree(str(file), content_of(file))
    if "in_force" not in written:
        raise refusal([Fault((), "'in_force' is missing", "say since when it holds")], written, str(file))
    given: JsonValue = {"in_force": plain(written["in_force"])}
    return validated(Dates, given, written, str(file)).in_force


def _is_shadow(file: Path) -> bool:
    return tree(str(file), content_of(file)).get("shadow") is True


def _meeting(one: InForce, other: InForce) -> InForce | None:
    """The days of both; none where they have none in common."""
    since, until = max(one.since, other.since), min(one.until or date.max, other.until or date.max)
    return _days(since, until) if since <= until else None


def _left(whole: InForce, taken: Sequence[InForce]) -> Iterator[InForce]:
    """The days of the whole that are in none of those."""
    day, last = whole.since, whole.until or date.max
    for one in sorted(taken, key=lambda dates: dates.since):
        if day < one.since:
            yield _days(day, one.since - ONE_DAY)
        if one.until is None or one.until >= last:
            return
        day = max(day, one.until + ONE_DAY)
    yield _days(day, last)


def _days(since: date, until: date) -> InForce:
    return InForce.model_validate({"from": since, "until": None if until == date.max else until})
