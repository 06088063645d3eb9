"""Score: merge findings on their root cause, and say how bad, whose and how soon. One row a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import policies
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import Noun, digest_of
from control_tower.settings import settings
from policies import Policy
from policies.terms import Rule
from tasks.validate import Accepted

if TYPE_CHECKING:
    import pandas as pd


class Others(Noun):
    """Subjects about which nothing was found and whose facts are not at hand, counted for each kind that merges.

    Each frame has the facts that the kind merges on, and `others`: how many subjects have these.
    """

    counted: dict[str, Kept]


@step
def score(findings: Kept, facts: Kept, policy: Policy, accepted: Accepted, others: Others | None = None) -> Kept:
    """One row for each case: id, pivot, kinds, subjects, orders, severity, team, owner, money, due time, priority.

    Findings about one subject are one case. Where a whole group shares a cause, such as a missed
    pick-up or a product that comes back, the group is one case.

    Args:
        others: subjects that belong to such groups, where `facts` are not those of all.
    """
    archive = open_archive(settings().artifacts)
    found = archive.frame(findings)
    known = archive.frame(facts, list(policy.columns))
    beside = {kind: archive.frame(kept) for kind, kept in others.counted.items()} if others else {}
    parts = []
    for together in _alone(policy):
        merged = [_shared(policy, rule, found, known, beside.get(rule.kind)) for rule in together]
        subjects = {subject for one in merged for subject in one.index}
        theirs = found["kind"].isin([rule.kind for rule in together]) & found["subject"].isin(subjects)
        parts.append(_weighed(policy, found[theirs], known, accepted))
        for rule, one in zip(together, merged, strict=True):
            _merge(rule, one, parts[-1])
        found = found[~theirs]
    whole = _weighed(policy, found, known, accepted)
    for rule in policy.rules:
        if rule.merge is not None and not rule.merge.alone:
            _merge(rule, _shared(policy, rule, found, known, beside.get(rule.kind)), whole)
    return archive.keep_frame("cases", _cases(_together([whole, *parts]), policy.id, accepted.shop.id))


def _alone(policy: Policy) -> list[list[Rule]]:
    """The rules whose cases stand alone; those that merge by the same name on the same facts share a case."""
    groups: dict[tuple[str, ...], list[Rule]] = {}
    for rule in policy.rules:
        if rule.merge is not None and rule.merge.alone:
            groups.setdefault((rule.merge.name, *rule.merge.on), []).append(rule)
    return list(groups.values())


def _weighed(policy: Policy, found: pd.DataFrame, known: pd.DataFrame, accepted: Accepted) -> pd.DataFrame:
    """Findings weighed by subject, each subject a case of its own so far."""
    weighed = policies.score(policy, found, known, accepted.as_of, accepted.shop)
    weighed["pivot"] = f"{policy.subject.removesuffix('_id')}:" + weighed["subject"].astype(str)
    weighed["order_id"] = None  # not every case is about an order
    if "order_id" in known:
        of = known["order_id"].set_axis(known[policy.subject]).reindex(weighed["subject"])
        weighed["order_id"] = of.to_numpy(dtype=object)
    return weighed


def _together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _shared(
    policy: Policy, rule: Rule, found: pd.DataFrame, known: pd.DataFrame, others: pd.DataFrame | None
) -> pd.DataFrame:
    """The subjects that share a cause, where enough of a group has it, with the facts of the group.

    `share` is counted over all subjects that have every fact of the group: those known, and the others.
    """
    merge = rule.merge
    assert merge is not None  # noqa: S101 - asked by the caller; narrows the type
    on = list(merge.on)
    grouped = known[[policy.subject, *on]].dropna()
    said = found.loc[(found["kind"] == rule.kind) & (found["answer"] == "yes"), "subject"]
    holding = policies.holds(policy, merge.when, known)
    grouped["part"] = holding.loc[grouped.index] & grouped[policy.subject].isin(said)
    size = grouped.groupby(on)["part"].agg(["sum", "count"]).reset_index()
    if others is not None:
        size = size.merge(others, on=on, how="left")
        size["count"] += size.pop("others").fillna(0).astype("int64")
    shared = size[(size["sum"] >= merge.at_least) & (size["sum"] / size["count"] >= merge.share)]
    return grouped[grouped["part"]].merge(shared[on], on=on).set_index(policy.subject)


def _merge(rule: Rule, merged: pd.DataFrame, weighed: pd.DataFrame) -> None:
    """Give the subjects that share a cause one pivot and one owner."""
    if merged.empty or rule.merge is None:
        return
    on = list(rule.merge.on)
    part = weighed["subject"].isin(merged.index)
    theirs = merged.loc[weighed.loc[part, "subject"]]
    key = theirs[on[0]].str.cat(theirs[on[1:]], sep="/")
    weighed.loc[part, "pivot"] = (f"{rule.merge.name}:" + key.astype(str)).to_numpy()
    if not rule.merge.alone:  # who leads a mixed group is the rule's own last team
        owner = rule.team[-1]  # the last row is the one without a condition
        weighed.loc[part, "team"] = owner.team
        weighed.loc[part, "member"] = theirs[owner.member].to_numpy() if owner.member in on else ""


def _cases(weighed: pd.DataFrame, lane: str, shop: str) -> pd.DataFrame:
    """Subjects folded into cases; the worst severity and the earliest due time speak for all."""
    ordered = weighed.sort_values(["pivot", "severity", "subject"], kind="stable")
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
        subject_count=("subject", "size"),
    ).reset_index()
    cases.loc[cases["currencies"] > 1, ["currency", "money_amount"]] = None  # never add up two currencies
    cases["subjects"] = grouped["subject"].agg(sorted).to_numpy()
    cases["orders"] = grouped["order_id"].agg(lambda several: sorted(set(several.dropna()))).to_numpy()
    cases["kinds"] = grouped["kinds"].agg(lambda several: sorted(set().union(*several))).to_numpy()
    cases["id"] = [digest_of([lane, shop, pivot])[:12] for pivot in cases["pivot"]]
    return cases.drop(columns="currencies").sort_values(["priority", "id"], ascending=[False, True])
