"""Checks of authority: what contradicts itself is refused, and what leaves something to nobody is a finding."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from control_tower.errors import nearest
from control_tower.nouns import Action
from control_tower.written.faults import Fault, Place
from policies.authority.document import AuthorityTerms, Limit


def faults(written: AuthorityTerms) -> list[Fault]:
    """Everything that the parts have wrong about one another; empty when they are sound."""
    return [
        *_zone(written),
        *_roles(written),
        *_ladder(written),
        *_limits(written),
        *_delegations(written),
        *_caps(written),
    ]


def _zone(written: AuthorityTerms) -> Iterator[Fault]:
    try:
        ZoneInfo(written.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield Fault(("time_zone",), f"there is no time zone {written.time_zone!r}")


def _roles(written: AuthorityTerms) -> Iterator[Fault]:
    named: list[tuple[Place, str]] = [(("limits", at, "role"), one.role) for at, one in enumerate(written.limits)]
    named += [(("delegations", at, "roles"), role) for at, one in enumerate(written.delegations) for role in one.roles]
    named += [(("on_call", role), role) for role in written.on_call]
    named += [(("closes_breakers", at), role) for at, role in enumerate(written.closes_breakers)]
    named += [(("keepers", at), role) for at, role in enumerate(written.keepers)]
    named += [(("promotes_lanes", at), role) for at, role in enumerate(written.promotes_lanes)]
    named += [
        (("roles", name, "escalates_to"), role.escalates_to)
        for name, role in written.roles.items()
        if role.escalates_to
    ]
    for place, role in named:
        if role not in written.roles:
            yield Fault(place, f"there is no role {role!r}", nearest(role, written.roles))


def _ladder(written: AuthorityTerms) -> Iterator[Fault]:
    for name in written.roles:
        seen, at = [name], written.roles[name].escalates_to
        while at and at in written.roles:
            if at in seen:
                yield Fault(("roles", name, "escalates_to"), f"escalation goes in a circle: {' → '.join([*seen, at])}")
                break
            seen.append(at)
            at = written.roles[at].escalates_to


def _limits(written: AuthorityTerms) -> Iterator[Fault]:
    seen: set[tuple[str, Action]] = set()
    for at, one in enumerate(written.limits):
        if (one.role, one.action) in seen:
            yield Fault(("limits", at), f"{one.role} has two limits for a {one.action}", "one of them never counts")
        seen.add((one.role, one.action))
        if one.action is Action.refund and not one.each:
            yield Fault(("limits", at), "a refund without `each` is no limit", "say the most, by currency")
        for currency, most in one.a_day.items():
            if currency in one.each and most < one.each[currency]:
                yield Fault(("limits", at, "a_day"), f"{currency}: less a day than for each", "the larger never counts")
            if currency not in one.each:
                yield Fault(("limits", at, "a_day"), f"{currency} has a day's limit and none for each")
        if one.action not in written.edits:
            continue
    for at, action in enumerate(written.edits):
        if action is not Action.refund:
            yield Fault(("edits", at), f"a {action} has no amount", "only a refund can be made smaller")


def _delegations(written: AuthorityTerms) -> Iterator[Fault]:
    for at, one in enumerate(written.delegations):
        place = ("delegations", at)
        if one.until < one.since:
            yield Fault(place, "it ends before it begins")
        if one.giver == one.taker:
            yield Fault(place, f"{one.giver} can't stand in for themselves")
        for role in one.roles:
            for currency, most in one.up_to.items():
                own = max((lim.each.get(currency, 0) for lim in _of(written, role)), default=0)
                if most > own:
                    yield Fault(
                        (*place, "up_to"), f"{currency}: more than {role} may, {own}", "delegation widens nothing"
                    )
        for other in written.delegations:
            overlap = other.taker == one.giver and other.since <= one.until and one.since <= other.until
            if overlap and set(other.roles) & set(one.roles):
                yield Fault(place, f"{one.giver} has it from {other.giver} and hands it on", "it is not handed on")


def _of(written: AuthorityTerms, role: str) -> list[Limit]:
    return [one for one in written.limits if one.role == role]


def _caps(written: AuthorityTerms) -> Iterator[Fault]:
    for at, cap in enumerate(written.written_caps):
        if not cap.most and cap.effects is None:
            yield Fault(("caps", at), "a cap without `most` or `effects` caps nothing", "say how much, or how many")
        if cap.most and cap.action is not Action.refund:
            yield Fault(("caps", at, "most"), f"a {cap.action} has no amount", "say how many: `effects`")
    if written.breakers and not written.closes_breakers:
        yield Fault(("breakers",), "nobody may close a breaker", "name roles in `closes_breakers`")


def findings(written: AuthorityTerms, enrolled: frozenset[str] | None = None) -> list[Fault]:
    """What a linter says of sound authority: what nobody may do, and a ladder that leads down.

    Args:
        enrolled: the roles that somebody has; not looked at when left out.
    """
    found: list[Fault] = []
    for action in Action:
        if not any(one.action is action for one in written.limits):
            found.append(Fault(("limits",), f"nobody may approve a {action}", "every one expires"))
    for name, role in written.roles.items():
        found += [Fault(("roles", name, "escalates_to"), what) for what in _less(written, name, role.escalates_to)]
        if not _of(written, name):
            found.append(Fault(("roles", name), f"{name} may approve nothing"))
        if enrolled is not None and name not in enrolled:
            found.append(Fault(("roles", name), f"nobody is enrolled as {name}", "tower approver add NAME --role"))
    for at, rule in enumerate(written.together):
        most = {c: max(one.each.get(c, 0) for one in written.limits if one.action is rule.action) for c in rule.above}
        for currency, above in rule.above.items():
            if above >= most[currency]:
                found.append(Fault(("together", at), f"{currency}: nobody may approve as much as takes two people"))
    return found


def _less(written: AuthorityTerms, name: str, upper: str | None) -> Iterator[str]:
    """What a role may and the role that it escalates to may not."""
    if upper is None or upper not in written.roles:
        return
    theirs = {one.action: one for one in _of(written, upper)}
    for one in _of(written, name):
        above = theirs.get(one.action)
        if above is None:
            yield f"{upper} may approve no {one.action}, and {name} may"
            continue
        for currency, most in one.each.items():
            if above.each.get(currency, 0) < most:
                yield f"{upper} may approve less {currency} of a {one.action} than {name}"
