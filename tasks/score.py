"""Score: merge findings on their root cause, and say how bad, whose and how soon. One row a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import policies
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import digest_of
from control_tower.settings import settings
from policies import Policy
from policies.terms import Rule
from tasks.validate import Accepted

if TYPE_CHECKING:
    import pandas as pd


@step
def score(findings: Kept, facts: Kept, policy: Policy, accepted: Accepted) -> Kept:
    """One row for each case: id, pivot, kinds, orders, severity, team, owner, money, due time, priority.

    Findings about one order are one case. Where a whole group shares a cause, such as a missed
    pick-up, the group is one case.
    """
    archive = open_archive(settings().artifacts)
    found = archive.frame(findings)
    known = archive.frame(facts, list(policy.facts))
    orders = policies.score(policy, found, known, accepted.as_of, accepted.shop)
    orders["pivot"] = "order:" + orders["order_id"].astype(str)
    for rule in policy.rules:
        if rule.merge is not None:
            _merge(policy, rule, found, known, orders)
    return archive.keep_frame("cases", _cases(orders, policy.id, accepted.shop.id))


def _merge(policy: Policy, rule: Rule, found: pd.DataFrame, known: pd.DataFrame, orders: pd.DataFrame) -> None:
    """Give the orders that share a cause one pivot and one owner, where enough of a group has it.

    `share` is counted over all orders that have every fact of the group.
    """
    merge = rule.merge
    assert merge is not None  # noqa: S101 - asked by the caller; narrows the type
    on = list(merge.on)
    grouped = known[["order_id", *on]].dropna()
    said = found.loc[(found["kind"] == rule.kind) & (found["answer"] == "yes"), "order_id"]
    holding = policies.holds(policy, merge.when, known)
    grouped["part"] = holding.loc[grouped.index] & grouped["order_id"].isin(said)
    size = grouped.groupby(on)["part"].agg(["sum", "mean"]).reset_index()
    shared = size[(size["sum"] >= merge.at_least) & (size["mean"] >= merge.share)]
    merged = grouped[grouped["part"]].merge(shared[on], on=on).set_index("order_id")
    if merged.empty:
        return
    part = orders["order_id"].isin(merged.index)
    theirs = merged.loc[orders.loc[part, "order_id"]]
    key = theirs[on[0]].str.cat(theirs[on[1:]], sep="/")
    owner = rule.team[-1]  # the last row is the one without a condition
    orders.loc[part, "pivot"] = (f"{merge.name}:" + key.astype(str)).to_numpy()
    orders.loc[part, "team"] = owner.team
    orders.loc[part, "member"] = theirs[owner.member].to_numpy() if owner.member in on else ""


def _cases(orders: pd.DataFrame, lane: str, shop: str) -> pd.DataFrame:
    """Orders folded into cases; the worst severity and the earliest due time speak for all."""
    ordered = orders.sort_values(["pivot", "severity", "order_id"], kind="stable")
    grouped = ordered.groupby("pivot", sort=True)
    cases = grouped.agg(
        severity=("severity", "first"),  # sev1 sorts first
        score=("score", "max"),
        team=("team", "first"),
        owner=("member", "first"),
        due_at=("due_at", "min"),
        priority=("priority", "sum"),
        currency=("currency", "first"),
        currencies=("currency", "nunique"),
        money_amount=("money_amount", "sum"),
        order_count=("order_id", "size"),
    ).reset_index()
    cases.loc[cases["currencies"] > 1, ["currency", "money_amount"]] = None  # never add up two currencies
    cases["orders"] = grouped["order_id"].agg(sorted).to_numpy()
    cases["kinds"] = grouped["kinds"].agg(lambda several: sorted(set().union(*several))).to_numpy()
    cases["id"] = [digest_of([lane, shop, pivot])[:12] for pivot in cases["pivot"]]
    return cases.drop(columns="currencies").sort_values(["priority", "id"], ascending=[False, True])
