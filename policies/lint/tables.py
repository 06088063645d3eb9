"""Tables: gaps, overlaps, and rows that never decide, each with a record that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import z3

from control_tower.nouns import Answer
from policies.lint.asking import Case, Proof, Scene
from policies.lint.conditions import excludes
from policies.lint.findings import DISAGREED, Found, Level, Place, undecided
from policies.lint.order import extends
from policies.lint.reads import behind, leaves_of
from policies.lint.records import Evaluator
from policies.lint.solver import Plain, Term
from policies.lint.wording import told
from policies.lint.worlds import Outcome
from policies.terms import Table
from policies.tree import Constant

MOST = 8  # findings of one check in one table; whoever mends these sees the next


class Examined:
    """One table on one day."""

    def __init__(self, scene: Scene, evaluator: Evaluator, name: str) -> None:
        self.scene, self.evaluator, self.name = scene, evaluator, name
        self.table: Table = scene.document.tables[name]
        self.outcome: Outcome = scene.world.outcome(name)
        self.facts = behind(scene.document, [name])
        self.ranks = [self.table.rank(row.then) for row in self.table.rows]

    def findings(self) -> Iterator[Found]:
        """Everything that one record can show of the table."""
        yield from self._gaps()
        if self.table.hit == "one":
            yield from self._overlaps(alike=False)
            yield from self._overlaps(alike=True)
        if self.table.hit == "first":
            yield from self._hidden()
        for number in range(len(self.table.rows)):
            yield from self._row(number)

    def where(self, row: int | None = None) -> str:
        """The table, or one of its rows."""
        return f"tables.{self.name}" + ("" if row is None else f".{self.table.rows[row].id}")

    def place(self, row: int | None = None) -> Place:
        """Where that is in the document."""
        return ("tables", self.name) if row is None else ("tables", self.name, "rows", row)

    def _found(self, check: str, row: int | None, sentence: str, case: Case | None = None, **more: object) -> Found:
        record = case.record if case else {}
        return Found(
            check, self.where(row), self.place(row), sentence, record=record, tables=(self.name,), **more,  # type: ignore[arg-type]
        )  # fmt: skip

    def _told(self, record: Mapping[str, Plain]) -> str:
        return told(record, self.scene.document.ordinary)

    def _undecided(self, check: str, row: int | None = None, why: str = "") -> Found:
        return undecided(check, self.where(row), self.place(row), why=why)

    def _gaps(self) -> Iterator[Found]:
        """Records with every fact known of which the table says nothing."""
        if not extends(self.scene.document):  # what it does not speak of, what it extends does
            yield from self._regions(self.outcome.gap, gap=True)
        reads = {name for row in self.table.rows for name in self.scene.document.condition(row).names}
        earlier = [self.scene.world[name].known for name in self.scene.document.tables if name in reads]
        yield from self._regions(z3.And(*earlier, self.outcome.unknown), gap=False)

    def _regions(self, question: Term, *, gap: bool) -> Iterator[Found]:
        given = self.scene.known(self.facts)
        leaves = [leaf for row in self.table.rows for leaf in leaves_of(self.scene.document.condition(row).tree)]
        atoms = [side for leaf in leaves for side in self.scene.world.holds(leaf)]
        shown: list[Term] = []
        while len(shown) < MOST:
            case = self.scene.case(question, self.facts, given=given, but=shown)
            if case is Proof.never:
                return
            if isinstance(case, Proof):
                yield self._undecided("gap")
                return
            decision = self.evaluator.decision(self.name, case.record)
            if decision.outcome is not None or decision.gap is not gap:
                yield self._undecided("gap", why=DISAGREED)
                return
            yield self._gap(z3.And(question, *given), case, gap=gap)
            shown.append(self.scene.region(question, case, atoms, given))

    def _gap(self, question: Term, case: Case, *, gap: bool) -> Found:
        what = "No row speaks of it" if gap else "There is no outcome, although nothing is missing,"
        at = self.scene.boundary(question, case)
        if at is None:
            return self._found("gap", None, f"{what}{self._told(case.record)}.", case, topic=self._told(case.record))
        others = {name: value for name, value in case.record.items() if name != at}
        sentence = f"{what} at {at} {case.record[at]} exactly{self._told(others)}."
        return self._found("boundary", None, sentence, case, topic=self._told(case.record))

    def _overlaps(self, *, alike: bool) -> Iterator[Found]:
        """Pairs of rows that both hold: with one outcome (alike) or with two."""
        yes = [row.yes for row in self.outcome.rows]
        against = {
            later: [n for n in range(later) if (self.ranks[n] == self.ranks[later]) is alike]
            for later in range(len(yes))
        }
        for _ in range(MOST):
            asked = [(later, z3.And(yes[later], z3.Or([yes[n] for n in against[later]]))) for later in against]
            found = self.scene.which([question for _, question in asked])
            if found is Proof.never:
                return
            pair = self._pair(asked[found][0], against, yes) if isinstance(found, int) else None
            if pair is None:
                yield self._undecided("overlap")
                return
            yield self._overlap(*pair, alike=alike)
            against[pair[1]].remove(pair[0])

    def _pair(self, later: int, against: dict[int, list[int]], yes: Sequence[Term]) -> tuple[int, int] | None:
        found = self.scene.which([z3.And(yes[later], yes[n]) for n in against[later]])
        return None if isinstance(found, Proof) else (against[later][found], later)

    def _overlap(self, first: int, later: int, *, alike: bool) -> Found:
        question = z3.And(self.outcome.rows[first].yes, self.outcome.rows[later].yes)
        one, two = self.table.rows[first], self.table.rows[later]
        case = self.scene.case(question, self.facts)
        if isinstance(case, Proof):
            return self._undecided("overlap", later)
        answers = self.evaluator.decision(self.name, case.record).answers
        if answers[first] is not Answer.yes or answers[later] is not Answer.yes:
            return self._undecided("overlap", later, DISAGREED)
        both = f"{one.id} gives {one.then} and {two.id} gives {two.then}"
        if alike:
            sentence = f"{one.id} and {two.id} both give {one.then}{self._told(case.record)}."
            return self._found("overlap", later, sentence, case, topic=one.id, level=Level.note)
        at = self.scene.boundary(question, case)
        if at is None:
            return self._found("overlap", later, f"{both}{self._told(case.record)}.", case, topic=one.id)
        others = {name: value for name, value in case.record.items() if name != at}
        sentence = f"{both} at {at} {case.record[at]} exactly{self._told(others)}."
        return self._found("boundary", later, sentence, case, topic=one.id)

    def _hidden(self) -> Iterator[Found]:
        """Rows that hold, where an earlier and more generous one decides."""
        questions: dict[int, Term] = {}
        for later, row in enumerate(self.table.rows):
            tree = self.scene.document.condition(row).tree
            better = [self.outcome.decides[n] for n in range(later) if self.ranks[n] < self.ranks[later]]
            if better and not isinstance(tree, Constant):  # a last row for all the rest hides behind nothing
                questions[later] = z3.And(self.outcome.rows[later].yes, z3.Or(better))
        for _ in range(min(MOST, len(questions))):
            order = list(questions)
            found = self.scene.which([questions[later] for later in order])
            if found is Proof.never:
                return
            if isinstance(found, Proof):
                yield self._undecided("hidden")
                return
            yield self._hides(order[found], questions.pop(order[found]))

    def _hides(self, later: int, question: Term) -> Found:
        case = self.scene.case(question, self.facts)
        if isinstance(case, Proof):
            return self._undecided("hidden", later)
        decision = self.evaluator.decision(self.name, case.record)
        if decision.row is None or decision.row >= later or decision.answers[later] is not Answer.yes:
            return self._undecided("hidden", later, DISAGREED)
        row, first = self.table.rows[later], self.table.rows[decision.row]
        sentence = (
            f"{row.id} would give {row.then}, and {first.id} before it gives {first.then}{self._told(case.record)}."
        )
        return self._found("hidden", later, sentence, case, topic=first.id)

    def _row(self, number: int) -> Iterator[Found]:
        """What is wrong with one row: it never holds, always does, or never decides."""
        row = self.table.rows[number]
        place = (*self.place(number), "when")
        broken = list(excludes(self.scene, self.scene.world, row.when, self.where(number), place))
        yield from broken
        if any(one.check == "never_fires" and not one.topic for one in broken):
            return
        fires = self.scene.possible(self.outcome.decides[number])
        if fires is None:
            yield self._undecided("unreachable", number)
        elif not fires:
            yield self._unreachable(number)

    def _unreachable(self, number: int) -> Found:
        row = self.table.rows[number]
        case = self.scene.case(self.outcome.rows[number].yes, self.facts)
        if isinstance(case, Proof):
            return self._undecided("unreachable", number)
        decision = self.evaluator.decision(self.name, case.record)
        if decision.row == number or decision.answers[number] is not Answer.yes:
            return self._undecided("unreachable", number, DISAGREED)
        other = "another row" if decision.row is None else self.table.rows[decision.row].id
        sentence = f"{row.id} never decides: whenever it holds, another row does first or is stricter, as {other}"
        return self._found("unreachable", number, f"{sentence}{self._told(case.record)}.", case)
