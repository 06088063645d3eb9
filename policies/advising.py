"""Advising: the measures that a policy advises a team to take about what was found. Nobody here takes them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from control_tower.nouns import canonical
from policies.document import Policy
from policies.judgement import columns_of, holds, plain
from policies.sentences import render, slots
from policies.terms import Advised, Rule, Rung

COLUMNS = ("subject", "kind", "action", "owner", "reason", "evidence", "expires_after", "prior_of", "prior", "counter")


def advice(policy: Policy, findings: pd.DataFrame, facts: pd.DataFrame, as_of: date | None = None) -> pd.DataFrame:
    """The measures that the policy advises.

    Only an answer of yes advises, only where the measure's own condition is yes, and only where what it
    changes, if anything, is known: what nobody knows can't be put back. Two rules that advise one measure for one
    subject advise it once, in the words of the earlier rule. Below the rung `recommend` there are none.

    Args:
        findings: what `judge` found in these very facts.
        as_of: the moment whose thresholds hold; the day the policy was read for when left out.

    Returns:
        Sorted by subject, kind and action: subject, kind, action, owner, reason, evidence (the facts it
        rests on, as canonical JSON text), expires_after (business time), prior_of (a fact), prior (its
        value, as canonical JSON text), counter.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS), dtype="str")]
    if policy.rung in (Rung.recommend, Rung.act):
        for rule in policy.rules:
            said = findings[(findings["kind"] == rule.kind) & (findings["answer"] == "yes")]
            found = facts.take(said["row"].to_numpy()) if rule.advise and len(said) else facts.head(0)
            parts += [_advised(policy, rule, advised, found, as_of) for advised in rule.advise if len(found)]
    once = pd.concat(parts, ignore_index=True).drop_duplicates(["subject", "action"], keep="first")
    return once.sort_values(["subject", "kind", "action"], kind="stable", ignore_index=True)


def _advised(policy: Policy, rule: Rule, advised: Advised, facts: pd.DataFrame, as_of: date | None) -> pd.DataFrame:
    columns = columns_of(policy, facts, as_of)
    prior, counter = advised.prior, advised.counter or ""
    shown = [*slots(advised.reason, policy.catalogue), *slots(counter, policy.catalogue)]
    conditions = [policy.expression(text) for text in (rule.when, advised.when) if text]
    named = {policy.subject, "currency", *shown, *(name for one in conditions for name in one.names)}
    chosen = facts[holds(policy, advised.when, facts, as_of)]
    if prior is not None:
        named |= {prior}
        chosen = chosen[holds(policy, f"known({prior})", chosen, as_of)]
    kept = chosen[[name for name in policy.columns if name in named]]
    rows: list[dict[Any, Any]] = [{**row, **columns.thresholds} for row in kept.to_dict("records")]
    rests_on = sorted(named - {policy.subject, "currency"})
    return pd.DataFrame(
        {
            "subject": chosen[policy.subject],
            "kind": rule.kind,
            "action": advised.action.value,
            "owner": advised.owner,
            "reason": [render(advised.reason, row) for row in rows],
            "evidence": [canonical({name: plain(row[name]) for name in rests_on}).decode() for row in rows],
            "expires_after": advised.expires_after,
            "prior_of": prior or "",
            "prior": [canonical(plain(row[prior]) if prior else None).decode() for row in rows],
            "counter": [render(counter, row) for row in rows],
        },
        columns=list(COLUMNS),
    ).astype("str")
