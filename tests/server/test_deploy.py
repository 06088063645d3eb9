"""What the server deploys is what the file says, and no more is written than differs."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from control_tower.errors import SettingError
from control_tower.server import Server
from control_tower.settings import settings
from desk.deploy import PREFECT_YAML, deploy, load

LANE = """
from prefect import flow

@flow(name="watch-{name}")
def watch(source: str = "shop") -> None:
    pass
"""
FILE = """
deployments:
  - name: watch-{name}
    description: a lane for tests
    entrypoint: lane_{name}.watch
    tags: [b, a]
    parameters: {{source: shop}}
    schedules:
      - {{slug: nightly, cron: "0 2 * * *", timezone: Europe/Berlin, active: true}}
    concurrency_limit: {{limit: 1, collision_strategy: CANCEL_NEW}}
    work_pool: {{name: tower}}
    pull: []
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prefect.yaml with one lane that can be imported; the working directory is somewhere else."""
    name = uuid4().hex[:8]
    (tmp_path / f"lane_{name}.py").write_text(LANE.format(name=name))
    written = tmp_path / "prefect.yaml"
    written.write_text(FILE.format(name=name))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return written


def test_deploying_twice_changes_nothing_the_second_time(server: Server, file: Path) -> None:
    (first,) = deploy(settings(), file=file)
    (second,) = deploy(settings(), file=file)
    assert first.differs == ("new",)
    assert second.differs == ()
    assert second.id == first.id


def test_a_check_says_what_differs_and_changes_nothing(server: Server, file: Path) -> None:
    assert deploy(settings(), check=True, file=file)[0].id is None
    deploy(settings(), file=file)
    file.write_text(file.read_text().replace("0 2 * * *", "0 3 * * *").replace("a lane for", "the lane for"))
    for _ in range(2):
        assert deploy(settings(), check=True, file=file)[0].differs == ("description", "schedules")
    assert deploy(settings(), file=file)[0].differs == ("description", "schedules")
    assert deploy(settings(), file=file)[0].differs == ()


def test_a_schedule_that_a_person_switched_off_stays_off(server: Server, file: Path) -> None:
    from prefect.client.orchestration import get_client

    (deployed,) = deploy(settings(), file=file)
    assert deployed.id
    with get_client(sync_client=True) as client:
        (schedule,) = client.read_deployment(deployed.id).schedules
        client.update_deployment_schedule(deployed.id, schedule.id, active=False)
        assert deploy(settings(), file=file)[0].differs == ()
        file.write_text(file.read_text().replace("a lane for tests", "another description"))
        deploy(settings(), file=file)
        (schedule,) = client.read_deployment(deployed.id).schedules
    assert schedule.active is False


def test_one_lane_runs_at_a_time_and_a_second_is_cancelled(server: Server, file: Path) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Pending

    (deployed,) = deploy(settings(), file=file)
    assert deployed.id
    with get_client(sync_client=True) as client:
        runs = [client.create_flow_run_from_deployment(deployed.id).id for _ in range(2)]
        states = [client.set_flow_run_state(run, Pending()).state for run in runs]
        client.delete_deployment(deployed.id)
    assert [state.type.value for state in states if state] == ["PENDING", "CANCELLED"]


@pytest.mark.parametrize(
    ("spoiled", "by", "said"),
    [
        ("entrypoint: lane_", "entrypoint: no_such_", "No module named"),
        (".watch", ".look", "has no attribute 'look'"),
        ("    work_pool: {name: tower}\n", "", "work_pool"),
        ("deployments:", "deployment:", "deployments"),
        ("    tags: [b, a]", "    tags: [b, a", "flow sequence"),
    ],
)
def test_a_malformed_file_is_refused_and_named(file: Path, spoiled: str, by: str, said: str) -> None:
    assert spoiled in file.read_text()
    file.write_text(file.read_text().replace(spoiled, by))
    with pytest.raises(SettingError, match=said):
        deploy(settings(), check=True, file=file)


def test_the_shipped_file_deploys_flows_that_are_there(server: Server) -> None:
    from ruamel.yaml import YAML

    entries = YAML(typ="safe").load(PREFECT_YAML.read_text())["deployments"]
    flows = {entry["name"]: load(entry["entrypoint"]) for entry in entries}
    assert {name: flow.name for name, flow in flows.items()} == {
        "watch-fulfilment": "watch-fulfilment",
        "watch-returns": "watch-returns",
        "watch-fraud": "watch-fraud",
        "watch-inventory": "watch-inventory",
        "watch-subscriptions": "watch-subscriptions",
        "resolve-case": "resolve-case",
        "fan-out": "fan-out",
        "sweep-approvals": "sweep-approvals",
        "settle-effects": "settle-effects",
        "measure": "measure",
        "expire-kept": "expire-kept",
        "weigh-lanes": "weigh-lanes",
        "tell-trouble": "tell-trouble",
    }
    assert {each.name for each in deploy(settings())} == {
        "watch-fulfilment/watch-fulfilment",
        "watch-returns/watch-returns",
        "watch-fraud/watch-fraud",
        "watch-inventory/watch-inventory",
        "watch-subscriptions/watch-subscriptions",
        "resolve-case/resolve-case",
        "fan-out/fan-out",
        "sweep-approvals/sweep-approvals",
        "settle-effects/settle-effects",
        "measure/measure",
        "expire-kept/expire-kept",
        "weigh-lanes/weigh-lanes",
        "tell-trouble/tell-trouble",
    }
    assert [each.differs for each in deploy(settings())] == [()] * len(flows)
