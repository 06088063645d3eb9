"""Remedies: the actions that a policy recommends for what was found. Nothing here acts."""

from __future__ import annotations

from datetime import date

import pandas as pd

from control_tower.nouns import canonical
from policies.document import Policy
from policies.judgement import columns_of, holds, plain
from policies.risk import scored_surely
from policies.sentences import render, slots
from policies.terms import Offer, Remedy, Rung

COLUMNS = ("subject", "order_id", "kind", "action", "target", "amount", "currency", "reason", "rests_on")
TEXT = ("subject", "order_id", "kind", "action", "target", "currency", "reason", "rests_on")


def proposals(policy: Policy, findings: pd.DataFrame, facts: pd.DataFrame, as_of: date | None = None) -> pd.DataFrame:
    """The actions that the policy would have a person rule on.

    Only an answer of yes proposes, only where the remedy's own condition is yes and its target is
    known, and a refund only of a known amount above zero. Two rules that ask for one action on one
    target ask once, in the words of the earlier rule; what the score asks for comes last. Below the
    rung `recommend` there are none.

    Args:
        findings: what `judge` found in these very facts.
        as_of: the moment whose thresholds hold; the day the policy was read for when left out.

    Returns:
        Sorted by subject, kind and action: subject, order_id, kind, action, target, amount (minor units, Int64),
        currency, reason, rests_on (the facts that must still hold, as canonical JSON text, which
        survives Parquet as it is).
    """
    parts = [_rows(facts.head(0), subject=facts[policy.subject].head(0))]
    if policy.rung in (Rung.recommend, Rung.act):
        for rule in policy.rules:
            said = findings[(findings["kind"] == rule.kind) & (findings["answer"] == "yes")]
            for remedy in rule.propose if len(said) else ():
                found = facts[_read(policy, remedy)].take(said["row"].to_numpy())
                parts.append(_proposed(policy, rule.kind, remedy, found, as_of))
        for offer in policy.propose:
            over = scoring(policy, offer, findings, facts, as_of)
            found = facts[_read(policy, offer)].take(over["row"].to_numpy())
            parts.append(_proposed(policy, over["kind"].set_axis(found.index), offer, found, as_of))
    once = pd.concat(parts, ignore_index=True).drop_duplicates(["subject", "action", "target"], keep="first")
    return once.sort_values(["subject", "kind", "action"], kind="stable", ignore_index=True)


def scoring(
    policy: Policy, offer: Offer, findings: pd.DataFrame, facts: pd.DataFrame, as_of: date | None = None
) -> pd.DataFrame:
    """The subjects whose score reaches what an offer asks, by what is known: row, kind that leads, points."""
    day = as_of or policy.as_of
    enough = policy.thresholds_on(day)[offer.score_at_least]
    assert day is not None  # noqa: S101 - or there are no thresholds; narrows the type
    scored = scored_surely(policy, findings, facts, day)
    return scored[scored["points"] >= enough].reset_index(drop=True)


def _read(policy: Policy, remedy: Remedy) -> list[str]:
    """The facts that a remedy reads."""
    condition = policy.expression(remedy.when).names if remedy.when else ()
    named = {policy.subject, "order_id", "currency", remedy.target, remedy.amount, *remedy.rests_on, *condition}
    named |= set(slots(remedy.reason, policy.catalogue))
    return [name for name in policy.columns if name in named]


def _proposed(
    policy: Policy, kind: str | pd.Series[str], remedy: Remedy, facts: pd.DataFrame, as_of: date | None
) -> pd.DataFrame:
    columns = columns_of(policy, facts, as_of)
    amount = columns.integers(remedy.amount) if remedy.amount else pd.Series(pd.NA, facts.index, dtype="Int64")
    chosen = holds(policy, remedy.when, facts, as_of) & facts[remedy.target].notna()
    if "order_id" in facts:
        chosen &= facts["order_id"].notna()
    if remedy.amount:
        chosen &= (amount > 0).fillna(False).astype(bool) & facts["currency"].notna()
    found = facts[chosen]
    rows = [{**row, **columns.thresholds} for row in found.to_dict("records")]
    return _rows(
        found,
        subject=found[policy.subject],
        kind=kind if isinstance(kind, str) else kind[chosen],
        action=remedy.action.value,
        target=found[remedy.target],
        amount=amount[chosen],
        currency=found["currency"] if remedy.amount else pd.NA,
        reason=[render(remedy.reason, row) for row in rows],
        rests_on=[canonical({name: plain(row[name]) for name in remedy.rests_on}).decode() for row in rows],
    )


def _rows(found: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """Proposals about these subjects, in the columns and types that every one of them has."""
    orders = found.get("order_id")  # not every case is about an order
    frame = pd.DataFrame({**dict.fromkeys(TEXT), "order_id": orders, **columns}, index=found.index)
    frame["amount"] = pd.Series(columns.get("amount"), index=found.index, dtype="Int64")
    return frame.astype(dict.fromkeys(TEXT, "str"))[list(COLUMNS)]
