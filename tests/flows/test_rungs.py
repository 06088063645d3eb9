"""A lane on each rung, on a real server: what opens, what is asked, what moves, and how a lane falls and rises."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from sqlalchemy import select, text

from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.authorised import authorise
from control_tower.ledger.cases import queue
from control_tower.ledger.effects import find_effect, intend, move
from control_tower.ledger.looks import looks
from control_tower.ledger.proposals import find_proposal
from control_tower.ledger.rulings import find_ruling
from control_tower.ledger.rungs import fall, newest_rung
from control_tower.nouns import Action, EffectState, Proposal
from control_tower.pause import resume
from control_tower.slack.tables import OutboxMessage
from desk.command import main
from flows.weigh_lanes import weigh_lanes
from policies import reader
from policies.terms import Rung
from tasks.act import ByHand, keep_back
from tasks.authority import written_authority
from tasks.backtest import backtest
from tests.flows.conftest import AS_OF, Tower, own_tower
from tests.flows.test_undo import asked
from tests.ledger.books import approved
from tests.ledger.books import proposal as proposal_of
from tests.ledger.lanes import case, looked, ruled

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
LANE = "fulfilment"


def stand(tower: Any, rung: str) -> None:
    before = newest_rung(tower.ledger, LANE, "")
    assert fall(tower.ledger, LANE, rung, "for this test", datetime.now(UTC), after=before, shop="")


def fill(tower: Any, orders: int = 1200) -> None:
    """A shop like no other, for tests share one Prefect server, where the same proposal is the same run."""
    tower.fill_now(orders)


def run_of(tower: Any, proposal: Proposal) -> str:
    return str(find_proposal(tower.ledger, proposal.digest).flow_run_id)


def state_of(run: str) -> Any:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(run)).state


def wake(tower: Any, proposal: Proposal) -> None:
    resume(run_of(tower, proposal))
    tower.work()


def standing_of(tower: Any, proposal: Proposal) -> str:
    return str(find_proposal(tower.ledger, proposal.digest).standing)


def told(tower: Any) -> list[str]:
    OutboxMessage.metadata.create_all(tower.ledger.engine, tables=[OutboxMessage.__table__])  # type: ignore[attr-defined]
    with tower.ledger.read() as session:
        return [row.text for row in session.scalars(select(OutboxMessage))]


def moved(tower: Any, proposal: Proposal) -> bool:
    return tower.shop.find(proposal.digest) is not None or find_effect(tower.ledger, proposal.digest) is not None


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def test_a_lane_that_observes_finds_and_keeps_and_opens_asks_and_tells_nothing(tower: Tower) -> None:
    fill(tower, 600)
    stand(tower, "observe")
    report = tower.watch(as_of=None)
    assert report.rung is Rung.observe and not report.dry_run
    assert sum(each.yes for each in report.findings.values()) > 0
    assert (report.cases.opened, report.proposals) == (0, {})
    assert (queue(tower.ledger), told(tower)) == ([], [])
    assert len(looks(tower.ledger)) == 1, "it is measured"
    judged = tower.records(report)["judge"]
    kept = open_archive(tower.settings.artifacts).nouns(judged.inputs["policy"])
    assert kept["rung"] == "observe", "a replay sees the rung on which it looked"


def test_what_a_lane_kept_while_it_observed_is_decided_again_by_a_lower_rung(tower: Tower, tmp_path: Path) -> None:
    """A backtest compares what policies say, wherever the lane stood when it looked."""
    tower.fill(600)
    stand(tower, "observe")
    tower.watch()
    file = tmp_path / "fulfilment.yaml"
    file.write_text((reader.HOUSE / "fulfilment.yaml").read_text().replace("rung: act", "rung: route", 1))
    (done,) = backtest(str(file), AS_OF - DAY, AS_OF + DAY, None, "")
    lost = {action: asked.lost.count for action, asked in done.flips.proposals.items()}
    assert set(lost) == {"refund", "reship", "hold"} and all(lost.values())


def test_a_lane_that_routes_opens_cases_and_tells_their_owners_and_proposes_nothing(tower: Tower) -> None:
    fill(tower, 600)
    stand(tower, "route")
    report = tower.watch(as_of=None)
    assert report.cases.opened == len(queue(tower.ledger)) > 0
    assert told(tower)
    assert report.proposals == {} and not [each for action in Action for each in tower.waiting(action)]


@pytest.fixture(scope="module")
def recommending(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[Any]:
    """A tower whose lane acted once, fell to recommend, and looked again."""
    with own_tower(tmp_path_factory.mktemp("recommending"), deployed) as mine:
        fill(mine, 2500)
        mine.watch(as_of=None)
        mine.done = {}
        for action in (Action.hold, Action.refund):
            mine.done[action] = mine.waiting(action)[0]
            mine.rule(mine.done[action])
            wake(mine, mine.done[action])
        mine.bo = enrol(mine.ledger, "bo", datetime.now(UTC)).token
        stand(mine, "recommend")
        mine.watch(as_of=None)
        yield mine


@pytest.mark.parametrize("action", [Action.refund, Action.reship, Action.hold])
def test_on_recommend_what_is_approved_is_for_a_persons_hands(recommending: Any, action: Action) -> None:
    tower, proposal = recommending, recommending.waiting(action)[0]
    before = tower.refunds(proposal.order_id)
    tower.rule(proposal)
    wake(tower, proposal)
    row = find_proposal(tower.ledger, proposal.digest)
    assert row.standing == "by hand"
    assert row.detail.startswith("fulfilment stands on recommend: it is for whoever approved it to do")
    assert not moved(tower, proposal) and tower.refunds(proposal.order_id) == before
    assert find_ruling(tower.ledger, proposal.digest), "the ruling is recorded: so is agreement earned"
    assert state_of(run_of(tower, proposal)).is_completed()
    with get_client(sync_client=True) as client:
        tasks = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run_of(tower, proposal))]))
        )
    assert all(each.state and each.state.is_completed() for each in tasks), "and nothing of it looks like a failure"
    assert any(f"{proposal.order_id}" in text and "by hand" in text for text in told(tower))


def test_what_was_left_to_a_person_is_never_taken_up_by_hands(
    recommending: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    tower, proposal = recommending, recommending.waiting(Action.refund)[0]
    tower.rule(proposal)
    wake(tower, proposal)
    stand(tower, "act")
    tower.watch(as_of=None)
    resolving = next(id for id, flow in tower.flows.items() if flow.name == "resolve-case")
    with get_client(sync_client=True) as client:
        client.create_flow_run_from_deployment(resolving, parameters={"proposal": proposal.digest})
    tower.work()
    assert standing_of(tower, proposal) == "by hand" and not moved(tower, proposal)
    tower.watch(as_of=None)
    for shown in (("case", proposal.id), ("queue", "--limit", "500")):
        assert command(*shown) == 0
        assert "by hand" in capsys.readouterr().out
    stand(tower, "recommend")


def test_what_was_done_is_taken_back_on_a_lower_rung_too(recommending: Any) -> None:
    undo = asked(recommending, Action.hold)
    recommending.rule(undo)
    wake(recommending, undo)
    assert find_effect(recommending.ledger, undo.digest).state is EffectState.confirmed


def test_what_was_approved_before_a_lane_fell_does_not_act_after_it(recommending: Any) -> None:
    tower = recommending
    stand(tower, "act")
    refund, hold = tower.waiting(Action.refund)[0], tower.waiting(Action.hold)[0]
    for proposal, rung in ((refund, "recommend"), (hold, "observe")):
        tower.rule(proposal)
        stand(tower, rung)
        wake(tower, proposal)
        assert standing_of(tower, proposal) == "by hand" and not moved(tower, proposal)
    stand(tower, "recommend")


def test_what_was_sent_before_a_lane_fell_is_read_and_not_sent_again(recommending: Any) -> None:
    tower, proposal = recommending, recommending.waiting(Action.refund)[0]
    before, now = tower.refunds(proposal.order_id), datetime.now(UTC)
    tower.rule(proposal)
    leave = authorise(tower.ledger, proposal.digest, written_authority(""), now)
    intend(tower.ledger, leave, "a run that died", now)
    move(tower.ledger, proposal.digest, EffectState.sent, holder="a run that died", now=now)
    wake(tower, proposal)
    assert tower.refunds(proposal.order_id) == before
    assert find_effect(tower.ledger, proposal.digest).state is EffectState.unknown
    assert standing_of(tower, proposal) == "approved", "whether it happened is for a read to say"


def test_what_was_meant_and_never_sent_is_left_to_a_person(recommending: Any) -> None:
    tower, proposal = recommending, recommending.waiting(Action.refund)[0]
    tower.rule(proposal)
    now = datetime.now(UTC)
    intend(tower.ledger, authorise(tower.ledger, proposal.digest, written_authority(""), now), "a run that died", now)
    wake(tower, proposal)
    assert standing_of(tower, proposal) == "by hand"
    assert find_effect(tower.ledger, proposal.digest).state is EffectState.refused


def test_a_source_without_hands_needs_none_where_a_person_does_it(tmp_path: Path) -> None:
    book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    leave = approved(book, proposal_of("1001", source="folder:/no/hands"))
    assert keep_back(book, leave, "it stands on recommend") == ByHand(why="it stands on recommend")
    assert find_effect(book, leave.proposal.digest) is None


@pytest.mark.parametrize("rung", list(Rung))
@pytest.mark.parametrize("action", [Action.refund, Action.reship, Action.hold])
def test_on_every_rung_a_run_that_is_woken_without_a_ruling_does_nothing(
    recommending: Any, rung: Rung, action: Action
) -> None:
    tower, proposal = recommending, recommending.waiting(action)[0]
    stand(tower, rung)
    wake(tower, proposal)
    assert not moved(tower, proposal) and standing_of(tower, proposal) == "waiting"
    assert state_of(run_of(tower, proposal)).is_paused()
    stand(tower, "recommend")


@pytest.mark.parametrize(("rung", "why"), [("route", "proposes nothing"), ("observe", "only observes")])
def test_a_lane_that_falls_below_recommend_withdraws_what_it_asked_and_may_ask_again(
    tower: Tower, rung: str, why: str
) -> None:
    fill(tower)
    tower.watch(as_of=None)
    before = [each for action in Action for each in tower.waiting(action)]
    runs = [run_of(tower, each) for each in before]
    assert before
    stand(tower, rung)
    tower.watch(as_of=None)
    assert not [each for action in Action for each in tower.waiting(action)]
    row = find_proposal(tower.ledger, before[0].digest)
    assert row.standing == "withdrawn" and why in row.detail
    assert not [run for run in runs if state_of(run).is_paused()], "nobody is asked in Prefect either"
    if rung == "route":
        assert not any("tower approve" in text for text in told(tower)), "nor in the messages of the cases"
    stand(tower, "act")
    tower.watch(as_of=None)
    assert {each.digest for action in Action for each in tower.waiting(action)} == {each.digest for each in before}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policies of this house, in a folder where they may be changed."""
    copy = tmp_path / "house"
    copy.mkdir()
    for file in reader.HOUSE.glob("*.yaml"):
        shutil.copy(file, copy)
    monkeypatch.setattr(reader, "HOUSE", copy)
    return copy


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.fixture
def strict(tower: Tower, house: Path) -> Tower:
    """A tower whose fulfilment lane falls by lateness too."""
    change(house / "fulfilment.yaml", "overdue: 1.0", "overdue: 0.5")
    return tower


def test_a_lane_never_stands_higher_than_its_owner_allows(
    tower: Tower, house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tower)
    change(house / "fulfilment.yaml", "rung: act", "rung: recommend")
    assert tower.watch(as_of=None).rung is Rung.recommend
    proposal = tower.waiting(Action.refund)[0]
    tower.rule(proposal)
    wake(tower, proposal)
    assert standing_of(tower, proposal) == "by hand" and not moved(tower, proposal)
    capsys.readouterr()
    assert command("rungs", "--json") == 0
    why = next(each["why"] for each in json.loads(capsys.readouterr().out) if each["lane"] == LANE)
    assert why == "fulfilment@1 lets it start on act; fulfilment@1 allows no more than recommend"
    spoil(tower, "breaches", datetime.now(UTC))
    assert weigh_lanes().rungs[LANE] is Rung.route, "it falls from where it stands, not from where it might"


def test_a_policy_that_can_not_be_read_keeps_no_other_lane_where_it_stands(tower: Tower, house: Path) -> None:
    change(house / "returns.yaml", "rung: act", "rung: acts")
    spoil(tower, "breaches", datetime.now(UTC))
    weighed = weigh_lanes()
    assert list(weighed.fell) == [LANE]
    assert "rung can't be 'acts'" in weighed.faults["returns"] and "returns" not in weighed.rungs


def spoil(tower: Tower, how: str, now: datetime) -> None:
    """Make a record with which no lane stays."""
    for number in range(12):
        match how:
            case "breaches":
                looked(tower.ledger, now - DAY + timedelta(minutes=number), "orders@1: stale" if number % 2 else "")
            case "reversals":
                done = ruled(tower.ledger, now - DAY, effect="confirmed")
                ruled(tower.ledger, now - DAY, undoes=done, effect="confirmed")
            case "disagreement":
                ruled(tower.ledger, now - DAY, verdict="reject")
            case _:
                case(tower.ledger, now - 2 * DAY, now - DAY)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("breaches", "6 contract breaches, and 3 is the most"),
        ("reversals", "12 of 12 effects undone, and 10 % is the most"),
        ("disagreement", "0 of 12 rulings agree, and 60 % is asked"),
        ("overdue", "12 of 12 cases overdue, and 50 % is the most"),
    ],
)
def test_a_lane_falls_by_itself_by_one_rung_and_says_so_once(strict: Tower, how: str, why: str) -> None:
    now = datetime.now(UTC)
    spoil(strict, how, now)
    weighed = weigh_lanes(now=now)
    assert weighed.fell == {LANE: why}
    assert weighed.rungs == dict.fromkeys(weighed.rungs, Rung.act) | {LANE: Rung.recommend}
    again = weigh_lanes(now=now + timedelta(hours=1))
    assert again.fell == {} and again.rungs[LANE] is Rung.recommend, "what made it fall is not counted again"
    notices = [text for text in told(strict) if "fulfilment fell to recommend" in text]
    assert len(notices) == 1 and why in notices[0]
    assert newest_rung(strict.ledger, LANE, "").by == ""  # type: ignore[union-attr]


def test_a_lane_rises_when_it_has_earned_it_and_a_lead_says_so_and_falls_when_anybody_does(
    tower: Tower, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand(tower, "observe")
    tokens = {
        n: enrol(tower.ledger, n, datetime.now(UTC), roles=(r,)).token
        for n, r in (("lea", "lead"), ("ana", "approver"))
    }
    as_lea, as_ana = (("--as", name, "--reason", "looked at") for name in ("lea", "ana"))
    monkeypatch.setenv("TOWER_TOKEN", tokens["lea"])
    assert command("rungs", "promote", LANE, *as_lea) == 2
    assert "fulfilment has not earned route: 0 of 300 looks" in capsys.readouterr().err
    for _ in range(300):
        looked(tower.ledger, datetime.now(UTC))
    assert command("rungs") == 0
    shown = capsys.readouterr().out
    assert "route: `tower" in shown and "promote" in shown, "nothing is lacking any more"
    monkeypatch.setenv("TOWER_TOKEN", tokens["ana"])
    assert command("rungs", "promote", LANE, *as_ana) == 4
    assert "ana may not promote a lane" in capsys.readouterr().err
    monkeypatch.setenv("TOWER_TOKEN", tokens["lea"])
    assert command("rungs", "promote", LANE, *as_lea) == 0
    row = newest_rung(tower.ledger, LANE, "")
    assert row and (row.rung, row.by) == ("route", "lea") and "looked at (300 looks, 0 breaches" in row.why
    assert weigh_lanes().fell == {}, "and does not fall by the record it rose by"
    monkeypatch.setenv("TOWER_TOKEN", tokens["ana"])
    assert command("rungs", "demote", LANE, *as_ana) == 0
    assert command("rungs", "demote", LANE, *as_ana) == 2, "there is no lower rung"
    assert sum("fulfilment is put on" in text for text in told(tower)) == 2
    assert command("rungs", "promote", "fulfillment", *as_ana) == 6
    assert command("rungs", "promote", "returns", *as_ana) == 2
    assert "returns stands on act, and returns@1 allows no more" in " ".join(capsys.readouterr().err.split())


def test_the_rungs_are_shown_with_what_each_lane_did_and_lacks(
    tower: Tower, capsys: pytest.CaptureFixture[str]
) -> None:
    stand(tower, "recommend")
    ruled(tower.ledger, datetime.now(UTC), verdict="reject")
    assert command("rungs", "--json") == 0
    shown = {each["lane"]: each for each in json.loads(capsys.readouterr().out)}
    mine = shown[LANE]
    assert (mine["stands_on"], mine["allowed_up_to"], mine["rises_to"]) == ("recommend", "act", "act")
    assert mine["record"]["rulings"] == 1
    assert "0 of 1 rulings agree, and 90 % is asked" in mine["lacks"]
    assert mine["why"].startswith("it fell by itself: for this test")
    assert shown["returns"]["why"] == "returns@1 lets it start on act"


def test_a_forged_rung_is_named_by_the_audit(tower: Tower, capsys: pytest.CaptureFixture[str]) -> None:
    stand(tower, "observe")
    weigh_lanes()
    with tower.ledger.engine.begin() as connection:
        connection.execute(text("UPDATE rungs SET rung = 'act'"))
    assert command("audit", "verify") == 7
    said = capsys.readouterr()
    assert "rungs 1 is not what was written" in " ".join((said.out + said.err).split())
