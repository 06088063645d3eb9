"""The written authority of this tower, wherever somebody rules or is asked to."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from control_tower.errors import LedgerError, PolicyError, SourceError
from control_tower.nouns import NO_SHOP, Proposal, Verdict
from control_tower.settings import Settings, settings
from control_tower.shops import named_in, settings_at, settings_of
from control_tower.sources import open_source
from policies.authority import WrittenAuthority, authority, says


def written_authority(shop: str) -> WrittenAuthority:
    """The authority that is in force: the shipped file, or the one that TOWER_AUTHORITY names; a shop's own for its id.

    Raises:
        PolicyError: it is malformed; nobody rules there until it is right.
    """
    tower = settings()
    return authority(settings_at(shop, tower).authority, tower.authority)


def calendar_of(source: str) -> WrittenAuthority:
    """The authority whose days and hours hold for what a source names: the tower's, or that of one of its shops.

    Where a shop's authority does not say itself in which country and time zone it is, it is where the shop is; its
    hours and closed days are inherited like the rest.

    Raises:
        PolicyError: it is malformed.
        SourceError: the tower has no such shop, or where the shop is can't be read from its source.
    """
    id, tower = named_in(source), settings()
    if not id:
        return written_authority(NO_SHOP)
    file = settings_of(source, tower).authority
    own = file if file != tower.authority else None
    shop = open_source(source, None, tower).shop
    where = {"country": shop.country, "time_zone": shop.time_zone}
    inherited = {name: value for name, value in where.items() if own is None or not says(own, name)}
    return authority(file, tower.authority).model_copy(update=inherited)


def authority_over(proposal: Proposal, tower: Settings | None = None) -> WrittenAuthority:
    """The authority by which a proposal is ruled on: that of the shop that it is about.

    Raises:
        SourceError: the tower has no such shop any more; nobody rules on what was its.
        PolicyError: it is malformed.
    """
    tower = tower or settings()
    return authority(settings_of(proposal.source, tower).authority, tower.authority)


def ruling_choices(proposal: Proposal) -> tuple[str, ...]:
    """Every ruling that a form can offer: a verdict, or a verdict with the code of its reason."""
    known = authority_over(proposal)
    return tuple(
        choice
        for verdict in (Verdict.approve, Verdict.reject)
        for choice in (verdict.value, *(f"{verdict.value}: {code}" for code in known.reasons(verdict)))
    )


def rules_elsewhere(tower: Settings) -> Callable[[Proposal], str] | None:
    """Why a proposal is not ruled on in Slack, where Slack is a desk; None where nobody listens to buttons."""
    if not (tower.slack_token and tower.slack_app_token):
        return None
    return lambda proposal: elsewhere(proposal, tower)


def elsewhere(proposal: Proposal, tower: Settings) -> str:
    """Why a proposal is not ruled on in Slack; nothing where it is. What one shop has wrong silences no other."""
    try:
        return authority_over(proposal, tower).elsewhere(proposal.money)
    except (SourceError, PolicyError) as fault:
        return f"Nobody can rule on it: {fault.what}."


def in_minor_units(proposal: Proposal, amount: Decimal | None) -> int | None:
    """An amount that a person typed, as in 49.90, in minor units of the proposal's currency.

    Raises:
        LedgerError: the proposal moves no money, or the amount has more decimals than its currency.
    """
    from babel.numbers import get_currency_precision

    if amount is None:
        return None
    if proposal.money is None:
        raise LedgerError(f"the amount of a {proposal.action} can't be changed", remedy="leave the amount out")
    minor = amount.scaleb(get_currency_precision(proposal.money.currency))
    if minor != minor.to_integral_value():
        raise LedgerError(f"{amount} is no amount of {proposal.money.currency}", remedy=f"as in {proposal.money}")
    return int(minor)
