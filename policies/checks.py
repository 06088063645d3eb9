"""Checks: hold the parts of a policy against one another. Each fault has a place in the document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from control_tower.errors import PolicyError, nearest
from control_tower.nouns import Action
from policies.document import Policy, expressions_of
from policies.expressions import RESERVED
from policies.sentences import slots
from policies.terms import Remedy, Rule, Situation
from policies.verdict import check_value

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """What is wrong, where in the document, and what would be right."""

    place: Place
    what: str
    remedy: str = ""


def faults(policy: Policy) -> list[Fault]:
    """Everything that the parts of a policy have wrong about one another; empty when it is sound."""
    return [
        *_names(policy),
        *_thresholds(policy),
        *(found for place, text in expressions_of(policy) for found in _tried(place, partial(policy.expression, text))),
        *(found for number, rule in enumerate(policy.rules) for found in _rule(policy, rule, ("rules", number))),
        *_examples(policy),
    ]


def _tried(place: Place, attempt: Callable[[], object]) -> Iterator[Fault]:
    try:
        attempt()
    except PolicyError as fault:
        yield Fault(place, fault.what, fault.remedy)


def _known(place: Place, name: str, names: Iterable[str], noun: str) -> Iterator[Fault]:
    if name not in (known := list(names)):
        yield Fault(place, f"there is no {noun} {name!r}", nearest(name, known))


def _fact(policy: Policy, place: Place, name: str | None, *types: str) -> Iterator[Fault]:
    """A fault unless the name is a fact of one of the types."""
    if name is None:
        return
    yield from _known(place, name, policy.facts, "fact")
    if name in policy.facts and policy.facts[name].type not in types:
        yield Fault(place, f"{name} is a {policy.facts[name].type}, where {' or '.join(types)} is needed")


def _names(policy: Policy) -> Iterator[Fault]:
    for name in ("order_id", "currency"):
        if name not in policy.facts or policy.facts[name].type != "text":
            yield Fault(("facts",), f"{name} must be among the facts, as text", "every finding is about one order")
    for section, names in (("facts", list(policy.facts)), ("thresholds", list(policy.thresholds))):
        for name in names:
            if name in RESERVED:
                yield Fault((section, name), f"{name!r} is a word of expressions", "call it something else")
    for name in policy.thresholds:
        if name in policy.facts:
            yield Fault(("thresholds", name), f"{name!r} is a fact already", "call it something else")
    for number, rule in enumerate(policy.rules):
        if rule.kind in policy.kinds[:number]:
            yield Fault(("rules", number, "kind"), f"the kind {rule.kind!r} is there twice", "a kind has one rule")


def _thresholds(policy: Policy) -> Iterator[Fault]:
    for name, threshold in policy.thresholds.items():
        if threshold.on(policy.in_force.since) is None:
            first = policy.in_force.since
            yield Fault(("thresholds", name, "values"), f"{name} has no value on {first}, when the policy begins")


def _rule(policy: Policy, rule: Rule, here: Place) -> Iterator[Fault]:
    yield from _known((*here, "family"), rule.family, policy.families, "family")
    yield from _fact(policy, (*here, "money"), rule.money, "integer")
    yield from _fact(policy, (*here, "clock"), rule.clock, "number", "integer")
    yield from _tried((*here, "sentence"), partial(slots, rule.sentence, policy.catalogue))
    for section, conditions in (
        ("severity", [row.when for row in rule.severity]),
        ("team", [row.when for row in rule.team]),
    ):
        if None in conditions[:-1]:
            yield Fault((*here, section), f"a {section} that always applies hides those after it", "put it last")
        if conditions[-1] is not None:
            yield Fault((*here, section), f"the last {section} has a condition", "let the last one always apply")
    for number, row in enumerate(rule.team):
        yield from _fact(policy, (*here, "team", number, "member"), row.member, "text")
    for number, name in enumerate(rule.merge.on if rule.merge else ()):
        yield from _fact(policy, (*here, "merge", "on", number), name, "text")
    for number, remedy in enumerate(rule.propose):
        yield from _remedy(policy, remedy, (*here, "propose", number))


def _remedy(policy: Policy, remedy: Remedy, here: Place) -> Iterator[Fault]:
    yield from _fact(policy, (*here, "target"), remedy.target, "text")
    yield from _fact(policy, (*here, "amount"), remedy.amount, "integer")
    if (remedy.action is Action.refund) is (remedy.amount is None):
        yield Fault((*here, "action"), "a refund has an amount, and nothing else has", "see `amount`")
    yield from _tried((*here, "reason"), partial(slots, remedy.reason, policy.catalogue))
    for number, name in enumerate(remedy.rests_on):
        place = (*here, "rests_on", number)
        yield from _known(place, name, policy.facts, "fact")
        if name in policy.facts and policy.facts[name].clock:
            yield Fault(
                place,
                f"{name} changes with the passing of time alone",
                "rest on what happened, not on a clock",
            )


def _examples(policy: Policy) -> Iterator[Fault]:
    yield from _situation(policy, ("ordinary",), policy.ordinary)
    for number, example in enumerate(policy.examples):
        here: Place = ("examples", number)
        yield from _situation(policy, (*here, "facts"), example.facts)
        for answer in ("yes", "unknown"):
            for place, kind in enumerate(getattr(example, answer)):
                yield from _known((*here, answer, place), kind, policy.kinds, "kind")


def _situation(policy: Policy, here: Place, situation: Situation) -> Iterator[Fault]:
    for name, value in situation.items():
        yield from _known((*here, name), name, policy.facts, "fact")
        if name in policy.facts:
            yield from _tried((*here, name), partial(check_value, name, policy.facts[name].type, value))
