"""Open cases: frames become nouns here, and the book takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

import policies
from control_tower.keeping import Kept, Nouns
from control_tower.keeping.step import open_archive, step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.cases import newest_view, record_cases
from control_tower.ledger.proposals import record_proposals
from control_tower.ledger.watermarks import shared_cases
from control_tower.nouns import (
    Action,
    Advice,
    Case,
    Evidence,
    Finding,
    Link,
    Money,
    Noun,
    Proposal,
    Risk,
    digest_of,
)
from control_tower.settings import settings
from policies import Policy
from policies.measures import Holdout, measures
from policies.terms import Rung
from tasks.neighbourhood import Neighbourhoods, linked_of
from tasks.validate import Accepted

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 25


class Opened(Noun):
    """What the book changed: case ids opened, updated, closed, and those that stay as they were."""

    opened: tuple[str, ...]
    updated: tuple[str, ...]
    closed: tuple[str, ...]
    same: tuple[str, ...]
    looked_back: bool = False

    @property
    def markdown(self) -> str:
        """The counts, for the artifact."""
        counts = (
            ("opened", self.opened),
            ("updated", self.updated),
            ("closed", self.closed),
            ("as they were", self.same),
        )
        return ", ".join(f"{len(cases)} {what}" for what, cases in counts)


@step
def form_cases(
    scored: Kept,
    findings: Kept,
    facts: Kept,
    policy: Policy,
    accepted: Accepted,
    advised: Kept | None = None,
    linked: Neighbourhoods | None = None,
) -> Nouns[Case]:
    """Make a `Case` of each scored row, with its findings explained and the facts they rest on.

    Args:
        advised: what policy advises teams, in a lane that advises.
        linked: what its orders share with others, in a lane that looks at that.
    """
    archive = open_archive(settings().artifacts)
    cases = archive.frame(scored)
    known = archive.frame(facts)
    known["row"] = range(len(known))
    found = archive.frame(findings)
    # What is unknown about a subject of a case is told as well: somebody has the missing evidence.
    found = found[found["subject"].isin(cases["subjects"].explode())].sort_values(["subject", "kind"])
    answers: dict[str, list[tuple[str, str]]] = {
        str(subject): list(zip(said["kind"], said["answer"], strict=True)) for subject, said in found.groupby("subject")
    }
    needed = known[known[policy.subject].isin(cases["subjects"].explode())]
    rows = {row[policy.subject]: row for row in plain_rows(needed.drop(columns="row"))}
    tables = accepted.digests
    advice = advice_by_subject(archive.frame(advised)) if advised else {}
    links = archive.frame(linked.links).groupby("case_id") if linked else None
    formed = []
    for row in plain_rows(cases):
        drawn = linked.pictures.get(row["id"], "") if linked else ""
        shared = linked_of(links.get_group(row["id"])) if links is not None and drawn else ()
        formed.append(_case(row, answers, advice, rows, tables, policy, accepted, shared, drawn))
    return Nouns(formed)


def advice_by_subject(advised: pd.DataFrame) -> dict[str, list[Advice]]:
    """What is advised, by subject, as nouns."""
    found: dict[str, list[Advice]] = {}
    for row in plain_rows(advised):
        one = Advice(**row | {"evidence": json.loads(row["evidence"]), "prior": json.loads(row["prior"])})
        found.setdefault(one.subject, []).append(one)
    return found


def _case(
    row: dict[str, Any],
    answers: dict[str, list[tuple[str, str]]],
    advice: dict[str, list[Advice]],
    facts: dict[str, dict[str, JsonValue]],
    tables: dict[str, str],
    policy: Policy,
    accepted: Accepted,
    links: tuple[Link, ...],
    picture: str,
) -> Case:
    subjects = tuple(row["subjects"])
    shown = subjects[:SHOWN]  # a burst of ten thousand orders is one case that a person can still read
    money = None
    if row["money_amount"] is not None and row["currency"]:
        money = Money(amount=int(row["money_amount"]), currency=row["currency"])
    return Case(
        id=row["id"],
        lane=policy.id,
        shop=accepted.shop.id,
        pivot=row["pivot"],
        kinds=tuple(row["kinds"]),
        about=policy.subject.removesuffix("_id"),
        subjects=subjects,
        orders=tuple(row["orders"]),
        team=row["team"],
        owner=row["owner"] or "",
        findings=tuple(
            _explained(policy, kind, facts[subject], accepted.as_of)
            for subject in shown
            for kind, answer in answers[subject]
            if kind in row["kinds"] or answer == "unknown"
        ),
        advice=tuple(one for subject in subjects for one in advice.get(subject, ()) if one.kind in row["kinds"]),
        evidence=Evidence(
            as_of=accepted.as_of,
            facts=tuple(facts[subject] for subject in shown),
            tables=tables,
            links=links,
            picture=picture,
        ),
        risk=Risk(
            severity=row["severity"],
            score=int(row["score"]),
            money=money,
            due_at=row["due_at"],
            priority=round(float(row["priority"]), 6),
            policy=policy.reference,
        ),
    )


def _explained(policy: Policy, kind: str, facts: dict[str, JsonValue], as_of: datetime) -> Finding:
    """A finding told from the facts as kept, where a moment is text."""
    moments = {
        name: datetime.fromisoformat(str(facts[name]))
        for name, fact in policy.facts.items()
        if fact.type == "timestamp" and facts[name] is not None
    }
    return policies.explain(policy, kind, facts | moments, as_of)


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as plain Python values: missing is None, moments and days are ISO text."""
    import pandas as pd

    columns: dict[str, list[Any]] = {}
    for name in frame.columns:
        values = frame[name]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            columns[name] = [None if value is pd.NaT else value.isoformat() for value in values]
        elif pd.api.types.is_datetime64_dtype(values.dtype):  # a day
            columns[name] = [None if value is pd.NaT else f"{value:%Y-%m-%d}" for value in values]
        else:
            columns[name] = [_plain(value) for value in values.tolist()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else value


@step
def form_proposals(
    recommended: Kept,
    cases: Nouns[Case],
    policy: Policy,
    source: str,
    mapping: str | None,
    accepted: Accepted,
    replay: bool,
) -> Nouns[Proposal]:
    """Make a `Proposal` of each row; its digest covers all that a ruling on it would.

    Of a case in the holdout nothing is proposed that may wait, so that what proposals are worth can be measured.
    """
    archive = open_archive(settings().artifacts)
    case_of = {(subject, kind): case.id for case in cases for subject in case.subjects for kind in case.kinds}
    rows = not_held_out(plain_rows(archive.frame(recommended)), case_of, measures().holdout)
    buyers = _buyers({row["order_id"] for row in rows}, accepted)
    return Nouns(
        [
            Proposal(
                case_id=case_of[row["subject"], row["kind"]],
                lane=policy.id,
                shop=accepted.shop.id,
                source=source,
                mapping=mapping,
                action=Action(row["action"]),
                order_id=row["order_id"],
                subject=row["subject"],
                target=row["target"],
                money=Money(amount=int(row["amount"]), currency=row["currency"]) if row["amount"] is not None else None,
                rests_on=json.loads(row["rests_on"]),
                evidence=digest_of(json.loads(row["rests_on"])),
                policy=policy.reference,
                reason=row["reason"],
                customer=buyers.get(row["order_id"], ""),
                as_of=accepted.as_of if replay else None,
            )
            for row in rows
        ]
    )


def not_held_out(
    rows: list[dict[str, Any]], case_of: Mapping[tuple[str, str], str], holdout: Holdout
) -> list[dict[str, Any]]:
    """The recommended rows, without those of held-out cases whose action may wait.

    Args:
        rows: with subject, kind and action.
        case_of: the case of each subject and kind.
    """
    return [
        row
        for row in rows
        if row["action"] not in holdout.actions or not holdout.holds(case_of[row["subject"], row["kind"]])
    ]


def _buyers(orders: set[str], accepted: Accepted) -> dict[str, str]:
    """Whose orders these are, as far as the source says: nobody rules on their own."""
    archive, buyers = open_archive(settings().artifacts), dict[str, str]()
    for kept in accepted.every.get("orders", ()) if orders else ():
        known = archive.frame(kept, ["order_id", "customer_id"])
        mine = known[known["order_id"].isin(orders) & known["customer_id"].notna()]
        buyers |= dict(zip(mine["order_id"], mine["customer_id"], strict=True))
    return buyers


@step(touches="the ledger")
def open_cases(
    lane: str,
    cases: Nouns[Case],
    proposals: Nouns[Proposal],
    findings: Kept,
    accepted: Accepted,
    rung: Rung,
    looked: Kept | None = None,
) -> Opened:
    """Bring the book to what was found: open, append, close, and put proposals before people.

    A case whose cause can't be told any more is not gone: it stays as it is.

    A run that looks further back than the newest one changes nothing: yesterday's view can't close
    or open today's cases.

    Args:
        rung: the one that the lane stands on; below `recommend`, what waited for a person is withdrawn.
        looked: the orders that were looked at, where these are not all: only their cases can close.
    """
    ledger = open_ledger(settings().ledger)
    newest = newest_view(ledger, lane, accepted.shop.id)
    if newest and accepted.as_of < newest:
        return Opened(opened=(), updated=(), closed=(), same=(), looked_back=True)
    now = datetime.now(UTC)
    found = open_archive(settings().artifacts).frame(findings, ["subject", "kind", "answer"])
    unknown = found.loc[found["answer"] == "unknown", ["subject", "kind"]]
    undecided = set(unknown.itertuples(index=False, name=None))
    seen = _seen(ledger, lane, accepted.shop.id, looked) if looked else None
    changes = record_cases(ledger, lane, accepted.shop.id, cases.items, undecided, now, seen)
    gone = f"{lane} stands on {rung}, and proposes nothing" if rung is Rung.route else "what it rested on has changed"
    record_proposals(ledger, [case.id for case in cases], proposals.items, now, gone)
    return Opened(opened=changes.opened, updated=changes.updated, closed=changes.closed, same=changes.same)


def _seen(ledger: Ledger, lane: str, shop: str, looked: Kept) -> frozenset[str]:
    """The pivots of the cases of which every order was looked at."""
    orders = set(open_archive(settings().artifacts).frame(looked, ["order_id"])["order_id"])
    shared = shared_cases(ledger, lane, shop, "order:")
    whole = {pivot for pivot, subjects in shared.items() if subjects <= orders}
    return frozenset({f"order:{order}" for order in orders} | whole)
