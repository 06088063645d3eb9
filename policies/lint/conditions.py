"""Conditions: those that hold of no record, and those that exclude none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.cells import written_out
from policies.lint.asking import Scene
from policies.lint.findings import Found, Level, Place, undecided
from policies.lint.reads import nodes_in
from policies.lint.solver import Term
from policies.lint.wording import text_of
from policies.lint.worlds import World
from policies.terms import Cell
from policies.tree import And, Constant, Membership, Node, Or


def excludes(scene: Scene, world: World, when: str | Mapping[str, Cell], where: str, place: Place) -> Iterator[Found]:
    """What is wrong with a condition by itself: the whole of it, its cells, and the parts of each `or`."""
    tree = scene.document.expression(written_out(when, scene.document.catalogue)).tree
    if isinstance(tree, Constant):
        return
    whole = list(_whole(scene, world, tree, where, place))
    yield from whole
    if whole:
        return
    yield from _choices(scene, world, tree, where, place)
    if isinstance(when, str):
        yield from _alternatives(scene, world, tree, where, place)
        return
    for name, cell in when.items():
        part = scene.document.expression(written_out({name: cell}, scene.document.catalogue)).tree
        sentence = f"The cell for {name} excludes nothing: {text_of(part)}."
        always = Found("always", where, (*place, name), sentence, Level.note, topic=name)
        yield from _unless(scene, world.holds(part).no, always)


def _whole(scene: Scene, world: World, tree: Node, where: str, place: Place) -> Iterator[Found]:
    yes, no = world.holds(tree)
    never = Found("never_fires", where, place, f"No record satisfies {text_of(tree)}.")
    always = Found("always", where, place, f"Every record satisfies {text_of(tree)}, so it chooses nothing.")
    yield from list(_unless(scene, yes, never)) or _unless(scene, no, always)


def _alternatives(scene: Scene, world: World, tree: Node, where: str, place: Place) -> Iterator[Found]:
    """The parts of each `and` that exclude nothing, and those of each `or` that nothing satisfies."""
    for node in nodes_in(tree):
        for part in node.parts if isinstance(node, And | Or) else ():
            text = text_of(part)
            if isinstance(node, Or):
                found = Found("never_fires", where, place, f"No record satisfies {text}.", topic=text)
                yield from _unless(scene, world.holds(part).yes, found)
                continue
            # `x >= 0` of what is never less says too much and does no harm; an `or` was meant to be an `and`.
            level = Level.fault if any(isinstance(inner, And | Or) for inner in nodes_in(part)) else Level.note
            found = Found("always", where, place, f"Every record satisfies {text}.", level, topic=text)
            yield from _unless(scene, world.holds(part).no, found)


def _choices(scene: Scene, world: World, tree: Node, where: str, place: Place) -> Iterator[Found]:
    """The entries of lists that are none of the values that there can be, as a misspelt one."""
    for node in nodes_in(tree):
        if isinstance(node, Membership) and len(node.choices) > 1:
            for choice in node.choices:
                alone = Membership(node.operand, (choice,), node.kind)
                sentence = f"No record satisfies {text_of(alone)}."
                found = Found("never_fires", where, place, sentence, topic=text_of(alone))
                yield from _unless(scene, world.holds(alone).yes, found)


def _unless(scene: Scene, question: Term, found: Found) -> Iterator[Found]:
    """A finding, unless some record answers the question with yes."""
    possible = scene.possible(question)
    if possible is None:
        yield undecided(found.check, found.where, found.place, found.topic)
    elif not possible:
        yield found
