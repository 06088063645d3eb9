"""Every number, id and date in a brief is a field of its case, and a field that changes is seen in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

import policies
from control_tower.nouns import Case, Money, Proposal, told_once
from flows.lanes import find_lane
from policies.reader import version
from tasks.brief import brief
from tasks.detect import detect
from tasks.entitle import entitle
from tasks.exhibits import exhibits_of
from tasks.gather import gather
from tasks.judge import judge
from tasks.open_cases import form_cases, form_proposals
from tasks.recommend import recommend
from tasks.score import score
from tasks.selection import template
from tasks.validate import validate
from tests.flows.conftest import AS_OF

Formed = tuple[list[Case], list[Proposal]]
TOKEN = re.compile(r"[\w.,:/+-]*\d[\w.,:/+-]*")


@flow(persist_result=False)
def formed(lane: str, source: str, mapping: str | None, as_of: datetime) -> Any:
    """A look that forms its cases and opens none."""
    watched, rules = find_lane(lane), policies.load(lane, as_of)
    accepted = validate(gather(source, mapping, watched.tables, as_of))
    facts = detect(accepted, watched.signals, rules)
    facts = entitle(facts, rules, as_of) if rules.conclusions else facts
    findings = judge(facts, rules, as_of)
    scored = score(findings, facts, rules, accepted)
    cases = form_cases(scored, findings, facts, rules, accepted)
    proposals = form_proposals(recommend(findings, facts, rules), cases, rules, source, mapping, accepted, replay=True)
    return lambda: (list(cases), list(proposals))


def tokens(text: str) -> set[str]:
    plain = text.replace("\\", "").replace("[:]//", "://").replace("[@]", "@").replace("[.]", ".")
    return {found.strip(".,:/+-") for found in TOKEN.findall(plain)}


def leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, dict | list | tuple):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield key
            yield from leaves(inner)
    else:
        yield node


def told_as(value: Any, currencies: set[str]) -> Iterator[str]:
    """Every way in which a field may be written."""
    yield str(value)
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield from (f"{value:,}", f"{value:,.1f}", f"{value:,.1f}".removesuffix(".0"), f"{value:.1g}", f"{value:g}")
        if isinstance(value, int):
            yield from (str(Money(amount=value, currency=one)) for one in currencies)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return
        if moment.tzinfo:
            moment = moment.astimezone(UTC)
        yield from (f"{moment:%Y-%m-%d %H:%M UTC}", f"{moment:%Y-%m-%d %H:%M:%S UTC}", f"{moment:%Y-%m-%d}")


def fields(case: Case, proposals: tuple[Proposal, ...]) -> set[str]:
    """All that a brief may say: the case's fields without the sentences, the policy's numbers, the proposals' terms."""
    known = case.model_dump(mode="json")
    for finding in known["findings"]:
        finding.pop("sentence")
    policy = version(case.risk.policy)
    numbers = policy.thresholds_on(case.evidence.as_of)
    asked = [each.model_dump(mode="json", exclude={"reason"}) | {"id": each.id} for each in proposals]
    counts = [len(case.subjects), len(case.evidence.facts), len(case.findings)]
    named = {str(one) for one in leaves(known) if isinstance(one, str) and re.fullmatch("[A-Z]{3}", one)}
    said = [text for leaf in leaves([known, numbers, asked, counts]) for text in told_as(leaf, named)]
    return {token for text in said for token in tokens(text)} | {
        str(number) for number in range(len(case.findings) + 1)
    }


def ungrounded(cases: list[Case], proposals: list[Proposal]) -> list[tuple[str, set[str]]]:
    by_case: dict[str, list[Proposal]] = {}
    for each in proposals:
        by_case.setdefault(each.case_id, []).append(each)
    found = []
    for case in cases:
        mine = tuple(by_case.get(case.id, ()))
        told = brief(case, mine, template(case, exhibits_of(case), "not_configured"))
        if strange := tokens(told) - fields(case, mine):
            found.append((case.id, strange))
    return found


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 7 if isinstance(value, int | float) else f"{value}7" if isinstance(value, str) else value


def unseen(cases: list[Case]) -> tuple[int, int]:
    """How many values that findings rest on were changed, and how many of those changes a brief did not show.

    What is the same of several subjects is told once, from the values of the first.
    """
    planted = missed = 0
    for case in cases:
        before = brief(case)
        for finding in [told.finding for told in told_once(case.findings)[:3]]:
            place = next(number for number, each in enumerate(case.findings) if each is finding)
            for name, value in finding.values.items():
                if value is None:
                    continue
                corrupt = finding.model_copy(update={"values": finding.values | {name: changed(value)}})
                other = case.model_copy(
                    update={"findings": (*case.findings[:place], corrupt, *case.findings[place + 1 :])}
                )
                planted += 1
                missed += brief(other) == before
    return planted, missed


@pytest.mark.slow
@pytest.mark.parametrize(
    "lane",
    [
        "fulfilment",
        "returns",
        *(pytest.param(lane, marks=pytest.mark.large) for lane in ("fraud", "inventory", "subscriptions")),
    ],
)
def test_every_number_and_id_in_a_brief_of_the_generated_shop_is_a_field_of_its_case(tower: Any, lane: str) -> None:
    tower.fill(1500, seed=7)
    cases, proposals = formed(lane, "shop", None, AS_OF)()
    strange = ungrounded(cases, proposals)
    planted, missed = unseen(cases[:200])
    print(f"{lane}: {len(cases)} briefs, {len(strange)} say what is no field; {planted} corruptions, {missed} not seen")
    assert cases and strange == []
    assert planted > 0 and missed == 0


@pytest.mark.slow
def test_every_number_and_id_in_a_brief_of_olist_is_a_field_of_its_case(
    tower: Any, public_data: Callable[[str], Path]
) -> None:
    as_of = datetime.fromisoformat("2018-09-03T18:00:00-03:00")
    cases, proposals = formed("fulfilment", f"folder:{public_data('olist')}", "olist", as_of)()
    strange = ungrounded(cases, proposals)
    planted, missed = unseen(cases[:200])
    print(f"olist: {len(cases)} briefs, {len(strange)} say what is no field; {planted} corruptions, {missed} not seen")
    assert len(cases) > 500 and strange == []
    assert planted > 0 and missed == 0
