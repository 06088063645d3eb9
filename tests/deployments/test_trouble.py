"""What is wrong with the tower is told once while it lasts, and once when it is over."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Completed, Scheduled
from sqlalchemy.orm import Session

from control_tower.errors import ContractBreach
from control_tower.keeping.step import flow_run_id
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.looks import record_look
from control_tower.ledger.tables import BreakerRow
from control_tower.server import Server
from control_tower.settings import settings
from control_tower.slack.messages import notice_message
from control_tower.slack.outbox import Outbox
from control_tower.slack.tables import OutboxMessage
from desk.deploy import deploy
from desk.deploy_automations import automations_differ, make_automations
from desk.deploy_pools import make_pools
from desk.worker import POOL, work
from flows.tell_trouble import tell_trouble
from tasks.tell import breaches_told, tell_of_breakers
from tasks.trouble import tell_trouble as tell_once

FAULTS: dict[str, str] = {}
HOSTILE = "<!channel> *pay* <http://evil|here> key sk_live_abcdefghijklmnop \u202e`rm`"


@flow(name=f"watch-{uuid4().hex[:8]}", persist_result=False)
def look(lane: str) -> None:
    if lane in FAULTS:
        raise ValueError(FAULTS[lane])


@pytest.fixture
def client(server: Server) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as found:
        make_pools(found)
        yield found


@pytest.fixture
def ledger(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("TOWER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    return open_ledger(settings().ledger)


@pytest.fixture
def lane(client: SyncPrefectClient) -> Iterator[tuple[str, UUID]]:
    """A deployment of a lane, by name and id; gone afterwards, so that no other test's teller sees it."""
    name = f"watch-{uuid4().hex[:8]}"
    away = (datetime.now(UTC).minute + 15) % 30  # a quarter of an hour away: none falls due in a test
    id = client.create_deployment(
        client.create_flow(look),
        name,
        work_pool_name=POOL,
        tags=["lane:trouble"],
        parameters={"lane": name},
        schedules=[DeploymentScheduleCreate(schedule=CronSchedule(cron=f"{away},{away + 30} * * * *"), active=True)],
    )
    yield name, id
    client.delete_deployment(id)


def looked(client: SyncPrefectClient, lane: tuple[str, UUID], fault: str = "") -> UUID:
    """One look of the lane, with a fault or without; gives its run."""
    FAULTS.pop(lane[0], None)
    if fault:
        FAULTS[lane[0]] = fault
    run: UUID = client.create_flow_run_from_deployment(lane[1]).id
    assert work({lane[1]: look}, settings(), once=True) == 1
    return run


def told(ledger: Ledger, about: str) -> list[OutboxMessage]:
    with Session(Outbox(ledger.engine).engine, expire_on_commit=False) as session:
        return [session.get_one(OutboxMessage, key) for key in Outbox(ledger.engine).channels([about])]


@pytest.mark.slow
def test_a_lane_that_fails_is_told_once_and_once_when_it_is_well_again(
    client: SyncPrefectClient, ledger: Ledger, lane: tuple[str, UUID]
) -> None:
    about = f"failed:{lane[0]}:"
    first = looked(client, lane, "the source is gone")
    tell_trouble()
    (message,) = told(ledger, about)
    assert message.key == f"{about}{first}"
    assert f"{lane[0]} failed" in message.text and "the source is gone" in message.text

    looked(client, lane, "and still gone")
    tell_trouble()
    tell_trouble()
    assert [each.key for each in told(ledger, about)] == [message.key], "the same incident"
    assert told(ledger, about)[0].revision == message.revision, "nothing new is said of it"

    looked(client, lane)
    tell_trouble()
    tell_trouble()
    found = {each.key: each for each in told(ledger, about)}
    assert set(found) == {message.key, f"{message.key}:over"}
    over = found[f"{message.key}:over"]
    assert (over.thread, over.text) == (message.key, f"{lane[0]} is well again")

    second = looked(client, lane, "once more")
    tell_trouble()
    assert f"{about}{second}" in [each.key for each in told(ledger, about)], "another incident"


@pytest.mark.slow
def test_what_an_error_says_can_do_nothing_in_the_channel_and_holds_no_secret(
    client: SyncPrefectClient, ledger: Ledger, lane: tuple[str, UUID]
) -> None:
    looked(client, lane, HOSTILE)
    tell_trouble()
    (message,) = told(ledger, f"failed:{lane[0]}:")
    said = f"{message.text} {message.blocks}"
    assert "[secret]" in said
    for harmful in ("<!channel>", "<http", "://", "sk_live", "\u202e", "*pay*", "`rm`"):
        assert harmful not in said


@pytest.mark.slow
def test_two_tellers_at_once_tell_it_once(client: SyncPrefectClient, ledger: Ledger, lane: tuple[str, UUID]) -> None:
    """An event and the schedule wake it at the same moment; which comes first does not matter."""
    looked(client, lane, "both see it")
    with ThreadPoolExecutor(2) as tellers:
        list(tellers.map(lambda _: tell_trouble(), range(2)))
    (message,) = told(ledger, f"failed:{lane[0]}:")
    assert message.delivered_revision == message.revision or message.state == "console"


def scheduled(client: SyncPrefectClient, lane: tuple[str, UUID], ago: timedelta) -> UUID:
    """A run of the lane's schedule that was due so long ago."""
    run = client.create_flow_run_from_deployment(lane[1], state=Scheduled(scheduled_time=datetime.now(UTC) - ago)).id
    with closing(sqlite3.connect(settings().folder / "prefect" / "prefect.db", timeout=30)) as database, database:
        database.execute("UPDATE flow_run SET auto_scheduled = 1 WHERE id = ?", [str(run)])
    return UUID(str(run))


@pytest.mark.slow
def test_a_lane_that_nobody_looks_after_is_late_once_and_then_well_again(
    client: SyncPrefectClient, ledger: Ledger, lane: tuple[str, UUID]
) -> None:
    about = f"late:{lane[0]}:"
    punctual = scheduled(client, lane, timedelta(minutes=35))
    tell_trouble()
    assert told(ledger, about) == [], "within its half an hour, and grace"
    late = scheduled(client, lane, timedelta(minutes=45))
    tell_trouble()
    tell_trouble()
    (message,) = told(ledger, about)
    assert f"{lane[0]} is late" in message.text
    for run in (late, punctual):
        client.set_flow_run_state(run, Completed(), force=True)
    tell_trouble()
    assert [each.key for each in told(ledger, about)] == [message.key, f"{message.key}:over"]


def test_a_teller_that_was_away_itself_lets_the_lanes_look_first(
    client: SyncPrefectClient, ledger: Ledger, lane: tuple[str, UUID]
) -> None:
    scheduled(client, lane, timedelta(hours=9))

    @flow(persist_result=False)
    def back_from_the_night() -> Any:
        return tell_once(away=True)

    back_from_the_night()
    assert told(ledger, f"late:{lane[0]}:") == []


def broke(rule: str = "orders.fresh") -> str:
    """A look that a broken contract stops; gives its run."""

    @flow(persist_result=False)
    def look_at_the_shop() -> str:
        with pytest.raises(ContractBreach), breaches_told("trouble", "shop", datetime.now(UTC)):
            raise ContractBreach("no news for a day", contract="orders@1", owner="ops", rule=rule)
        return flow_run_id()

    return look_at_the_shop()


@pytest.mark.slow
def test_a_breach_is_told_once_while_it_lasts_and_again_the_next_time(server: Server, ledger: Ledger) -> None:
    first = broke()
    broke()
    tell_trouble()
    (message,) = told(ledger, "breach:")
    assert message.key.endswith(first) and "trouble stopped: orders@1 is broken" in message.text

    now = datetime.now(UTC)
    record_look(ledger, str(uuid4()), lane="trouble", source="shop", as_of=now, now=now, shop="s")
    tell_trouble()
    assert [each.key for each in told(ledger, "breach:")] == [message.key, f"{message.key}:over"]

    again = broke()
    tell_trouble()
    assert [each.key for each in told(ledger, "breach:")][2].endswith(again)


@pytest.mark.slow
def test_a_look_that_a_contract_stopped_is_no_second_trouble(
    client: SyncPrefectClient, ledger: Ledger, lane: tuple[str, UUID]
) -> None:
    run, now = looked(client, lane, "ContractBreach"), datetime.now(UTC)
    breach = "orders@1: orders.fresh"
    record_look(ledger, str(run), lane="trouble", source="shop", shop="", as_of=now, now=now, breach=breach)
    tell_trouble()
    assert told(ledger, "failed:") == []


def test_a_breaker_is_told_once_and_when_it_is_closed(server: Server, ledger: Ledger) -> None:
    now = datetime.now(UTC)
    with ledger.write() as session:
        session.add(BreakerRow(lane="returns", why="5 effects came to be unknown", tripped_at=now))
    tell_trouble()
    tell_of_breakers(ledger, settings())
    tell_trouble()
    (message,) = told(ledger, "breaker:")
    assert message.key == "breaker:returns:1"
    with ledger.write() as session:
        row = session.get_one(BreakerRow, 1)
        row.closed_at, row.closed_by = now, "ana"
    tell_trouble()
    tell_trouble()
    assert [each.key for each in told(ledger, "breaker:")] == ["breaker:returns:1", "breaker:returns:1:over"]


def test_what_an_older_release_said_is_never_over(server: Server, ledger: Ledger) -> None:
    old = ["breaker:3", "breach:returns:shop:orders@1:orders.fresh"]
    Outbox(ledger.engine).put([notice_message(key, "said long ago", []) for key in old])
    tell_trouble()
    assert [each.key for each in told(ledger, "br")] == sorted(old)


def runs_of(client: SyncPrefectClient, deployment: UUID) -> int:
    mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))
    return sum(not run.auto_scheduled for run in client.read_flow_runs(flow_run_filter=mine, limit=200))


@pytest.mark.large
def test_a_lane_that_fails_wakes_the_teller_at_once(client: SyncPrefectClient, lane: tuple[str, UUID]) -> None:
    """By the server's own automation; the event carries nothing into the run."""
    deployed = {each.name: each.id for each in deploy(settings())}
    teller = deployed["tell-trouble/tell-trouble"]
    assert teller
    make_automations(client)
    time.sleep(3)  # the server's triggers read automations anew
    before = runs_of(client, teller)
    looked(client, lane, HOSTILE)
    until = time.monotonic() + 45
    while runs_of(client, teller) == before and time.monotonic() < until:
        time.sleep(0.5)
    assert runs_of(client, teller) == before + 1
    mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[teller]))
    woken = [run for run in client.read_flow_runs(flow_run_filter=mine, limit=200) if not run.auto_scheduled]
    assert all(run.parameters == {} for run in woken)


AUTOMATION = """
- name: {name}
  description: one for tests
  trigger:
    type: event
    posture: Reactive
    match: {{prefect.resource.id: prefect.flow-run.*}}
    match_related: {{prefect.resource.id: prefect.tag.nobody, prefect.resource.role: tag}}
    expect: [prefect.flow-run.Failed, prefect.flow-run.Crashed]
    threshold: 1
  runs: {runs}
"""


@pytest.mark.slow
def test_automations_are_what_the_file_says_and_one_that_was_switched_off_stays_off(
    client: SyncPrefectClient, tmp_path: Path
) -> None:
    deploy(settings())
    file, name = tmp_path / "automations.yaml", f"test-{uuid4().hex[:8]}"
    file.write_text(AUTOMATION.format(name=name, runs="tell-trouble/tell-trouble"))

    def mine() -> list[tuple[str, Any, Any]]:
        found = automations_differ(client, file)
        return [(each.field, each.server, each.file) for each in found if each.what == f"automation {name}"]

    assert [field for field, _, _ in mine()] == ["new"]
    make_automations(client, file)
    assert mine() == []
    (made,) = client.read_automations_by_name(name)
    client.pause_automation(made.id)
    file.write_text(
        file.read_text().replace("one for tests", "one for a test").replace(", prefect.flow-run.Crashed", "")
    )
    assert [field for field, _, _ in mine()] == ["description", "trigger"]
    make_automations(client, file)
    (made,) = client.read_automations_by_name(name)
    assert (mine(), made.enabled, made.description) == ([], False, "one for a test")
    file.write_text("[]")
    assert [field for field, _, _ in mine()] == ["not in the file"]
    client.delete_automation(made.id)
