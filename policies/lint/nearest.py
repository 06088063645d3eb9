"""Nearest: the fewest facts, and the nearest values of them, that turn an answer or an outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

import z3

from control_tower.errors import PolicyError, nearest
from policies.document import Document, Policy, day_of
from policies.judgement import plain
from policies.lint.asking import Scene
from policies.lint.reads import behind
from policies.lint.records import Evaluator, written
from policies.lint.solver import ELSE, Plain, Term, domain, literal, value_of
from policies.lint.values import Values
from policies.lint.wording import listed
from policies.nearest_change import Change
from policies.terms import Table
from policies.verdict import check_value, within

MOST = 4  # facts that change together
SHOWN = 5  # sets of facts for one outcome, of no more than ALL
ALL = 50
STEPS = (1, 0.5, 0.1, 0.01, 1e-6)  # beyond a limit that itself does not count


class Goal(NamedTuple):
    """Another outcome, and when it is reached."""

    outcome: str | float
    reached: Term


class Turn(NamedTuple):
    """A value of one fact, and how a sentence says it."""

    value: Plain
    words: str


class Edge(NamedTuple):
    """The least or the greatest value that does it; strict where only what is beyond it does; or there is no end."""

    at: Term
    strict: bool
    endless: bool


class Search:
    """One subject, one rule or table, and what would turn it."""

    def __init__(self, document: Document, facts: Mapping[str, Any], as_of: date, name: str, milliseconds: int) -> None:
        self.document, self.name, self.milliseconds = document, name, milliseconds
        day = day_of(as_of)
        self.evaluator = Evaluator(document, day)
        self.scene = Scene(document, day, milliseconds)
        self.facts = {one: _held(document, one, facts.get(one)) for one in document.facts}
        self.is_rule = isinstance(document, Policy) and name in document.kinds
        self.open = [one for one in self._rests_on() if not self._is_identity(one)]
        self.values = Values(document, self.scene.thresholds)

    def changes(self) -> list[Change]:
        """For every other answer or outcome, the smallest sets of facts that would bring it."""
        return [change for goal in self._goals() for change in self._to(goal)]

    def said(self, facts: Mapping[str, Plain]) -> str | float | None:
        """The answer or outcome for a record, by evaluation."""
        if self.is_rule:
            return self.evaluator.answer(self._rule_text(), facts).value
        outcome: str | float | None = self.evaluator.concluded(facts)[self.name]
        return outcome

    def _rule_text(self) -> str:
        assert isinstance(self.document, Policy)  # noqa: S101 - narrows the type
        return self.document.rule(self.name).when

    def _rests_on(self) -> tuple[str, ...]:
        if self.is_rule:
            return behind(self.document, self.document.expression(self._rule_text()).names)
        known = {**self.document.tables, **_promised_tables(self.document)}
        if self.name not in known:
            kinds = self.document.kinds if isinstance(self.document, Policy) else ()
            what = f"there is no rule or table {self.name!r}"
            raise PolicyError(what, where=self.document.reference, remedy=nearest(self.name, [*kinds, *known]))
        return behind(self.document, [self.name])

    def _is_identity(self, name: str) -> bool:
        """Whether a fact names somebody or something, or the day that dates a promise."""
        if isinstance(self.document, Policy):
            bought = self.document.entitlements and self.document.entitlements.in_force_on
            if name in (self.document.subject, "currency", bought):
                return True
        return self.document.facts[name].type == "text" and name.endswith("_id")

    def _goals(self) -> Iterator[Goal]:
        now = self.said(self.facts)
        if self.is_rule:
            said = self.scene.world.said(self._rule_text())
            yield from (Goal(word, side) for word, side in (("no", said.no), ("yes", said.yes)) if word != now)
            return
        known, value = self.scene.world[self.name]
        table = {**self.document.tables, **_promised_tables(self.document)}[self.name]
        for outcome in table.outcomes:
            if outcome != now:
                code = self.scene.words.code(str(outcome)) if table.type == "text" else outcome
                yield Goal(outcome, z3.And(known, value == code))

    def _to(self, goal: Goal) -> list[Change]:
        """The smallest sets of facts that bring an outcome, the most plausible first."""
        for size in range(1, min(MOST, len(self.open)) + 1):
            sets = sorted(sorted(self._sets(goal, size)), key=lambda names: sum(map(self._doubt, names)))
            found = [change for names in sets[:SHOWN] for change in [self._change(goal, names)] if change is not None]
            if found:
                return found
        return []

    def _sets(self, goal: Goal, size: int) -> Iterator[tuple[str, ...]]:
        """Sets of so many facts that bring an outcome if they change."""
        solver = self.scene.solver
        changed = {name: z3.Bool(f"changed {name}") for name in self.open}
        solver.push()
        solver.add(goal.reached, z3.AtMost(*changed.values(), size))
        for name in self.facts:
            same = self._as_is(name)
            solver.add(z3.If(changed[name], self.scene.given[name].known, same) if name in changed else same)
        found: list[tuple[str, ...]] = []
        while len(found) < ALL and solver.check() == z3.sat:
            model = solver.model()
            names = tuple(name for name, flag in changed.items() if z3.is_true(model.eval(flag)))
            found.append(names)  # in the order of the document
            solver.add(z3.Not(z3.And([changed[name] for name in names])))
        solver.pop()
        yield from found

    def _as_is(self, name: str) -> Term:
        return self._is(name, self.facts[name])

    def _is(self, name: str, value: Plain) -> Term:
        return self.scene.equal(name, self.scene.given[name], value)

    def _doubt(self, name: str) -> int:
        """How little plausible it is that a fact changes."""
        fact = self.document.facts[name]
        if fact.clock:
            return 0
        if self.facts[name] is None:
            return 1
        return {"text": 4 if not fact.one_of else 3, "boolean": 2}.get(fact.type, 2)

    def _change(self, goal: Goal, names: tuple[str, ...]) -> Change | None:
        """The nearest values of some facts that bring an outcome, if evaluation agrees that they do."""
        same = [self._as_is(name) for name in self.facts if name not in names]
        turned: dict[str, Turn] = {}
        # Once for values that go together, and once more for how far each may go beside the others.
        for name in [*sorted(names, key=lambda one: self.facts[one] is not None and self._is_ordered(one)), *names]:
            others = [self._is(other, turn.value) for other, turn in turned.items() if other != name]
            turn = self._turn(goal, name, [*same, *others])
            if turn is None:
                return None
            turned[name] = turn
        values = {name: turned[name].value for name in names}
        if self.said({**self.facts, **values}) != goal.outcome:
            return None
        told = listed([f"{name} were {turned[name].words}" for name in names])
        known = {name: value for name, value in values.items() if value is not None}
        return Change(known, goal.outcome, f"{self._then(goal)} if {told}.")

    def _then(self, goal: Goal) -> str:
        if not self.is_rule:
            return f"{self.name} would be {goal.outcome}"
        words = self.name.replace("_", " ")
        return f"No {words}" if goal.outcome == "no" else words.capitalize()

    def _is_ordered(self, name: str) -> bool:
        return self.document.facts[name].type not in ("boolean", "text")

    def _turn(self, goal: Goal, name: str, held: list[Term]) -> Turn | None:
        """The nearest value of one fact that brings an outcome, all others being held."""
        now = self.facts[name]
        if now is None:
            turn = self._known(goal, name, held) if self._is_ordered(name) else self._named(goal, name, held)
            return turn and Turn(turn.value, f"{turn.words} (is missing)")
        if self._is_ordered(name):
            found = [turn for up in (True, False) for turn in [self._limit(goal, name, held, up=up)] if turn]
            turn = min(found, key=lambda one: self._distance(name, one.value), default=None)
        else:
            turn = self._named(goal, name, held)
        return turn and Turn(
            turn.value, f"{turn.words} (is {written(round(now, 3) if isinstance(now, float) else now)})"
        )

    def _named(self, goal: Goal, name: str, held: list[Term]) -> Turn | None:
        """Every word, or truth value, that brings an outcome."""
        likely = [value for value in self.values.likely(name) if value is not None and value != self.facts[name]]
        fitting = [value for value in likely if self._fits(goal, name, held, value)]
        words = ["anything else" if value == ELSE else written(value) for value in fitting]
        return Turn(fitting[0], listed(words, "or")) if fitting else None

    def _known(self, goal: Goal, name: str, held: list[Term]) -> Turn | None:
        """A number or a day that brings an outcome, where none is known yet, and how far it may go."""
        values = (one for one in self.values.likely(name) if one is not None)
        value = next((one for one in values if self._fits(goal, name, held, one)), None)
        low, high = (self._edge(goal, name, held, up=up) for up in (True, False))
        if value is None or low is None or high is None:
            return None
        given = self.scene.given[name]
        within = [given.known, given.value >= low.at, given.value <= high.at]
        within += [given.value != edge.at for edge in (low, high) if edge.strict]
        if low.endless is high.endless or self._solved([*held, *within, z3.Not(goal.reached)]) is not None:
            return Turn(value, f"known, as {written(value)}")
        edge, up = (high, False) if low.endless else (low, True)
        return Turn(value, f"known, and {self._beyond(edge, name, up=up)}")

    def _fits(self, goal: Goal, name: str, held: list[Term], value: Plain) -> bool:
        return self._solved([goal.reached, *held, self._is(name, value)]) is not None

    def _solved(self, terms: list[Term]) -> Term | None:
        solver = self.scene.solver
        solver.push()
        solver.add(*terms)
        model = solver.model() if solver.check() == z3.sat else None
        solver.pop()
        return model

    def _edge(self, goal: Goal, name: str, held: list[Term], *, up: bool) -> Edge | None:
        """The least (up) or the greatest value that brings an outcome."""
        given, kind = self.scene.given[name], self.document.facts[name].type
        search = z3.Optimize()
        search.set("timeout", self.milliseconds)
        search.add(*self.scene.solver.assertions(), *held, goal.reached, given.known)
        handle = search.minimize(given.value) if up else search.maximize(given.value)
        if search.check() != z3.sat:
            return None
        infinite, limit, beyond = search.lower_values(handle) if up else search.upper_values(handle)
        at = limit if kind == "number" else z3.IntVal(int(_fraction(limit)))
        end = domain(self.document.facts[name], given, self.scene.words)
        further = given.value < at if up else given.value > at
        endless = _fraction(infinite) != 0 or self._solved([*end, further]) is None
        return Edge(at, _fraction(beyond) != 0, endless)

    def _limit(self, goal: Goal, name: str, held: list[Term], *, up: bool) -> Turn | None:
        """The nearest number above or below the present one that brings an outcome."""
        given, kind = self.scene.given[name], self.document.facts[name].type
        now = literal(self.facts[name], name, kind, self.scene.words)
        edge = self._edge(goal, name, [*held, given.value > now if up else given.value < now], up=up)
        if edge is None:
            return None
        past = [z3.Not(goal.reached), given.known, given.value >= edge.at if up else given.value <= edge.at]
        always = self._solved([*held, *past, *([given.value != edge.at] if edge.strict else [])]) is None
        at = value_of(edge.at, kind, self.scene.words)
        if not edge.strict:
            return Turn(at, self._beyond(edge, name, up=up) if always else written(at))
        words = f"{'' if always else 'just '}{self._beyond(edge, name, up=up)}"
        steps = (round(float(at) + (step if up else -step), 9) for step in STEPS)  # type: ignore[arg-type]
        reached = (step for step in steps if self._fits(goal, name, held, step))
        return next((Turn(int(step) if step.is_integer() else step, words) for step in reached), None)

    def _beyond(self, edge: Edge, name: str, *, up: bool) -> str:
        kind = self.document.facts[name].type
        at = written(value_of(edge.at, kind, self.scene.words))
        if edge.strict:
            return f"{'above' if up else 'below'} {at}"
        return f"{at} or {self._more(kind, up)}"

    @staticmethod
    def _more(kind: str, up: bool) -> str:
        if kind in ("date", "timestamp"):
            return "later" if up else "earlier"
        return "more" if up else "less"

    def _distance(self, name: str, value: Plain) -> float:
        kind = self.document.facts[name].type
        return abs(float(check_value(name, kind, value) or 0) - float(check_value(name, kind, self.facts[name]) or 0))


def _fraction(term: Term) -> Fraction:
    return Fraction(term.as_long()) if z3.is_int_value(term) else Fraction(term.as_fraction())


def _held(document: Document, name: str, value: object) -> Plain:
    """A fact as it is compared: None where it is missing, or is what it can't be."""
    fact, held = document.facts[name], plain(value)
    if within(fact, check_value(name, fact.type, held)) is None:
        return None
    assert held is None or isinstance(held, bool | int | float | str)  # noqa: S101 - narrows the type
    return held


def _promised_tables(document: Document) -> dict[str, Table]:
    """The tables of what customers were promised, as the latest version has them."""
    bound = document.bound.values() if isinstance(document, Policy) else ()
    return {name: table for versions in bound for one in versions for name, table in one.tables.items()}
