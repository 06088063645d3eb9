"""What a task does for one shop goes by that shop's own policies, authority and people, and into its own channel."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from inspect import unwrap
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select

from control_tower.errors import NoAuthority, NotEarned
from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.caps import open_breakers
from control_tower.ledger.looks import record_look
from control_tower.ledger.proofs import Token
from control_tower.ledger.rungs import fall
from control_tower.ledger.tables import CaseRow, EffectRow, ProposalRow
from control_tower.model.briefs import Briefs
from control_tower.nouns import Case, Shop
from control_tower.settings import Settings, settings
from control_tower.slack.tables import OutboxMessage
from desk.policy_lint import lint_policies
from desk.rule import chosen
from policies.terms import Rung
from tasks.book import read_book
from tasks.prepare import prepare
from tasks.settle_effects import settle_open
from tasks.shadow import shadowed
from tasks.shops import channel_of, version_of
from tasks.standing import promote, standing
from tasks.weigh import tell_of_rungs
from tests.ledger.books import NOW, proposal
from tests.ledger.lanes import ruled
from tests.model.cases import a_case
from tests.shops.towers import BERLIN, RECIFE, RECIFE_AUTHORITY, RECIFE_FULFILMENT, SHOPS

LANE = "fulfilment"
CASE = {BERLIN: "be" * 8, RECIFE: "5e" * 8}
EASY = """
rungs:
  starts_at: recommend
  promote: {looks: 1, cases: 1, rulings: 1, agreement: 0.1, reversals: 1.0, breaches: 99, overdue: 1.0}
  stay: {judged_on: 1, agreement: 0.1, reversals: 1.0, breaches: 99, overdue: 1.0}
"""
STRICT = """
promotes_lanes: [finance]
breakers: [{when: refused, count: 2, within: 1 hour}]
"""


@pytest.fixture
def tower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A tower of two shops, each with the same case; Recife has a policy and an authority of its own."""
    (tmp_path / "recife").mkdir()
    (tmp_path / "shops.yaml").write_text(SHOPS)
    (tmp_path / "recife" / "fulfilment.yaml").write_text(RECIFE_FULFILMENT)
    (tmp_path / "recife" / "authority.yaml").write_text(RECIFE_AUTHORITY + STRICT)
    monkeypatch.setenv("TOWER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("TOWER_ARTIFACTS_URL", (tmp_path / "artifacts").as_uri())
    monkeypatch.setenv("TOWER_SHOPS", str(tmp_path / "shops.yaml"))
    return settings()


@pytest.fixture
def ledger(tower: Settings) -> Ledger:
    ledger = open_ledger(tower.ledger)
    for shop in (BERLIN, RECIFE):
        with ledger.write() as session:
            session.add(
                CaseRow(
                    id=CASE[shop], lane=LANE, shop=shop, pivot="order:1001", title="late", standing="open",
                    material="", severity="sev2", team="warehouse", owner="", priority=1.0, due_at=NOW, opened_at=NOW,
                    seen_as_of=NOW, body=case_of(shop).model_dump(mode="json"),
                )
            )  # fmt: skip
    return ledger


def case_of(shop: str) -> Case:
    case = a_case(LANE)
    policy = "fulfilment@1+recife@2" if shop == RECIFE else "fulfilment@1"
    return case.model_copy(
        update={"id": CASE[shop], "shop": shop, "risk": case.risk.model_copy(update={"policy": policy})}
    )


def told(ledger: Ledger) -> dict[str, str]:
    """The channel of every message, by its key's first word and the shop that its text names."""
    with ledger.read() as session:
        rows = list(session.scalars(select(OutboxMessage)))
    return {f"{row.key.partition(':')[0]} {'recife' if 'recife' in row.text else 'else'}": row.channel for row in rows}


@pytest.mark.parametrize(("shop", "version"), [(BERLIN, "fulfilment@1"), (RECIFE, "fulfilment@1+recife@2")])
def test_a_case_is_read_by_the_version_that_judged_it_in_its_shop(ledger: Ledger, shop: str, version: str) -> None:
    assert version_of(case_of(shop)).reference == version
    assert standing(LANE, NOW, shop).policy.reference == version


def test_a_shop_is_told_of_in_its_own_channel(tower: Settings) -> None:
    assert [channel_of(shop, tower) for shop in (BERLIN, RECIFE, "elsewhere")] == ["#berlin", "#recife", ""]


def test_who_lets_a_lane_rise_is_said_by_the_shop_where_it_rises(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "recife" / "fulfilment.yaml"
    file.write_text(RECIFE_FULFILMENT + EASY)
    record_look(ledger, "look", lane=LANE, source=f"shop:{RECIFE}", shop=RECIFE, as_of=NOW, now=NOW)
    ruled(ledger, NOW, on=CASE[RECIFE])
    people = (("lea", "lead"), ("fay", "finance"))
    lea, fay = (Token(name, enrol(ledger, name, NOW, roles=(role,)).token) for name, role in people)
    with pytest.raises(NotEarned, match="allows no more"):
        promote(ledger, LANE, lea, "it is good", NOW, BERLIN)
    with pytest.raises(NoAuthority, match="lea may not"):
        promote(ledger, LANE, lea, "it is good", NOW, RECIFE)
    assert promote(ledger, LANE, fay, "it is good", NOW, RECIFE) is Rung.act


def test_a_lane_that_fell_in_one_shop_is_told_of_there(ledger: Ledger, tower: Settings) -> None:
    fall(ledger, LANE, "recommend", "too many were rejected", NOW, after=None, shop=RECIFE)
    tell_of_rungs(ledger, tower, [(LANE, BERLIN), (LANE, RECIFE)])
    assert told(ledger) == {"rung recife": "#recife"}


def test_hands_are_stopped_by_the_caps_of_their_own_shop_and_told_of_there(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    for shop in (BERLIN, RECIFE):
        for number in range(2):
            with ledger.write() as session:
                session.add(
                    EffectRow(
                        key=f"{shop}-{number}", action="hold", order_id="1001", state="refused", lane=LANE, shop=shop,
                        intended_at=now, changed_at=now,
                    )
                )  # fmt: skip
    settle_open()
    assert [row.shop for row in open_breakers(ledger)] == [RECIFE]
    assert told(ledger) == {"breaker recife": "#recife"}


def test_briefs_are_prepared_of_one_shop_s_cases_alone(ledger: Ledger) -> None:
    unwrap(prepare)(LANE, RECIFE)
    assert list(Briefs(ledger).of([CASE[BERLIN], CASE[RECIFE]])) == [CASE[RECIFE]]


def test_what_is_on_trial_in_a_shop_is_tried_there_alone(tower: Settings, tmp_path: Path) -> None:
    on_trial = RECIFE_FULFILMENT.replace("version: 2", "version: 3\nshadow: true")
    (tmp_path / "recife" / "fulfilment@3.yaml").write_text(on_trial)
    served = standing(LANE, NOW, BERLIN).policy
    facts = open_archive(tower.artifacts).keep_frame("detect", pd.DataFrame(columns=list(served.facts)))
    tried = {}
    for id in (BERLIN, RECIFE):
        shop = Shop(id=id, time_zone="Europe/Berlin", country="DE", currency="EUR")
        found = shadowed(facts, served, NOW, shop)
        tried[id] = {*found.flips, *found.faults}
    assert tried == {BERLIN: set(), RECIFE: {"fulfilment@1+recife@3"}}


def test_what_is_measured_of_a_shop_is_its_own(ledger: Ledger) -> None:
    book = unwrap(read_book)(RECIFE, NOW + timedelta(days=1))
    assert book.frames["cases"].rows == 1


def test_what_is_chosen_in_one_shop_is_its_own(ledger: Ledger) -> None:
    for shop in (BERLIN, RECIFE):
        one = proposal("1001").model_copy(update={"shop": shop, "source": f"shop:{shop}", "case_id": CASE[shop]})
        with ledger.write() as session:
            session.add(
                ProposalRow(
                    digest=one.digest, case_id=one.case_id, order_id="1001", standing="waiting", opened_at=NOW,
                    body=one.model_dump(mode="json"),
                )
            )  # fmt: skip
    assert [each.shop for each in chosen((), "refund", None, RECIFE)] == [RECIFE]
    assert {each.shop for each in chosen((), "refund", None, "")} == {BERLIN, RECIFE}


def test_the_authority_that_is_linted_is_the_shop_s(
    ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def faults(shop: str) -> set[str]:
        with suppress(SystemExit):
            lint_policies(["authority"], json=True, examples=False, shop=shop)
        found = json.loads(capsys.readouterr().out)
        return {each["file"] for each in found if each["check"] == "authority" and each["level"] == "fault"}

    assert faults(BERLIN) == set()
    assert faults(RECIFE) == {str(tmp_path / "recife" / "authority.yaml")}, "an approver may do nothing there"
