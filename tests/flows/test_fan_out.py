"""One run has a lane look at many shops: each is asked for once, none waits for another's fault, all are named."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, FlowRun, State
from prefect.states import AwaitingRetry

from control_tower.errors import LooksFailed, NotFound, SettingError, SourceError
from control_tower.keeping.records import verify
from control_tower.keeping.step import open_archive
from control_tower.ledger import open_ledger
from control_tower.server import Server
from control_tower.settings import settings
from desk.deploy_pools import make_pools
from desk.worker import POOL, work, working
from flows.fan_out import fan_out
from tasks import look_in_shop as looking
from tasks.fanned_out import FannedOut

pytestmark = pytest.mark.slow

LANE = "fulfilment"
BROKEN: set[str] = set()
HELD: dict[str, threading.Event] = {}
LOOKED: list[str] = []
UNDER_WAY: list[int] = [0, 0]  # now, and at most
LOCK = threading.Lock()


@flow(name=f"watch-{uuid4().hex[:8]}", persist_result=False)
def look(source: str, dry_run: bool = False, only_changed: bool = True, as_of: datetime | None = None) -> None:
    """In a lane's place: what the shop is told, and no evidence."""
    with LOCK:
        LOOKED.append(f"{source} {dry_run} {only_changed} {as_of}")
        UNDER_WAY[0] += 1
        UNDER_WAY[1] = max(UNDER_WAY)
    try:
        if event := HELD.get(source):
            assert event.wait(120)
        if source in BROKEN:
            raise SourceError("it is gone", where=source)
    finally:
        with LOCK:
            UNDER_WAY[0] -= 1


class Shops:
    """Shops of a tower, each with a deployment of the lane."""

    def __init__(self, client: SyncPrefectClient, file: Path, ids: list[str]) -> None:
        self.client, self.file, self.ids = client, file, ids
        self.deployments = {id: self._deployed(id) for id in ids}

    def _deployed(self, id: str) -> UUID:
        return self.client.create_deployment(
            self.client.create_flow(look),
            f"watch-{LANE}-{id}",
            work_pool_name=POOL,
            tags=[f"lane:{LANE}", f"shop:{id}"],
            parameters={"source": f"shop:{id}", "only_changed": True},
            concurrency_limit=1,
            concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        )

    def runs(self, id: str) -> list[FlowRun]:
        mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[self.deployments[id]]))
        found = self.client.read_flow_runs(flow_run_filter=mine)
        return sorted(found, key=lambda run: str(run.created))

    def states(self, id: str) -> list[str]:
        return [str(run.state_name) for run in self.runs(id)]

    @contextmanager
    def worked(self, lanes: int = 4) -> Iterator[None]:
        """A worker carries out their runs for as long as the block lasts."""
        with working(dict.fromkeys(self.deployments.values(), look), settings(), lanes=lanes):
            yield


def comes_true(what: Callable[[], bool], seconds: float = 100) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)


@pytest.fixture
def shops(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Shops]]:
    monkeypatch.setenv("TOWER_SHOPS", str(tmp_path / "shops.yaml"))
    monkeypatch.setenv("TOWER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("TOWER_ARTIFACTS_URL", (tmp_path / "artifacts").as_uri())
    monkeypatch.setattr(looking, "POLL", 0.5)
    made: list[Shops] = []
    LOOKED.clear()
    with get_client(sync_client=True) as client:
        make_pools(client)

        def of(*names: str) -> Shops:
            ids = [f"{name}-{uuid4().hex[:8]}" for name in names]
            lines = [f"  {id}: {{source: 'folder:{tmp_path / id}'}}" for id in ids]
            (tmp_path / "shops.yaml").write_text("\n".join(["shops:", *lines, ""]))
            made.append(Shops(client, tmp_path / "shops.yaml", ids))
            return made[-1]

        yield of
        for each in made:
            for deployment in each.deployments.values():
                client.delete_deployment(deployment)


def came_of(fault: pytest.ExceptionInfo[LooksFailed]) -> dict[str, tuple[str, str]]:
    found: FannedOut = fault.value.found
    return {each.shop: (each.state, each.why) for each in found.looks}


def test_what_goes_wrong_in_one_shop_is_named_and_keeps_no_other_from_being_looked_at(
    shops: Callable[..., Shops], tmp_path: Path
) -> None:
    three = shops("berlin", "gone", "new")
    berlin, gone, new = three.ids
    BROKEN.add(f"shop:{gone}")
    three.client.delete_deployment(three.deployments.pop(new))
    with three.worked(), pytest.raises(LooksFailed) as fault:
        fan_out(LANE)
    found = came_of(fault)
    assert found[berlin] == ("Completed", "")
    assert found[gone][0] == "Failed" and "it is gone" in found[gone][1]
    assert found[new] == ("Not deployed", "`tower deploy` makes its deployments")
    assert f"{LANE} did not look at {gone}, {new}" in str(fault.value) and berlin not in str(fault.value)


def test_every_shop_is_told_the_same_and_what_is_not_said_is_as_its_deployment_says(
    shops: Callable[..., Shops],
) -> None:
    two = shops("berlin", "recife")
    moment = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    with two.worked():
        fan_out(LANE)
        fan_out(LANE, as_of=moment, dry_run=True, only_changed=False)
        fan_out(LANE, shops=two.ids[1:])
    berlin, recife = (f"shop:{id}" for id in two.ids)
    assert sorted(LOOKED) == sorted(
        [*(f"{each} False True None" for each in (berlin, recife, recife))]
        + [f"{each} True False {moment}" for each in (berlin, recife)]
    )


def test_no_more_than_so_many_are_looked_at_at_a_time(shops: Callable[..., Shops]) -> None:
    four = shops("a", "b", "c", "d")
    UNDER_WAY[1] = 0
    for id in four.ids:
        HELD[f"shop:{id}"] = threading.Event()

    def open_when_two_are_there() -> None:
        comes_true(lambda: UNDER_WAY[0] == 2)
        time.sleep(1)  # for a third, if there were one
        for event in HELD.values():
            event.set()

    opener = threading.Thread(target=open_when_two_are_there)
    opener.start()
    with four.worked(lanes=4):
        found = fan_out(LANE, at_once=2)
    opener.join()
    assert [each.state for each in found.looks] == ["Completed"] * 4
    assert UNDER_WAY[1] == 2, "two side by side, and never three"


def test_a_look_that_is_under_way_already_is_waited_for_and_its_place_is_not_taken_from_it(
    shops: Callable[..., Shops], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = shops("berlin")
    (berlin,) = one.ids
    held = HELD[f"shop:{berlin}"] = threading.Event()
    scheduled = one.client.create_flow_run_from_deployment(one.deployments[berlin])
    free = looking._is_free
    asked_too_soon: list[bool] = []

    def is_free(*given: Any) -> bool:
        """The first time it seems free: the other look began just after we saw that."""
        asked_too_soon.append(True)
        return len(asked_too_soon) == 1 or free(*given)

    def open_once_one_was_cancelled() -> None:
        comes_true(lambda: "Cancelled" in one.states(berlin))
        held.set()

    monkeypatch.setattr(looking, "_is_free", is_free)
    with one.worked():
        comes_true(lambda: bool(LOOKED))
        opener = threading.Thread(target=open_once_one_was_cancelled)
        opener.start()
        found = fan_out(LANE)
        opener.join()
    assert [each.state for each in found.looks] == ["Completed"]
    assert one.states(berlin) == ["Completed", "Cancelled", "Completed"]
    assert [str(run.id) for run in one.runs(berlin)][::2] == [str(scheduled.id), found.looks[0].run_id]


def test_nobody_waits_for_ever_where_nobody_works(shops: Callable[..., Shops], monkeypatch: pytest.MonkeyPatch) -> None:
    one = shops("berlin")
    monkeypatch.setattr("flows.fan_out.timedelta", lambda minutes: timedelta(seconds=minutes))
    with pytest.raises(LooksFailed, match="had not ended in time") as fault:
        fan_out(LANE, patience_minutes=1)
    assert came_of(fault)[one.ids[0]][0] in ("Scheduled", "Late")


def test_begun_again_it_finds_what_it_asked_for_and_asks_anew_only_where_that_ended_badly(
    shops: Callable[..., Shops],
) -> None:
    three = shops("berlin", "recife", "gone")
    gone = three.ids[2]
    BROKEN.add(f"shop:{gone}")
    client = three.client
    fanning = client.create_deployment(client.create_flow(fan_out), f"fan-out-{gone}", work_pool_name=POOL)
    try:
        run = client.create_flow_run_from_deployment(fanning, parameters={"lane": LANE}).id
        flows = dict.fromkeys(three.deployments.values(), look) | {fanning: fan_out}
        work(flows, settings(), once=True)
        assert client.read_flow_run(run).state_name == "Failed"
        BROKEN.clear()
        again: State[Any] = AwaitingRetry()
        client.set_flow_run_state(run, again, force=True)
        work(flows, settings(), once=True)
        assert client.read_flow_run(run).state_name == "Completed"
    finally:
        client.delete_deployment(fanning)
    assert [three.states(id) for id in three.ids] == [["Completed"], ["Completed"], ["Failed", "Completed"]]
    assert verify(open_archive(settings().artifacts), open_ledger(settings().ledger), str(run)).records == 8


@pytest.mark.parametrize(
    ("given", "fault", "said"),
    [
        ({"lane": "fulfilmnt"}, NotFound, "did you mean 'fulfilment'"),
        ({"lane": LANE, "shops": ["berlni"]}, SourceError, "no shop 'berlni'"),
        ({"lane": "returns", "shops": ["berlin"]}, SettingError, "returns does not watch berlin"),
        ({"lane": "returns"}, SettingError, "no shops that returns watches"),
        ({"lane": LANE, "at_once": 0}, Exception, "at_once"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_asked_for(
    shops: Callable[..., Shops], given: dict[str, Any], fault: type[Exception], said: str
) -> None:
    file = shops("any").file
    file.write_text("shops:\n  berlin: {source: 'folder:a', lanes: [fulfilment]}\n")
    with pytest.raises(fault, match=said):
        fan_out(**given)
