"""Checks: hold the parts of a policy against one another. Each fault has a place in the document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from functools import partial

from control_tower.errors import PolicyError, nearest
from control_tower.nouns import Action
from control_tower.written.faults import Fault, Place
from policies.cells import written_out
from policies.document import Document, Policy, expressions_of
from policies.expressions import RESERVED, Expression
from policies.rungs import easier_than_staying
from policies.sentences import slots
from policies.terms import Advised, Cell, Fact, Remedy, Rule, Situation, Table
from policies.verdict import check_value, within


def faults(document: Document) -> list[Fault]:
    """Everything that the parts of a document have wrong about one another; empty when it is sound."""
    found = [*_names(document), *_thresholds(document), *_tables(document), *_derived(document), *_examples(document)]
    if isinstance(document, Policy):
        found += _policy(document)
    return found


def _policy(policy: Policy) -> Iterator[Fault]:
    for place, text in expressions_of(policy):
        yield from _tried(place, partial(policy.expression, text))
    for number, rule in enumerate(policy.rules):
        yield from _rule(policy, rule, ("rules", number))
        if rule.kind in policy.kinds[:number]:
            yield Fault(("rules", number, "kind"), f"the kind {rule.kind!r} is there twice", "a kind has one rule")
    for name in (policy.subject, "currency"):
        if name not in policy.facts or policy.facts[name].type != "text":
            yield Fault(("facts",), f"{name} must be among the facts, as text", "every finding is about something")
    if policy.entitlements:
        yield from _fact(policy, ("entitlements", "in_force_on"), policy.entitlements.in_force_on, "date")
    earlier: dict[str, str] = {}
    for documents in policy.bound.values():
        for document in documents:
            yield from _same_facts(policy, document, earlier)
        earlier |= {name: kind for document in documents for name, kind in document.concluded.items()}
    yield from _lists(policy)
    yield from _rungs(policy)
    for number, offer in enumerate(policy.propose):
        yield from _remedy(policy, offer, ("propose", number))
        yield from _known(("propose", number, "score_at_least"), offer.score_at_least, policy.thresholds, "threshold")


def _lists(policy: Policy) -> Iterator[Fault]:
    for number, listing in enumerate(policy.lists):
        yield from _fact(policy, ("lists", number, "fact"), listing.fact, "text")
        for nth, kind in enumerate(listing.kinds):
            yield from _known(("lists", number, "kinds", nth), kind, policy.kinds, "kind")


def _rungs(policy: Policy) -> Iterator[Fault]:
    """A lane that has just risen must not fall by the same record."""
    day = datetime.combine(policy.in_force.since, time(), UTC)
    for name, record in easier_than_staying(policy.rungs, day):
        what = f"promotion is easier than staying: with {record}, a lane would rise and fall"
        yield Fault(("rungs", "promote", name), what, f"as strict as rungs.stay.{name}, or stricter")


def _same_facts(policy: Policy, document: Document, earlier: Mapping[str, str]) -> Iterator[Fault]:
    """An entitlement reads the lane's facts and what earlier ones conclude, and has to mean the same by them."""
    known = {name: fact.type for name, fact in policy.facts.items()} | dict(earlier)
    for name, fact in document.facts.items():
        if name not in known:
            what = f"{document.reference} reads the fact {name!r}, which is not among these"
            yield Fault(("facts",), what, nearest(name, known))
        elif known[name] != fact.type:
            what = f"{name} is a {known[name]} here and a {fact.type} in {document.reference}"
            yield Fault(("facts", name, "type"), what)
    for name in document.concluded:
        if name in policy.facts or name in policy.thresholds or name in policy.concluded:
            section = next(s for s in ("facts", "thresholds", "tables", "derived") if name in getattr(policy, s))
            yield Fault((section, name), f"{name!r} is what {document.reference} concludes", "call it something else")


def _tried(place: Place, attempt: Callable[[], object]) -> Iterator[Fault]:
    try:
        attempt()
    except PolicyError as fault:
        yield Fault(place, fault.what, fault.remedy)


def _known(place: Place, name: str, names: Iterable[str], noun: str) -> Iterator[Fault]:
    if name not in (known := list(names)):
        yield Fault(place, f"there is no {noun} {name!r}", nearest(name, known))


def _fact(policy: Document, place: Place, name: str | None, *types: str) -> Iterator[Fault]:
    """A fault unless the name is a fact, or something concluded, of one of the types."""
    if name is None:
        return
    kinds = {known: kind for known, kind in policy.catalogue.items() if known not in policy.thresholds}
    yield from _known(place, name, kinds, "fact")
    if name in kinds and kinds[name] not in types:
        yield Fault(place, f"{name} is a {kinds[name]}, where {' or '.join(types)} is needed")


def _names(document: Document) -> Iterator[Fault]:
    taken: dict[str, str] = {}
    for section in ("facts", "thresholds", "tables", "derived"):
        for name in getattr(document, section):
            if name in RESERVED:
                yield Fault((section, name), f"{name!r} is a word of expressions", "call it something else")
            if name in taken:
                yield Fault((section, name), f"{name!r} is among the {taken[name]} already", "call it something else")
            taken[name] = section


def _tables(document: Document) -> Iterator[Fault]:
    readable = set(document.catalogue) - set(document.concluded)
    for name, table in document.tables.items():
        here: Place = ("tables", name)
        for number, row in enumerate(table.rows):
            place: Place = (*here, "rows", number)
            yield from _row(document, table, number, place)
            if isinstance(row.when, str):
                yield from _readable((*place, "when"), partial(document.expression, row.when), readable)
                continue
            for fact, cell in row.when.items():
                yield from _readable((*place, "when", fact), partial(_cell, document, fact, cell), readable)
        for number, fact in enumerate(table.falls_with):
            yield from _fact(document, (*here, "falls_with", number), fact, "integer", "number", "date", "timestamp")
        if table.otherwise is not None and not _ranked(table, table.otherwise):
            yield _no_outcome((*here, "otherwise"), table, table.otherwise)
        if len(set(table.outcomes)) != len(table.outcomes):
            yield Fault((*here, "outcomes"), "an outcome is there twice")
        readable.add(name)


def _cell(document: Document, fact: str, cell: Cell) -> Expression:
    return document.expression(written_out({fact: cell}, document.catalogue))


def _row(document: Document, table: Table, number: int, place: Place) -> Iterator[Fault]:
    row = table.rows[number]
    if row.id in {other.id for other in table.rows[:number]}:
        yield Fault((*place, "id"), f"the row {row.id!r} is there twice", "a row has an id of its own")
    if not _ranked(table, row.then):
        yield _no_outcome((*place, "then"), table, row.then)
    yield from _tried((*place, "because"), partial(slots, row.because, document.catalogue))


def _ranked(table: Table, outcome: str | float) -> bool:
    try:
        table.rank(outcome)
    except ValueError:
        return False
    return True


def _no_outcome(place: Place, table: Table, outcome: object) -> Fault:
    return Fault(place, f"{outcome!r} is none of the outcomes", nearest(str(outcome), map(str, table.outcomes)))


def _readable(place: Place, attempt: Callable[[], Expression], readable: set[str]) -> Iterator[Fault]:
    """A fault unless an expression can be read, and reads only what is known before it."""
    try:
        expression = attempt()
    except PolicyError as fault:
        yield Fault(place, fault.what, fault.remedy)
        return
    for name in expression.names:
        if name not in readable:
            yield Fault(place, f"{name!r} is only concluded later", "put what it reads before it")


def _derived(document: Document) -> Iterator[Fault]:
    readable = set(document.catalogue) - set(document.derived)
    for name in document.derived:
        yield from _readable(("derived", name, "is"), partial(document.formula, name), readable)
        readable.add(name)


def _thresholds(policy: Document) -> Iterator[Fault]:
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
    for number, advised in enumerate(rule.advise):
        yield from _advised(policy, advised, (*here, "advise", number))


def _remedy(policy: Policy, remedy: Remedy, here: Place) -> Iterator[Fault]:
    yield from _fact(policy, (*here, "target"), remedy.target, "text")
    yield from _fact(policy, (*here, "amount"), remedy.amount, "integer")
    if (remedy.action is Action.refund) is (remedy.amount is None):
        yield Fault((*here, "action"), "a refund has an amount, and nothing else has", "see `amount`")
    yield from _tried((*here, "reason"), partial(slots, remedy.reason, policy.catalogue))
    for number, name in enumerate(remedy.rests_on):
        place = (*here, "rests_on", number)
        yield from _known(place, name, policy.columns, "fact")
        if name in policy.facts and policy.facts[name].clock:
            yield Fault(
                place,
                f"{name} changes with the passing of time alone",
                "rest on what happened, not on a clock",
            )


def _advised(policy: Policy, advised: Advised, here: Place) -> Iterator[Fault]:
    yield from _tried((*here, "reason"), partial(slots, advised.reason, policy.catalogue))
    if advised.prior is None or advised.counter is None:
        return
    yield from _known((*here, "prior"), advised.prior, policy.columns, "fact")
    try:
        shown = slots(advised.counter, policy.catalogue)
    except PolicyError as fault:
        yield Fault((*here, "counter"), fault.what, fault.remedy)
        return
    if advised.prior not in shown:
        remedy = f"say what is put back: {{{advised.prior}}}"
        yield Fault((*here, "counter"), f"it does not show {advised.prior}", remedy)


def _examples(document: Document) -> Iterator[Fault]:
    yield from _situation(document, ("ordinary",), document.ordinary)
    kinds = document.kinds if isinstance(document, Policy) else ()
    for number, example in enumerate(document.examples):
        here: Place = ("examples", number)
        yield from _situation(document, (*here, "facts"), example.facts)
        for answer in ("yes", "unknown"):
            for place, kind in enumerate(getattr(example, answer)):
                yield from _known((*here, answer, place), kind, kinds, "kind")
        given = {name: kind for name, kind in document.catalogue.items() if name not in document.facts}
        for name in example.gives:
            yield from _known((*here, "gives", name), name, given, "outcome")


def _situation(document: Document, here: Place, situation: Situation) -> Iterator[Fault]:
    for name, value in situation.items():
        yield from _known((*here, name), name, document.facts, "fact")
        if name in document.facts:
            yield from _tried((*here, name), partial(_told, document.facts[name], name, value))


def _told(fact: Fact, name: str, value: object) -> None:
    """Refuse a value that the fact can't have: as evidence it would be missing."""
    read = check_value(name, fact.type, value)
    if read is not None and within(fact, read) is None:
        raise PolicyError(f"{name} can't be {value!r}", remedy=nearest(str(value), fact.one_of) if fact.one_of else "")
