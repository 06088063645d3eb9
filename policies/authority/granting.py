"""Granting: whether a person's written authority covers an approval, and how many people it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from control_tower.authority import Grant, Person, Spent
from control_tower.errors import NoAuthority
from control_tower.nouns import Action, Money, Proposal
from policies.authority.document import AuthorityTerms, Delegation, Limit

People = Callable[[str], Person | None]
COMMAND = "`tower approve` on the command line, or Prefect's form"


class WrittenAuthority(AuthorityTerms):
    """`AuthorityTerms` that answer whoever rules."""

    def grant(
        self,
        person: Person,
        proposal: Proposal,
        money: Money | None,
        via: str,
        spent: tuple[Spent, ...],
        people: People,
        now: datetime,
    ) -> Grant:
        """Leave for a person to approve so much of a proposal at a moment; as the book's `Authority` says.

        Raises:
            NoAuthority: they may not, and why.
        """
        self._in_force(now)
        self._not_ones_own(person, proposal)
        self._not_too_much_for(via, money)
        refusals = []
        for role, delegation in self._roles(person, proposal.shop, people, now):
            for limit in self.limits:
                if limit.role != role or limit.action is not proposal.action:
                    continue
                refusal = _above(limit, delegation, money) or _spent(limit, person, delegation, money, spent)
                if not refusal:
                    return Grant(role, delegation.giver if delegation else "", self.people_for(proposal.action, money))
                refusals.append(refusal)
        raise NoAuthority(
            "; ".join(dict.fromkeys(refusals)) or f"{person.name} may not approve a {proposal.action}",
            where=self.reference,
            remedy=self._who_may(proposal.action, money),
        )

    def may_reject(self, person: Person, proposal: Proposal, people: People, now: datetime) -> Grant:
        """Leave to reject: of whoever may approve some of such an action, however little.

        Raises:
            NoAuthority: they may not, and why.
        """
        self._in_force(now)
        self._not_ones_own(person, proposal)
        for role, delegation in self._roles(person, proposal.shop, people, now):
            if any(limit.role == role and limit.action is proposal.action for limit in self.limits):
                return Grant(role, delegation.giver if delegation else "")
        raise NoAuthority(f"{person.name} may not rule on a {proposal.action}", where=self.reference)

    def may_close_breakers(self, person: Person, now: datetime) -> None:
        """Leave to let a lane's hands go on; a role that was lent does not do.

        Raises:
            NoAuthority: they may not.
        """
        self._one_of(self.closes_breakers, person, "close a breaker", now)

    def may_promote_lanes(self, person: Person, now: datetime) -> None:
        """Leave to let a lane rise to its next rung; a role that was lent does not do.

        Raises:
            NoAuthority: they may not.
        """
        self._one_of(self.promotes_lanes, person, "promote a lane", now)

    def may_keep(self, person: Person, now: datetime) -> None:
        """Leave to hold what was kept, to release it, and to erase a person from it; a lent role does not do.

        Raises:
            NoAuthority: they may not.
        """
        self._in_force(now)
        if not set(person.roles) & set(self.keepers):
            may = " or ".join(self.keepers) or "whoever owns the authority policy: it names no keepers"
            raise NoAuthority(f"{person.name} may not hold or erase", where=self.reference, remedy=f"ask {may}")

    def people_for(self, action: Action, money: Money | None) -> int:
        """How many different people an approval takes."""
        found = [
            rule.people
            for rule in self.together
            if rule.action is action
            and (not rule.above or money is None or money.amount > rule.above.get(money.currency, 0))
        ]
        return max(found, default=1)

    def elsewhere(self, money: Money | None) -> str:
        """Why this is not ruled on in Slack; nothing where Slack will do."""
        most = self.slack.up_to.get(money.currency, 0) if money else 0
        if money is None or money.amount <= most:
            return ""
        here = f"Slack rules up to {Money(amount=most, currency=money.currency)}" if most else "Slack rules on no money"
        return f"{here}; this one is ruled on with {COMMAND}."

    def roles_for(self, action: Action, money: Money | None) -> tuple[str, ...]:
        """The roles whose limit for one ruling covers this, in the order of the file."""
        return tuple(
            dict.fromkeys(one.role for one in self.limits if one.action is action and not _above(one, None, money))
        )

    def _roles(
        self, person: Person, shop: str, people: People, now: datetime
    ) -> Iterator[tuple[str, Delegation | None]]:
        """The roles that a person has, then those given by somebody who has them now, there. None is handed on."""
        yield from ((role, None) for role in person.roles)
        day = self.day(now)
        for delegation in self.delegations:
            if delegation.taker == person.name and delegation.holds(day) and delegation.giver != person.name:
                giver = people(delegation.giver)
                if giver and giver.answers_for(shop):
                    yield from ((role, delegation) for role in delegation.roles if role in giver.roles)

    def _one_of(self, roles: Sequence[str], person: Person, what: str, now: datetime) -> None:
        self._in_force(now)
        if not set(person.roles) & set(roles):
            remedy = f"ask {' or '.join(roles)}" if roles else f"no role may: {self.owner} owns authority.yaml"
            raise NoAuthority(f"{person.name} may not {what}", where=self.reference, remedy=remedy)

    def _in_force(self, now: datetime) -> None:
        if not self.in_force.covers(self.day(now)):
            raise NoAuthority(f"{self.reference} is not in force on {self.day(now)}", where="authority.yaml")

    def _not_ones_own(self, person: Person, proposal: Proposal) -> None:
        if proposal.requested_by and proposal.requested_by == person.name:
            raise NoAuthority(f"{person.name} asked for it", where=self.reference, remedy="somebody else rules on it")
        if proposal.customer and proposal.customer in person.customers:
            raise NoAuthority("it is your own order", where=self.reference, remedy="somebody else rules on it")

    def _not_too_much_for(self, via: str, money: Money | None) -> None:
        if via == "slack" and (reason := self.elsewhere(money)):
            raise NoAuthority(reason.rstrip("."), where=self.reference)

    def _who_may(self, action: Action, money: Money | None) -> str:
        roles = self.roles_for(action, money)
        return f"ask {' or '.join(roles)}" if roles else f"no role may approve this: {self.owner} owns authority.yaml"


def _above(limit: Limit, delegation: Delegation | None, money: Money | None) -> str:
    """Why one ruling is above a limit; nothing when it is not."""
    if money is None:
        return ""
    most = limit.each.get(money.currency, 0)
    if delegation and delegation.up_to:
        most = min(most, delegation.up_to.get(money.currency, 0))
    if money.amount <= most:
        return ""
    if not most:
        return f"{limit.role} may move no {money.currency}"
    return f"{money} is over the limit of {limit.role}, {Money(amount=most, currency=money.currency)}"


def _spent(
    limit: Limit, person: Person, delegation: Delegation | None, money: Money | None, spent: tuple[Spent, ...]
) -> str:
    """Why a day's limit is used up; nothing when it is not. What a delegate spends, the giver has spent."""
    names = {person.name} | ({delegation.giver} if delegation else set())
    mine = [one for one in spent if one.action is limit.action and names & {one.by, one.on_behalf_of}]
    if limit.rulings_a_day is not None and len(mine) >= limit.rulings_a_day:
        return f"{limit.role} may approve {limit.rulings_a_day} a day of {limit.action}, and has"
    if money is None or money.currency not in limit.a_day:
        return ""
    sum_ = sum(one.money.amount for one in mine if one.money and one.money.currency == money.currency)
    if sum_ + money.amount <= limit.a_day[money.currency]:
        return ""
    most, all_ = (
        Money(amount=each, currency=money.currency) for each in (limit.a_day[money.currency], sum_ + money.amount)
    )
    return f"{all_} would be over the day's limit of {limit.role}, {most}"
