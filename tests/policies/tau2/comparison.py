"""The comparison: what our policy recommends for each task beside what the task itself ends in.

This is the only module that opens the tasks' answers, and it opens them after the recommendations are made.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from policies.document import Entitlement
from policies.entitlements import in_force
from policies.reader import read
from policies.readings import ruled_one
from tests.policies.tau2.requests import Facts, Request, requests_of
from tests.policies.tau2.shop import said_in, shop_of

HERE = Path(__file__).parent
WRITTEN = HERE / "policy" / "tau2_retail.yaml"
KINDS = ("return", "exchange", "cancel", "modify", "hand_over")
ENDS_IN = {
    "return_delivered_order_items": "return",
    "exchange_delivered_order_items": "exchange",
    "cancel_pending_order": "cancel",
    "modify_pending_order_items": "modify",
    "modify_pending_order_address": "modify",
    "modify_pending_order_payment": "modify",
    "modify_user_address": "modify",
    "transfer_to_human_agents": "hand_over",
}


@dataclass(frozen=True)
class Compared:
    """One task: the kinds of action that we recommend and those it ends in; nothing is an empty tuple."""

    task: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    held_out: bool
    unknown: bool  # whether the policy could not say what to do with one of the requests
    same_orders: bool  # whether they agree, and on the orders as well

    @property
    def agrees(self) -> bool:
        """Whether both are the same."""
        return self.ours == self.theirs

    @property
    def agrees_without_modify(self) -> bool:
        """Whether both are the same where a change of an order or a profile is no recommendation."""
        return [k for k in self.ours if k != "modify"] == [k for k in self.theirs if k != "modify"]


@cache
def written() -> Entitlement:
    """The data set's policy, written as ours."""
    document = read(WRITTEN)
    assert isinstance(document, Entitlement)
    return document


def recommends(facts: Facts) -> str | None:
    """What the policy recommends for one request; None where it can't be said."""
    policy = written()
    ruler = in_force([policy], policy.in_force.since)
    assert ruler is not None
    concluded, _ = ruled_one(ruler, dict.fromkeys(policy.facts) | facts)
    said: str | None = concluded["recommendation"]
    return said


def recommended(folder: Path) -> dict[str, list[Request]]:
    """Every request of each task with its recommendation, from the customers' words and the shop alone."""
    shop = shop_of(folder)
    return {said.task: requests_of(said.known, said.wants, shop, recommends) for said in said_in(folder)}


def ends_in(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """The writing actions that each task ends in by its own answer: the kind, and the order if it has one."""
    return {
        task["id"]: [
            (ENDS_IN[one["name"]], one["arguments"].get("order_id", ""))
            for one in task["evaluation_criteria"]["actions"]
            if one["name"] in ENDS_IN
        ]
        for task in _read(folder / "tasks.json.gz")
    }


def compare(folder: Path) -> list[Compared]:
    """Every task, in the order of the data set."""
    ours = {task: [_done(request) for request in requests] for task, requests in recommended(folder).items()}
    unknown = {task for task, done in ours.items() if any(kind is None for kind, _ in done)}
    # What can't be said goes to a person, as everywhere in this house.
    mine = {task: {(kind or "hand_over", order if kind else "") for kind, order in done} for task, done in ours.items()}
    held_out = set(_read(folder / "split_tasks.json.gz")["test"])
    return [
        Compared(
            task=task,
            ours=in_order(kind for kind, _ in mine[task]),
            theirs=in_order(kind for kind, _ in theirs),
            held_out=task in held_out,
            unknown=task in unknown,
            same_orders={one for one in mine[task] if one[0] in KINDS} == set(theirs),
        )
        for task, theirs in ends_in(folder).items()
    ]


def _done(request: Request) -> tuple[str | None, str]:
    return request.recommendation, request.order


def in_order(kinds: Iterable[str]) -> tuple[str, ...]:
    """Each kind once, in the order of `KINDS`; nothing is left out."""
    held = set(kinds)
    return tuple(kind for kind in KINDS if kind in held)


def _read(file: Path) -> Any:
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        return json.load(opened)
