"""Rules: conditions of a lane's policy that never hold, always do, or never count."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from policies.document import Policy
from policies.judgement import SEVERITIES
from policies.lint.asking import Case, Scene
from policies.lint.conditions import excludes
from policies.lint.findings import Found, Place, undecided
from policies.lint.reads import behind
from policies.lint.solver import Kleene, Term
from policies.lint.wording import told
from policies.lint.worlds import World
from policies.terms import Remedy


class Ruled:
    """One rule on one day. What is promised is free: a fault here is one whatever may be promised yet."""

    def __init__(self, scene: Scene, policy: Policy, number: int) -> None:
        self.scene, self.policy, self.number, self.rule = scene, policy, number, policy.rules[number]
        self.world: World = scene.free_world
        self.when = self.world.said(self.rule.when)

    def findings(self) -> Iterator[Found]:
        """Everything that is wrong with the rule's conditions."""
        broken = list(excludes(self.scene, self.world, self.rule.when, self._where(), self._place("when")))
        yield from broken
        if any(one.check == "never_fires" and not one.topic for one in broken):
            return
        yield from self._severities()
        yield from self._teams()
        for number, remedy in enumerate(self.rule.propose):
            parts = [self._said(remedy.when).yes, *payable(self.policy, self.world, remedy)]
            place = self._place("propose", number, "when" if remedy.when else "action")
            yield from self._together(remedy.when, z3.And(parts), remedy.action.value, place)
        for number, advised in enumerate(self.rule.advise):
            known = [self.world[advised.prior].known] if advised.prior else []
            question = z3.And(self._said(advised.when).yes, *known)
            place = self._place("advise", number, "when" if advised.when else "action")
            yield from self._together(advised.when, question, advised.action.value, place)
        if self.rule.merge:
            when = self.rule.merge.when
            yield from self._together(when, self._said(when).yes, "merge", self._place("merge", "when"))

    def _where(self, *parts: object) -> str:
        return ".".join(map(str, ("rules", self.rule.kind, *parts)))

    def _place(self, *parts: str | int) -> Place:
        return ("rules", self.number, *parts)

    def _said(self, text: str | None) -> Kleene:
        return self.world.said(text)

    def _together(self, text: str | None, question: Term, what: str, place: Place) -> Iterator[Found]:
        """A condition that never holds where its rule does, or that is broken by itself."""
        where = self._where(what)
        alone = list(excludes(self.scene, self.world, text, where, place)) if text else []
        yield from alone
        if not any(one.check == "never_fires" and not one.topic for one in alone):
            yield from self._never(z3.And(self.when.yes, question), where, place)

    def _never(self, question: Term, where: str, place: Place) -> Iterator[Found]:
        possible = self.scene.possible(question)
        if possible is None:
            yield undecided("never_fires", where, place)
        elif not possible:
            what = where.rpartition(f"{self.rule.kind}.")[2].replace(".", " ")
            yield Found("never_fires", where, place, f"No case of {self.rule.kind} satisfies its {what}.")

    def _severities(self) -> Iterator[Found]:
        """Rows that count for nothing: of those that may hold, the worst counts."""
        rows = self.rule.severity
        said = [self._said(row.when) for row in rows]
        code = [SEVERITIES.index(row.severity.value) for row in rows]
        for number, row in enumerate(rows):
            # An earlier row of the same severity takes it, and any worse one does.
            taking = [
                z3.Not(said[other].no)
                for other in range(len(rows))
                if code[other] < code[number] or (code[other] == code[number] and other < number)
            ]
            yes = z3.And(z3.Not(self.when.no), z3.Not(said[number].no))
            place = self._place("severity", number, "when" if row.when else "severity")
            yield from self._counts(row.when, said[number], yes, taking, f"severity.{number + 1}", place)

    def _teams(self) -> Iterator[Found]:
        """Rows that are never the first to say yes."""
        said = [self._said(row.when) for row in self.rule.team]
        for number, row in enumerate(self.rule.team):
            taking = [earlier.yes for earlier in said[:number]]
            yes = z3.And(self.when.yes, said[number].yes)
            place = self._place("team", number, "when" if row.when else "team")
            yield from self._counts(row.when, said[number], yes, taking, f"team.{number + 1}", place)

    def _counts(
        self, text: str | None, said: Kleene, yes: Term, taking: list[Term], what: str, place: Place
    ) -> Iterator[Found]:
        """Whether a row of a rule ever holds with its rule, and ever counts."""
        where = self._where(what)
        broken = list(self._together(text, said.yes, what, place)) if text else []
        yield from broken
        if any(one.check == "never_fires" and not one.topic for one in broken):
            return
        possible = self.scene.possible(z3.And(yes, z3.Not(z3.Or(taking)))) if taking else True
        if possible is None:
            yield undecided("unreachable", where, place)
        elif not possible:
            shown = self._shown(text)
            sentence = f"{what.replace('.', ' ')} never counts: whenever it holds, another row does that goes before it"
            record = shown.record if shown else {}
            yield Found(
                "unreachable",
                where,
                place,
                f"{sentence.capitalize()}{told(record, self.scene.document.ordinary)}.",
                record=record,
            )

    def _shown(self, text: str | None) -> Case | None:
        """A record of which a row says yes with its rule."""
        texts = [self.rule.when, *([text] if text else [])]
        names = [name for one in texts for name in self.scene.document.expression(one).names]
        question = z3.And([self.scene.world.said(one).yes for one in texts])
        found = self.scene.case(question, behind(self.scene.document, names))
        return found if isinstance(found, Case) else None


def needed(policy: Policy, remedy: Remedy) -> tuple[str, ...]:
    """The facts without which an action is not proposed."""
    order = ("order_id",) if "order_id" in policy.facts else ()
    return (remedy.target, *order, *((remedy.amount, "currency") if remedy.amount else ()))


def payable(policy: Policy, world: World, remedy: Remedy) -> list[Term]:
    """What holds where an action is proposed: all of that is known, and an amount is above zero."""
    known = [world[name].known for name in needed(policy, remedy)]
    return [*known, world[remedy.amount].value > 0] if remedy.amount else known


def offers(scene: Scene, policy: Policy) -> Iterator[Found]:
    """Offers that no record satisfies, or whose score nothing that the rules can say together reaches."""
    numbers = policy.thresholds_on(scene.day)
    most = sum(
        min(family.cap, sum(rule.score for rule in policy.rules if rule.family == name))
        for name, family in policy.families.items()
    )
    for number, offer in enumerate(policy.propose):
        where, place = f"propose.{number + 1}", ("propose", number)
        if offer.when:
            yield from excludes(scene, scene.free_world, offer.when, where, (*place, "when"))
        if (enough := numbers[offer.score_at_least]) > most:
            sentence = f"Nothing scores {enough:g}: all that can be found scores {most} together."
            yield Found("never_fires", where, (*place, "score_at_least"), sentence, topic="score")


def floors(scene: Scene, policy: Policy) -> Iterator[Found]:
    """Floors whose condition no record satisfies, or every one."""
    for number, floor in enumerate(policy.floors):
        where = f"floors.{number + 1}"
        yield from excludes(scene, scene.free_world, floor.when, where, ("floors", number, "when"))
