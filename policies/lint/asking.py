"""Asking: questions to the solver about one document on one day, and answers that a person can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

import z3

from policies.document import Document, Policy
from policies.lint.promises import contradiction, numbers_of, outcomes_of, promised, unpromised
from policies.lint.solver import Plain, Quantity, Term, Words, domain, exact, free, literal, value_of
from policies.lint.values import Values
from policies.lint.worlds import World

OTHER = "of the other record: "
MANY = 60  # terms; of fewer each is tried, so that one question always has one answer


class Proof(StrEnum):
    """What came of a question for which there is no record to show."""

    never = "never"
    undecided = "undecided"


@dataclass(frozen=True)
class Case:
    """A record that answers a question, and the one it is held against, if any.

    Both name only the facts on which the answer rests; whatever the others are, it is the same.
    """

    record: dict[str, Plain]
    other: dict[str, Plain] | None
    literals: tuple[Term, ...]


class Scene:
    """A document on one day: its world, and a solver that knows what its facts can be.

    Args:
        day: whose thresholds, and whose versions of what is promised, are examined.
        milliseconds: how long the solver may think about one question.
    """

    def __init__(self, document: Document, day: date, milliseconds: int) -> None:
        self.document, self.day = document, day
        self.words = Words()
        self.thresholds = document.thresholds_on(day)
        self.given = {name: free(name, fact.type) for name, fact in document.facts.items()}
        self.contradicted = contradiction(document)
        self.values = Values(document, self.thresholds)
        self._flagged: list[Term] = []
        self.solver = z3.Solver()
        self.solver.set("timeout", milliseconds)
        for name, fact in document.facts.items():
            self.solver.add(domain(fact, self.given[name], self.words))

    @cached_property
    def world(self) -> World:
        """A record, what is promised of it worked out from the entitlements that there are.

        Where two of them contradict one another, anything may be promised.
        """
        return self.free_world if self.contradicted else self._world(self.given)

    def with_fact(self, name: str, other: Quantity) -> World:
        """The same record but for one fact, and for what is promised because of it."""
        return self._world(self.given | {name: other})

    def _world(self, given: Mapping[str, Quantity]) -> World:
        if isinstance(self.document, Policy) and self.document.bound:
            given = {**given, **promised(self.document, given, self.day, self.words)}
        return World(self.document, given, self.thresholds, self.words)

    @cached_property
    def free_world(self) -> World:
        """A record of which anything may be promised that any version could give."""
        if not isinstance(self.document, Policy) or not self.document.bound:
            return self.world
        made = unpromised(self.document, self.words)
        for name, quantity in made.items():
            fact = outcomes_of(self.document, name)
            if fact is not None:
                self.solver.add(domain(fact, quantity, self.words))
            elif numbers := numbers_of(self.document, name):
                self.solver.add(z3.Or([quantity.value == exact(one) for one in numbers]))
        return World(self.document, self.given | made, self.thresholds, self.words)

    def another(self, name: str) -> Quantity:
        """A second value of a fact, for a record to compare with."""
        fact = self.document.facts[name]
        made = free(OTHER + name, fact.type)
        self.solver.add(domain(fact, made, self.words))
        return made

    def known(self, names: Sequence[str]) -> list[Term]:
        """All of these facts are known."""
        return [self.given[name].known for name in names]

    def possible(self, question: Term) -> bool | None:
        """Whether any record answers a question with yes; None if the solver can't say in time."""
        self.solver.push()
        self.solver.add(question)
        said = self.solver.check()
        self.solver.pop()
        return None if said == z3.unknown else bool(said == z3.sat)

    def which(self, questions: Sequence[Term]) -> int | Proof:
        """The position of one of several questions that a record answers with yes, asked all at once."""
        self.solver.push()
        self.solver.add(z3.Or(questions))
        said = self.solver.check()
        model = self.solver.model() if said == z3.sat else None
        self.solver.pop()
        if model is None:
            return Proof.never if said == z3.unsat else Proof.undecided
        return next(n for n, one in enumerate(questions) if z3.is_true(model.eval(one, model_completion=True)))

    def case(
        self,
        question: Term,
        names: Sequence[str],
        other: Mapping[str, Quantity] | None = None,
        given: Sequence[Term] = (),
        but: Sequence[Term] = (),
    ) -> Case | Proof:
        """A record that answers a question with yes, as ordinary as it can be.

        Args:
            names: the facts that the question rests on.
            other: the facts in which the other record differs, where two are compared.
            given: what is taken for granted of any record, as that facts are known.
            but: what the record is not, because it was shown before.
        """
        sides = [(name, self.given[name], False) for name in names if not other or name not in other]
        sides += [(name, self.given[name], False) for name in other or ()]
        sides += [(name, quantity, True) for name, quantity in (other or {}).items()]
        self.solver.push()
        try:
            self.solver.add(question, *given, *(z3.Not(shown) for shown in but))
            said = self.solver.check()
            if said != z3.sat:
                return Proof.never if said == z3.unsat else Proof.undecided
            chosen = self._chosen(sides)
        finally:
            self.solver.pop()
        return self._reduced(question, sides, chosen, given)

    def _chosen(self, sides: Sequence[tuple[str, Quantity, bool]]) -> list[tuple[Term, Plain]]:
        """A value for each fact, the ordinary one where it can be; the question is already asserted."""
        found: list[tuple[Term, Plain]] = []
        for name, quantity, _ in sides:
            for value in self.values.likely(name):
                term = self.equal(name, quantity, value)
                if self.solver.check(self._assumed(term)) == z3.sat:
                    break
            else:
                if self.solver.check() != z3.sat:
                    return []
                value, term = self._as_chosen(name, quantity, self.solver.model())
            self.solver.add(term)
            found.append((term, value))
        return found

    def _as_chosen(self, name: str, quantity: Quantity, model: Term) -> tuple[Plain, Term]:
        """The value that the solver has for a fact; missing is among the likely ones, so it has one."""
        chosen = model.eval(quantity.value, model_completion=True)
        return value_of(chosen, self._kind(name), self.words), z3.And(quantity.known, quantity.value == chosen)

    def _reduced(
        self,
        question: Term,
        sides: Sequence[tuple[str, Quantity, bool]],
        chosen: list[tuple[Term, Plain]],
        given: Sequence[Term],
    ) -> Case | Proof:
        """A case with only the facts that are needed for the answer."""
        if len(chosen) < len(sides):
            return Proof.undecided
        compared = {name for name, _, other in sides if other}
        wanted = [
            number
            for number, (name, _, _) in enumerate(sides)
            # What is taken for granted of a fact has to be true of the ordinary one that stands in for it.
            if name in compared or (given and self.document.ordinary.get(name) is None)
        ]
        core = self.core(question, [term for term, _ in chosen], given, keep=wanted)
        if core is None:
            return Proof.undecided
        kept = [(sides[number], chosen[number][1]) for number in core]
        record = {name: value for (name, _, other), value in kept if not other}
        second = {name: value for (name, _, other), value in kept if other}
        terms = tuple(chosen[number][0] for number in core)
        return Case(record, record | second if compared else None, terms)

    def core(
        self, question: Term, terms: Sequence[Term], given: Sequence[Term] = (), keep: Sequence[int] = ()
    ) -> list[int] | None:
        """The positions of the terms that force an answer of yes, none of them needless; None in doubt."""
        self.solver.push()
        try:
            self.solver.add(z3.Not(question), *given)
            flags = [self._assumed(term) for term in terms]
            if self.solver.check(*flags) != z3.unsat:
                return None
            left = list(range(len(terms)))
            if len(terms) > MANY:
                needed = {flag.get_id() for flag in self.solver.unsat_core()}
                left = [number for number in left if flags[number].get_id() in needed or number in keep]
            for number in [one for one in reversed(left) if one not in keep]:
                fewer = [flags[one] for one in left if one != number]
                if self.solver.check(*fewer) == z3.unsat:
                    left.remove(number)
            return left
        finally:
            self.solver.pop()

    def _assumed(self, term: Term) -> Term:
        """A flag for a term, which the solver can take or leave."""
        self._flagged.append(term)  # kept, so that its number stays its own
        flag = z3.Bool(f"assumed {term.get_id()}")
        self.solver.add(z3.Implies(flag, term))
        return flag

    def boundary(self, question: Term, case: Case) -> str | None:
        """The number or day of a case that is the only one with such an answer, the other facts being as they are."""
        for name, value in case.record.items():
            if value is None or self._kind(name) in ("boolean", "text"):
                continue
            quantity = self.given[name]
            here = literal(value, name, self._kind(name), self.words)
            others = [term for term, one in zip(case.literals, case.record, strict=True) if one != name]
            if self.possible(z3.And(question, *others, quantity.known, quantity.value != here)) is False:
                return name
        return None

    def region(self, question: Term, case: Case, atoms: Sequence[Term], given: Sequence[Term]) -> Term:
        """Every record that answers for the same reasons: what the atoms say of this one, as far as it matters."""
        self.solver.push()
        self.solver.add(question, *given, *case.literals)
        found = self.solver.check()
        model = self.solver.model() if found == z3.sat else None
        self.solver.pop()
        whole = z3.And(case.literals)
        if model is None:
            return whole
        said = [atom if z3.is_true(model.eval(atom, model_completion=True)) else z3.Not(atom) for atom in atoms]
        core = self.core(question, said, given)
        return whole if core is None else z3.And([said[number] for number in core])

    def equal(self, name: str, quantity: Quantity, value: Plain) -> Term:
        """The fact has this value; None for missing."""
        if value is None:
            return z3.Not(quantity.known)
        return z3.And(quantity.known, quantity.value == literal(value, name, self._kind(name), self.words))

    def _kind(self, name: str) -> str:
        return self.document.catalogue[name]
