"""A shop's authority: the tower's, narrowed. It may name more currencies, and gives no more of one that both name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from pydantic import JsonValue

from control_tower.errors import nearest
from control_tower.written.faults import Fault, Place
from control_tower.written.plain_yaml import plain
from control_tower.written.refusals import refusal
from control_tower.written.validation import content_of, tree
from policies.authority.checks import faults
from policies.authority.document import AuthorityTerms
from policies.authority.granting import WrittenAuthority
from policies.overlay import as_laid, overlaid
from policies.papers import read_paper
from policies.validation import validated

ADDED = ("caps", "breakers")
"""What holds beside the tower's, and takes none of it away."""
ROLES = ("closes_breakers", "keepers", "promotes_lanes")


def inherited(file: Path, house: Path) -> WrittenAuthority | None:
    """The authority of a file that inherits another's; None where it inherits none.

    Raises:
        PolicyError: it is malformed, contradicts itself, or gives more than what it inherits.
    """
    content = content_of(file)
    if "inherits" not in tree(str(file), content):
        return None
    return _laid(str(file), content, str(house), content_of(house))


def says(file: Path, name: str) -> bool:
    """Whether a file says something itself, and does not inherit it.

    Raises:
        PolicyError: it can't be read.
    """
    return name in tree(str(file), content_of(file))


@lru_cache(maxsize=16)
def _laid(file: str, content: bytes, house: str, its_content: bytes) -> WrittenAuthority:
    base = read_paper(WrittenAuthority, Path(house), faults)
    own, over = tree(file, content), tree(house, its_content)
    written, given = plain(over), plain(own)
    assert isinstance(written, dict) and isinstance(given, dict)  # noqa: S101 - files are mappings; narrows the types
    if wrong := list(_head(given, base)):
        raise refusal(wrong, own, file)
    laid = overlaid(written, given) | {name: _both(written, given, name) for name in ADDED if name in given}
    seen = as_laid(own, laid)
    terms = validated(WrittenAuthority, laid | {"owner": given["owner"], "in_force": given["in_force"]}, seen, file)
    if wrong := [*faults(terms), *_more(terms, base)]:
        raise refusal(wrong, seen, file)
    return terms.model_copy(update={"overridden": f"+{Path(file).parent.name}@{given['version']}"})


def _both(house: dict[str, JsonValue], own: dict[str, JsonValue], name: str) -> JsonValue:
    ours, theirs = house.get(name) or [], own[name]
    return [*ours, *theirs] if isinstance(ours, list) and isinstance(theirs, list) else theirs


def _head(given: Mapping[str, object], base: AuthorityTerms) -> Iterator[Fault]:
    if given["inherits"] != base.id:
        yield Fault(("inherits",), f"there is no {given['inherits']!r} to inherit", f"say inherits: {base.id}")
    for name in ("version", "owner", "in_force"):
        if name not in given:
            yield Fault((), f"{name!r} is missing", "an override has a version, an owner and dates of its own")
    for name in ("id", "overridden"):
        if name in given:
            yield Fault((name,), f"{name!r} is not for the file to say", "leave it out")


def _more(own: AuthorityTerms, base: AuthorityTerms) -> Iterator[Fault]:
    """Whatever a shop gives that the tower does not."""
    for name in own.roles:
        if name not in base.roles:
            yield Fault(("roles", name), f"the tower has no role {name!r}", nearest(name, base.roles))
    for field in ROLES:
        for at, role in enumerate(getattr(own, field)):
            if role not in getattr(base, field):
                yield Fault((field, at), f"the tower does not let {role} do so", "leave it out")
    theirs = {(one.role, one.action): one for one in base.limits}
    for at, limit in enumerate(own.limits):
        known = theirs.get((limit.role, limit.action))
        if known is None:
            yield Fault(("limits", at), f"the tower lets {limit.role} approve no {limit.action}", "leave it out")
            continue
        yield from _over(("limits", at, "each"), limit.each, known.each)
        yield from _over(("limits", at, "a_day"), limit.a_day, known.a_day)
        for currency in known.a_day.keys() & limit.each.keys() - limit.a_day.keys():
            yield Fault(("limits", at), f"{currency}: the tower has a day's limit", f"at most {known.a_day[currency]}")
        if known.rulings_a_day and (limit.rulings_a_day or known.rulings_a_day + 1) > known.rulings_a_day:
            yield Fault(("limits", at, "rulings_a_day"), f"the tower allows {known.rulings_a_day} a day", "or fewer")
    yield from _over(("slack", "up_to"), own.slack.up_to, base.slack.up_to)
    yield from _fewer(own, base)


def _over(place: Place, own: Mapping[str, int], base: Mapping[str, int]) -> Iterator[Fault]:
    for currency, most in own.items():
        if most > base.get(currency, most):
            yield Fault((*place, currency), f"{currency}: the tower allows {base[currency]}", "or less")


def _fewer(own: AuthorityTerms, base: AuthorityTerms) -> Iterator[Fault]:
    """Actions that take fewer people than in the tower, or only above a larger amount."""
    mine = {rule.action: rule for rule in own.together}
    for rule in base.together:
        found = mine.get(rule.action)
        if found is None or found.people < rule.people:
            yield Fault(("together",), f"a {rule.action} takes {rule.people} people in the tower", "or more")
        elif found.above and not rule.above:
            yield Fault(("together",), f"every {rule.action} takes {rule.people} people in the tower", "or more")
        elif any(found.above.get(currency, 0) > above for currency, above in rule.above.items()):
            yield Fault(("together",), f"a {rule.action} takes more people above less in the tower", "or above less")
