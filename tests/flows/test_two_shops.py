"""One tower, two shops that are as like as two shops can be: nothing of one gets into the other, by any door."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from sqlalchemy import select
from sqlmodel import col

from control_tower.errors import NoAuthority
from control_tower.keeping.step import open_archive
from control_tower.ledger.approvers import enrol
from control_tower.ledger.caps import trip_by_hand
from control_tower.ledger.cases import queue
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.effects import find_effect, list_effects
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import find_proposal, waiting_proposals
from control_tower.ledger.rulings import find_ruling, rule
from control_tower.ledger.turns import turn
from control_tower.nouns import NO_SHOP, Action, Case, Proposal, Ruling, Verdict
from control_tower.slack.tables import OutboxMessage
from desk.command import main
from flows.sweep_approvals import sweep_approvals
from flows.tell_trouble import tell_trouble
from tasks.authority import authority_over, written_authority
from tasks.backtest import backtest
from tasks.erase import erase
from tests.flows.conftest import code_of
from tests.shops.towers import BERLIN, RECIFE, TwoShops, two_shops
from tests.thorough import own_seed

pytestmark = pytest.mark.slow

OF = {BERLIN: "EUR", RECIFE: "BRL"}
CHANNEL = {BERLIN: "#berlin", RECIFE: "#recife"}
OTHER = {BERLIN: RECIFE, RECIFE: BERLIN}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory, deployed: dict[UUID, Any]) -> Iterator[TwoShops]:
    """Both were looked at twice, side by side, and what they propose waits."""
    with two_shops(tmp_path_factory.mktemp("shops"), deployed) as both:
        now = datetime.now(UTC).replace(microsecond=0)
        both.fill(1200, seed=own_seed(), as_of=now)
        both.unpaid_since(now - timedelta(hours=72))
        with ThreadPoolExecutor(2) as beside:
            list(beside.map(both.watch, (BERLIN, RECIFE)))
        both.watch(BERLIN)
        both.watch(RECIFE)
        yield both


@pytest.fixture
def people(shops: TwoShops) -> dict[str, Token]:
    """One for each shop, and nobody for both."""
    known = shops.tower.tokens
    for shop in (BERLIN, RECIFE):
        if shop not in known:
            known[shop] = enrol(
                shops.tower.ledger, f"of-{shop}", datetime.now(UTC), roles=("lead",), shops=(shop,)
            ).token
    return {shop: Token(f"of-{shop}", known[shop]) for shop in (BERLIN, RECIFE)}


def cases_of(shops: TwoShops, shop: str) -> list[Case]:
    return [Case.model_validate(row.body) for row in queue(shops.tower.ledger, shop=shop)]


def twins(shops: TwoShops, action: Action) -> tuple[Proposal, Proposal]:
    """A proposal of Berlin that waits, and the same of Rio: of one order, one customer, one amount."""
    of = {each.order_id: each for each in shops.waiting(RECIFE, action)}
    one = next(each for each in shops.waiting(BERLIN, action) if each.order_id in of)
    return one, of[one.order_id]


def rule_by(shops: TwoShops, asked: Proposal, by: Any, verdict: Verdict = Verdict.approve) -> Any:
    return rule(
        shops.tower.ledger, asked.digest, verdict, by=by, authority=authority_over(asked), reason="seen",
        via="command", now=datetime.now(UTC),
    )  # fmt: skip


def carried_out(shops: TwoShops, asked: Proposal) -> str:
    from control_tower.pause import resume

    resume(str(find_proposal(shops.tower.ledger, asked.digest).flow_run_id))
    shops.tower.work()
    return find_proposal(shops.tower.ledger, asked.digest).standing


def test_each_has_its_own_cases_of_the_same_orders_in_its_own_currency(shops: TwoShops) -> None:
    found = {shop: cases_of(shops, shop) for shop in (BERLIN, RECIFE)}
    assert not {case.id for case in found[BERLIN]} & {case.id for case in found[RECIFE]}
    alike = {case.pivot for case in found[BERLIN]} & {case.pivot for case in found[RECIFE]}
    assert len(alike) > 20
    for shop, cases in found.items():
        assert {case.risk.money.currency for case in cases if case.risk.money} == {OF[shop]}
        assert {fact.get("currency") for case in cases for fact in case.evidence.facts} <= {OF[shop], None}


def test_each_is_judged_by_its_own_policy(shops: TwoShops) -> None:
    assert {case.risk.policy for case in cases_of(shops, BERLIN)} == {"fulfilment@1"}
    assert {case.risk.policy for case in cases_of(shops, RECIFE)} == {"fulfilment@1+recife@2"}
    unpaid = {shop: {case.pivot for case in cases_of(shops, shop) if "unpaid_order" in case.kinds} for shop in OF}
    assert unpaid[RECIFE] < unpaid[BERLIN], "five days, and not two"


def test_each_is_told_of_in_its_own_channel_and_by_its_own_name_alone(shops: TwoShops) -> None:
    ids = {case.id: shop for shop in OF for case in cases_of(shops, shop)}
    with shops.tower.ledger.read() as session:
        rows = list(session.scalars(select(OutboxMessage)))
    told = {row.key: row for row in rows}
    assert {f"case:{id}" for id in ids} <= set(told)
    for row in rows:
        kind, _, name = row.key.partition(":")
        shop = ids[name] if kind == "case" else name.split(":")[1]
        assert row.channel == CHANNEL[shop]
        said = json.dumps([row.text, row.blocks])
        assert OTHER[shop] not in said and OF[OTHER[shop]] not in said
        assert row.thread is None or told[row.thread].channel == row.channel


def test_nothing_kept_of_one_run_tells_of_the_other_shop(shops: TwoShops) -> None:
    archive = open_archive(shops.tower.settings.artifacts)
    for shop in OF:
        records = shops.tower.records(shops.watch(shop))
        assert archive.nouns(records["gather"].outputs["result"])["shop"]["id"] == shop
        for record in records.values():
            for address in (*record.inputs.values(), *record.outputs.values()):
                if address[2] != "parquet":
                    assert OTHER[shop] not in json.dumps(archive.nouns(address)), (record.step, address)


def test_an_approver_of_one_shop_rules_in_it_alone_at_the_command_line(
    shops: TwoShops, people: dict[str, Token], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _ = twins(shops, Action.refund)
    monkeypatch.setenv("TOWER_TOKEN", people[RECIFE].token)
    with pytest.raises(SystemExit) as ended:
        main(["approve", one.id, "--as", people[RECIFE].approver])
    assert ended.value.code == 4
    assert "of-recife decides in recife, and not in berlin" in " ".join(capsys.readouterr().err.split())
    assert find_ruling(shops.tower.ledger, one.digest) is None


def test_an_approver_of_one_shop_rules_in_it_alone_in_prefect_s_form(shops: TwoShops) -> None:
    given = enrol(shops.tower.ledger, f"form-{time.time_ns()}", datetime.now(UTC), roles=("lead",), shops=(RECIFE,))
    name = given.code_address.rpartition("Tower:")[2].partition("?")[0]
    one, _ = twins(shops, Action.hold)
    run = UUID(str(find_proposal(shops.tower.ledger, one.digest).flow_run_id))
    with get_client(sync_client=True) as client:
        assert f"shop:{BERLIN}" in client.read_flow_run(run).tags
        typed = {"approver": name, "code": code_of(given), "ruling": "approve", "reason": "seen"}
        client.resume_flow_run(run, run_input=typed)
        shops.tower.work()
        state = client.read_flow_run(run).state
    assert state is not None and state.is_paused()
    assert find_ruling(shops.tower.ledger, one.digest) is None and not shops.moved_in(BERLIN, one.digest)
    told = [
        row.detail for row in dossier(shops.tower.ledger, one.case_id).events if row.what == "woken without a ruling"
    ]
    assert any("not in berlin" in each for each in told)


def test_what_is_approved_in_one_shop_moves_in_that_shop_s_store_alone(
    shops: TwoShops, people: dict[str, Token]
) -> None:
    one, other = twins(shops, Action.refund)
    with pytest.raises(NoAuthority):
        rule_by(shops, other, people[BERLIN])
    assert isinstance(rule_by(shops, other, people[RECIFE]), Ruling)
    assert carried_out(shops, other) == "done"
    assert shops.moved_in(RECIFE, other.digest) and not shops.moved_in(BERLIN, other.digest)
    effect = find_effect(shops.tower.ledger, other.digest)
    assert effect and effect.money and effect.money.currency == "BRL"
    assert find_effect(shops.tower.ledger, one.digest) is None
    assert find_proposal(shops.tower.ledger, one.digest).standing == "waiting"
    with sqlite3.connect(shops.folder / "berlin.db") as book:
        ours = book.execute("SELECT count(*) FROM refunds WHERE refund_id LIKE ?", (f"%{other.digest[:12]}%",))
        assert ours.fetchone() == (0,)
    ruling = find_ruling(shops.tower.ledger, other.digest)
    assert ruling and ruling.authority == "authority@1+recife@1"
    assert {each.key for each in list_effects(shops.tower.ledger, RECIFE)} >= {other.digest}
    assert list_effects(shops.tower.ledger, BERLIN) == []


def test_what_is_taken_back_is_taken_back_where_it_was_done(shops: TwoShops, people: dict[str, Token]) -> None:
    from control_tower.ledger.undo import propose_undo

    _, other = twins(shops, Action.hold)
    rule_by(shops, other, people[RECIFE])
    assert carried_out(shops, other) == "done"
    with pytest.raises(NoAuthority):
        propose_undo(shops.tower.ledger, other.digest, people[BERLIN], "it was wrong", datetime.now(UTC))
    undo = propose_undo(shops.tower.ledger, other.digest, people[RECIFE], "it was wrong", datetime.now(UTC))
    assert (undo.shop, undo.source) == (RECIFE, f"shop:{RECIFE}")


def test_who_may_hold_what_was_kept_is_said_by_the_shop_of_the_case(
    shops: TwoShops, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = enrol(shops.tower.ledger, "of-both", datetime.now(UTC), roles=("lead",), shops=(BERLIN, RECIFE))
    monkeypatch.setenv("TOWER_TOKEN", lead.token)

    def keep(what: str, shop: str) -> tuple[int, str]:
        words = ["kept", what, cases_of(shops, shop)[0].id, "--as", "of-both", "--reason", "a court asked"]
        with pytest.raises(SystemExit) as ended:
            main(words)
        return int(ended.value.code or 0), " ".join(capsys.readouterr().err.split())

    assert [keep("hold", BERLIN)[0], keep("release", BERLIN)[0]] == [0, 0]
    code, said = keep("hold", RECIFE)
    assert code == 4 and "finance" in said, "in Recife a lead keeps nothing"
    with pytest.raises(NoAuthority, match="finance"):
        erase("nobody", Token("of-both", lead.token), "they asked", RECIFE)


def test_a_policy_is_tried_on_the_looks_of_one_shop_alone_and_as_that_shop_has_it(shops: TwoShops) -> None:
    (tried,) = backtest("fulfilment", datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC), None, RECIFE)
    assert {look.shop for look in tried.views} == {RECIFE}
    assert "fulfilment@1+recife@2" in tried.before and "fulfilment@1+recife@2" in tried.after


def test_who_is_reminded_when_and_who_is_on_call_is_said_by_each_shop(shops: TwoShops) -> None:
    def told_at(now: datetime) -> set[tuple[str, str]]:
        """What was told new at a moment: its kind, and the channel."""
        before = notices()
        sweep_approvals(now)
        return {(key.partition(":")[0], channel) for key, (channel, _) in notices().items() if key not in before}

    def notices() -> dict[str, tuple[str, str]]:
        with shops.tower.ledger.read() as session:
            rows = [row for row in session.scalars(select(OutboxMessage)) if row.key.startswith(("rem", "esc", "exp"))]
        return {row.key: (str(row.channel), json.dumps([row.text, row.blocks])) for row in rows}

    opened = max(row.opened_at for row in waiting_proposals(shops.tower.ledger))
    known = {shop: written_authority(shop) for shop in OF}
    minute = timedelta(minutes=1)
    day, four = (known[shop].after(opened, known[shop].waiting.escalate_after) + minute for shop in (BERLIN, RECIFE))
    three = known[RECIFE].after(opened, known[RECIFE].waiting.remind_after) + minute
    assert told_at(day) == {("reminder", "#berlin"), ("escalated", "#berlin")}, "Recife is patient"
    assert ("reminder", "#recife") in told_at(three)
    assert ("escalated", "#recife") in told_at(four)
    reminded = {channel: text for key, (channel, text) in notices().items() if key.startswith("reminder:")}
    assert "for lead: " in reminded["#recife"] and "for approver: " not in reminded["#recife"]
    assert not any("rosa" in text for channel, text in notices().values() if channel == "#berlin")
    assert any("rosa" in text for channel, text in notices().values() if channel == "#recife")


def test_hands_that_are_stopped_in_one_shop_are_trouble_in_its_own_channel(
    shops: TwoShops, people: dict[str, Token]
) -> None:
    trip_by_hand(shops.tower.ledger, "returns", people[RECIFE], "it looks wrong", datetime.now(UTC), RECIFE)
    tell_trouble()
    with shops.tower.ledger.read() as session:
        rows = list(session.scalars(select(OutboxMessage).where(col(OutboxMessage.key).startswith("breaker:"))))
    assert [row.channel for row in rows] == ["#recife"]


def test_an_order_of_another_shop_with_the_same_number_keeps_nobody_waiting(
    shops: TwoShops, people: dict[str, Token]
) -> None:
    _, other = twins(shops, Action.refund)
    rule_by(shops, other, people[RECIFE])
    with turn(shops.tower.ledger, other.order_id, BERLIN), turn(shops.tower.ledger, other.order_id, NO_SHOP):
        assert carried_out(shops, other) == "done"


def test_the_queue_and_the_effects_of_one_shop_are_its_own(shops: TwoShops, capsys: pytest.CaptureFixture[str]) -> None:
    main_json = {}
    for shop in OF:
        with pytest.raises(SystemExit):
            main(["queue", "--shop", shop, "--limit", "1000", "--json"])
        main_json[shop] = json.loads(capsys.readouterr().out)
    assert {case["shop"] for case in main_json[BERLIN]["cases"]} == {BERLIN}
    assert {case["shop"] for case in main_json[RECIFE]["cases"]} == {RECIFE}


def test_a_shop_that_left_the_file_is_looked_at_and_acted_for_no_more(
    shops: TwoShops, people: dict[str, Token]
) -> None:
    from control_tower.errors import SourceError

    file = shops.folder / "shops.yaml"
    both = file.read_text()
    _, other = twins(shops, Action.reship)
    file.write_text(both.partition("  recife:")[0])
    try:
        with pytest.raises(SourceError, match="no shop 'recife'"):
            rule_by(shops, other, people[RECIFE])
        swept = sweep_approvals(datetime(2099, 1, 5, 12, tzinfo=UTC))
        assert swept.expired and other.digest not in swept.expired
        assert find_proposal(shops.tower.ledger, other.digest).standing == "waiting"
    finally:
        file.write_text(both)


def test_a_customer_who_is_erased_in_one_shop_stays_who_they_are_in_the_other(shops: TwoShops) -> None:
    ledger = shops.tower.ledger
    frames = {shop: shops.tower.kept(shops.watch(shop), "gather", "result.frames.orders") for shop in OF}
    busy = {order for shop in OF for case in cases_of(shops, shop) for order in case.orders}
    quiet = frames[BERLIN].groupby("customer_id")["order_id"].agg(set)
    customer = next(name for name, orders in quiet.items() if not orders & busy)
    keeper = Token("keeper", enrol(ledger, "keeper", datetime.now(UTC), roles=("finance",), shops=(BERLIN,)).token)
    with pytest.raises(NoAuthority, match="not in recife"):
        erase(customer, keeper, "they asked", shop=RECIFE)
    assert erase(customer, keeper, "they asked", shop=BERLIN).files > 0
    left = customers_kept(shops)
    assert customer in left[RECIFE] and customer not in left[BERLIN]


def customers_kept(shops: TwoShops) -> dict[str, set[str]]:
    """The customers in every frame that is kept, by the currency of the orders in it."""
    found: dict[str, set[str]] = {shop: set() for shop in OF}
    archive = open_archive(shops.tower.settings.artifacts)
    for one in archive.lying():
        if one.address[2] == "parquet":
            table = pd.read_parquet(archive.local(one.address))
            if {"customer_id", "currency"} <= set(table.columns):
                for shop, currency in OF.items():
                    found[shop] |= set(table.loc[table["currency"] == currency, "customer_id"].dropna())
    return found
