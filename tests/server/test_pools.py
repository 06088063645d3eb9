"""Pools and queues are what the file says, and a check tells what is otherwise and changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate

from control_tower.errors import SettingError
from control_tower.server import Server
from control_tower.settings import settings
from desk.deploy import deploy, load
from desk.deploy_pools import make_pools, pools_differ
from desk.deploy_show import show_deploy

POOL = """
- name: {name}
  description: a pool for tests
  queues:
    - {{name: money, priority: 1, description: first}}
    - {{name: lanes, priority: 2, concurrency_limit: 4, description: then}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "work_pools.yaml"
    written.write_text(POOL.format(name=f"pool-{uuid4().hex[:8]}"))
    return written


def name_in(file: Path) -> str:
    return file.read_text().split()[2]


def state_of(client: SyncPrefectClient) -> str:
    """All that the server has of what is deployed, but for heartbeats and the moments of polls."""

    def kept(item: Any) -> dict[str, Any]:
        return item.model_dump(mode="json", exclude={"last_polled", "status", "updated"})

    pools = client.read_work_pools()
    queues = [queue for pool in pools for queue in client.read_work_queues(work_pool_name=pool.name)]
    found = (*pools, *queues, *client.read_deployments(), *client.read_automations())
    return json.dumps(sorted((kept(each) for each in found), key=lambda each: str(each["id"])), sort_keys=True)


def test_money_goes_before_lanes_and_the_default_queue_comes_last(server: Server, file: Path) -> None:
    with get_client(sync_client=True) as client:
        make_pools(client, file)
        queues = client.read_work_queues(work_pool_name=name_in(file))
    assert [queue.name for queue in sorted(queues, key=lambda queue: queue.priority)] == ["money", "lanes", "default"]
    assert {queue.name: queue.concurrency_limit for queue in queues} == {"money": None, "lanes": 4, "default": None}


def test_what_differs_is_told_by_field_and_put_right(server: Server, file: Path) -> None:
    with get_client(sync_client=True) as client:
        assert [each.field for each in pools_differ(client, file)] == ["new"]
        make_pools(client, file)
        assert list(pools_differ(client, file)) == []
        file.write_text(file.read_text().replace("limit: 4", "limit: 2").replace("for tests", "for a test"))
        found = [(each.field, each.server, each.file) for each in pools_differ(client, file)]
        assert found == [("description", "a pool for tests", "a pool for a test"), ("concurrency_limit", 4, 2)]
        make_pools(client, file)
        assert list(pools_differ(client, file)) == []


def test_a_queue_that_a_person_paused_stays_paused(server: Server, file: Path) -> None:
    with get_client(sync_client=True) as client:
        make_pools(client, file)
        lanes = client.read_work_queue_by_name("lanes", name_in(file))
        client.update_work_queue(lanes.id, is_paused=True)
        file.write_text(file.read_text().replace("limit: 4", "limit: 2"))
        make_pools(client, file)
        lanes = client.read_work_queue(lanes.id)
    assert (lanes.is_paused, lanes.concurrency_limit) == (True, 2)


def test_a_pool_of_another_type_is_left_alone_and_named(server: Server, file: Path) -> None:
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=name_in(file), type="kubernetes"))
        assert "type" in [each.field for each in pools_differ(client, file)]
        with pytest.raises(SettingError, match="is of type kubernetes, not process"):
            make_pools(client, file)
        assert client.read_work_pool(name_in(file)).type == "kubernetes"


@pytest.mark.parametrize(
    ("what", "by", "told"),
    [("  queues:", "  lines:", "queues"), ("  queues:", "  base_job_template: gone.json\n  queues:", "gone.json")],
)
def test_a_file_of_pools_that_lacks_something_is_named_with_it(
    server: Server, file: Path, what: str, by: str, told: str
) -> None:
    file.write_text(file.read_text().replace(what, by))
    with (
        get_client(sync_client=True) as client,
        pytest.raises(SettingError, match=rf"{re.escape(str(file))}.*not understood.*{told}"),
    ):
        make_pools(client, file)


@pytest.mark.large
def test_a_check_says_what_differs_names_what_is_no_longer_there_and_changes_nothing(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(settings())
    with get_client(sync_client=True) as client:
        gone = client.create_deployment(
            client.create_flow(load("flows.measure.measure_shop")), "measure-yearly", tags=["control-tower"]
        )
        lane = client.read_deployment_by_name("watch-fraud/watch-fraud")
        (schedule,) = lane.schedules
        client.update_deployment_schedule(lane.id, schedule.id, slug="nightly")
        queue = client.read_work_queue_by_name("money", "tower")
        client.update_work_queue(queue.id, concurrency_limit=1)
        before = state_of(client)
        try:
            with pytest.raises(SystemExit) as ended:
                show_deploy(check=True, json=True)
            told = capsys.readouterr().out
            with pytest.raises(SystemExit):
                show_deploy(check=True, json=False)
            shown = " ".join(capsys.readouterr().out.split())
            assert state_of(client) == before
        finally:
            client.delete_deployment(gone)
            show_deploy(check=False, json=True)
        assert state_of(client) != before
    assert ended.value.code == 1
    found = {(each["what"], each["field"]): (each["server"], each["file"]) for each in json.loads(told)}
    assert ("deployment measure/measure-yearly", "not in the file") in found
    assert found["queue money of tower", "concurrency_limit"] == (1, None)
    assert found["deployment watch-fraud/watch-fraud", "schedules"][0][0][0] == "nightly"
    assert "queue money of tower" in shown and "the server has" in shown
