"""Supposing: a document as if it had been in force all along, and a policy that reads it in place of another."""

from __future__ import annotations

from datetime import date
from typing import Any, TypeVar

from control_tower.errors import PolicyError, nearest
from policies.checks import faults
from policies.document import Document, Entitlement, Policy
from policies.terms import InForce

D = TypeVar("D", bound=Document)


def supposed(document: D) -> D:
    """The document as if it had always been in force, with the newest of its numbers."""
    newest = {
        name: threshold.model_copy(update={"values": (threshold.values[-1].model_copy(update={"since": date.min}),)})
        for name, threshold in document.thresholds.items()
    }
    return _changed(document, thresholds=newest, in_force=_always(document.in_force))


def in_place_of(policy: Policy, document: Entitlement) -> Policy:
    """The policy, reading an entitlement in place of whichever version was in force at purchase.

    An extension keeps its own days, and takes the place of other versions of it that share one.

    Raises:
        PolicyError: the policy does not read it, or can't with the facts it has.
    """
    root = document.extends or document.id
    if root not in policy.bound:
        raise PolicyError(f"does not read {root}", where=policy.reference, remedy=nearest(root, policy.bound))
    if document.extends:
        kept = [
            one for one in policy.bound[root] if one.id != document.id or not _meet(one.in_force, document.in_force)
        ]
        versions = [*kept, _changed(supposed(document), in_force=document.in_force)]
    else:
        base = supposed(document)
        versions = [base, *(_rebased(one, base) for one in policy.bound[root] if one.extends)]
    found = _changed(policy, bound={**policy.bound, root: tuple(versions)}, examples=())
    wrong = [fault for each in (found, *versions) for fault in faults(each)]
    if wrong:
        place = ".".join(map(str, wrong[0].place))
        raise PolicyError(wrong[0].what, where=f"{policy.reference} with {document.reference}, {place}")
    return found


def _rebased(extension: Entitlement, base: Entitlement) -> Entitlement:
    """An extension whose tables have the outcomes of another version of what it extends."""
    tables = {
        name: table.model_copy(
            update={
                field: getattr(base.tables[name], field) for field in ("means", "outcomes", "unit", "hit", "falls_with")
            }
        )
        for name, table in extension.tables.items()
        if name in base.tables
    }
    return _changed(extension, tables=tables, facts=extension.facts | base.facts)


def _always(in_force: InForce) -> InForce:
    return in_force.model_copy(update={"since": date.min, "until": None})


def _meet(one: InForce, other: InForce) -> bool:
    """Whether there is a day on which both hold."""
    return one.since <= (other.until or date.max) and other.since <= (one.until or date.max)


def _changed(document: D, **changes: Any) -> D:
    """A copy with other content; what was worked out from the old content is forgotten."""
    copy = document.model_copy(update=changes)
    for name in set(copy.__dict__) - set(type(copy).model_fields):
        del copy.__dict__[name]
    return copy
