"""Evidence: nothing is decided for want of it.

With a fact missing, an answer or an outcome is decided only where no value of the fact would give another.
Kleene's logic sees to that, but for conditions that ask whether a fact is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import z3

from control_tower.nouns import Answer
from policies.document import Policy
from policies.lint.asking import Case, Proof, Scene
from policies.lint.findings import DISAGREED, Found, Place, undecided
from policies.lint.reads import behind, presences
from policies.lint.records import Evaluator, written
from policies.lint.rules import needed, payable
from policies.lint.solver import Term
from policies.lint.wording import told
from policies.terms import Table

CHECK = "missing_evidence"
Offer = tuple[str, str, str, tuple[Sequence[Term], Sequence[str]], Place]


def of_table(scene: Scene, evaluator: Evaluator, name: str) -> Iterator[Found]:
    """Outcomes that are granted, or denied, because a fact is missing."""
    table = scene.document.tables[name]
    facts = behind(scene.document, [name])
    trees = [scene.document.condition(row).tree for row in table.rows]
    for fact in presences(scene.document, trees):
        known = scene.another(fact)
        without, with_it = scene.world.outcome(name), scene.with_fact(fact, known).outcome(name)
        missing = z3.And(z3.Not(scene.given[fact].known), known.known)
        where, place = f"tables.{name}.{fact}", ("tables", name)
        for word, better in (("granted", without.above(with_it)), ("denied", with_it.above(without))):
            case = scene.case(z3.And(missing, better), facts, {fact: known})
            yield from _of_table(evaluator, table, name, fact, word, case, where, place)


def _of_table(
    evaluator: Evaluator, table: Table, name: str, fact: str, word: str, case: Case | Proof, where: str, place: Place
) -> Iterator[Found]:
    if case is Proof.never:
        return
    if isinstance(case, Proof) or case.other is None:
        yield undecided(CHECK, where, place, word)
        return
    without, with_it = (evaluator.decision(name, record) for record in (case.record, case.other))
    if without.outcome is None or with_it.outcome is None or without.outcome == with_it.outcome:
        yield undecided(CHECK, where, place, word, DISAGREED)
        return
    others = {one: value for one, value in case.record.items() if one != fact}
    where_so = told(others, evaluator.document.ordinary)
    sentence = (
        f"{_capital(word)} for want of evidence{where_so}: {fact} is missing and the outcome is "
        f"{without.outcome}, and {written(case.other[fact])} would give {with_it.outcome}."
    )
    at = place if without.row is None else (*place, "rows", without.row)
    yield Found(CHECK, where, at, sentence, record=case.record, other=case.other, topic=word, tables=(name,))


def of_rule(scene: Scene, evaluator: Evaluator, policy: Policy, number: int) -> Iterator[Found]:
    """Answers that a rule gives because a fact is missing, and what it proposes or advises because of that."""
    rule = policy.rules[number]
    where, place = f"rules.{rule.kind}", ("rules", number, "when")
    found_without = set()
    for fact in _asked(scene, rule.when):
        for word, answer in (("found", Answer.yes), ("passed over", Answer.no)):
            flip = Flip(scene, evaluator, rule.when, fact, answer)
            told_of = list(flip.findings(f"{rule.kind.replace('_', ' ')} is {word}", f"{where}.{fact}", place))
            found_without |= {fact} if told_of and answer is Answer.yes else set()
            yield from told_of
    for text, action, word, held, at in _offered(scene, policy, number):
        for fact in _asked(scene, text):
            if fact not in found_without:
                flip = Flip(scene, evaluator, text, fact, Answer.yes, rule.when, held)
                yield from flip.findings(f"A {action} is {word}", f"{where}.{action}.{fact}", at)


def _offered(scene: Scene, policy: Policy, number: int) -> Iterator[Offer]:
    """When a rule proposes or advises: the condition, the action, the word for it, what else holds, and its place."""
    rule, world = policy.rules[number], scene.world
    for nth, remedy in enumerate(rule.propose):
        if remedy.when:
            held = payable(policy, world, remedy), needed(policy, remedy)
            yield remedy.when, remedy.action.value, "proposed", held, ("rules", number, "propose", nth, "when")
    for nth, advised in enumerate(rule.advise):
        if advised.when:
            known = ([world[advised.prior].known], (advised.prior,)) if advised.prior else ([], ())
            yield advised.when, advised.action.value, "advised", known, ("rules", number, "advise", nth, "when")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _asked(scene: Scene, text: str) -> tuple[str, ...]:
    return presences(scene.document, [scene.document.expression(text).tree])


@dataclass(frozen=True)
class Flip:
    """A condition that answers with a fact missing, and answers otherwise with a value of it.

    Args:
        answer: what it says without the fact, yes or no.
        given: another condition, which says yes of the first record.
        held: what else holds of the first record, and the names that rests on.
    """

    scene: Scene
    evaluator: Evaluator
    text: str
    fact: str
    answer: Answer
    given: str | None = None
    held: tuple[Sequence[Term], Sequence[str]] = ((), ())

    @property
    def opposite(self) -> Answer:
        """What it says with the value."""
        return Answer.no if self.answer is Answer.yes else Answer.yes

    def findings(self, what: str, where: str, place: Place) -> Iterator[Found]:
        """The two records, told; `what` says what comes of the missing fact."""
        case = self._case()
        if case is Proof.never:
            return
        if isinstance(case, Proof) or case.other is None:
            yield undecided(CHECK, where, place, what)
            return
        said = [self.evaluator.answer(self.text, record) for record in (case.record, case.other)]
        if said != [self.answer, self.opposite] or self.evaluator.answer(self.given, case.record) is not Answer.yes:
            yield undecided(CHECK, where, place, what, DISAGREED)
            return
        others = {one: value for one, value in case.record.items() if one != self.fact}
        where_so = told(others, self.scene.document.ordinary)
        sentence = (
            f"{_capital(what)} for want of evidence{where_so}: {self.fact} is missing, "
            f"and with {written(case.other[self.fact])} the answer would be {self.opposite.value}."
        )
        yield Found(CHECK, where, place, sentence, record=case.record, other=case.other, topic=what)

    def _case(self) -> Case | Proof:
        known = self.scene.another(self.fact)
        without, with_it = (
            world.said(self.text) for world in (self.scene.world, self.scene.with_fact(self.fact, known))
        )  # fmt: skip
        question = [z3.Not(self.scene.given[self.fact].known), known.known, self.scene.world.said(self.given).yes]
        question += [without.yes, with_it.no] if self.answer is Answer.yes else [without.no, with_it.yes]
        texts = [text for text in (self.text, self.given) if text is not None]
        names = [name for text in texts for name in self.scene.document.expression(text).names]
        rests_on = behind(self.scene.document, [*names, *self.held[1]])
        return self.scene.case(z3.And(*question, *self.held[0]), rests_on, {self.fact: known})
