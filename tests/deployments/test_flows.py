"""Every flow is deployed, is given a time, and is tried again only where that is safe."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from ruamel.yaml import YAML

import flows
from desk.deploy import PREFECT_YAML, load
from desk.deploy_pools import WORK_POOLS

ENTRIES: list[dict[str, Any]] = YAML(typ="safe").load(PREFECT_YAML.read_text("utf-8"))["deployments"]


def flows_there_are() -> set[str]:
    modules = [import_module(f"flows.{file.stem}") for file in Path(str(flows.__file__)).parent.glob("*.py")]
    return {each.name for module in modules for each in vars(module).values() if isinstance(each, Flow)}


def test_every_flow_has_a_deployment() -> None:
    assert {load(entry["entrypoint"]).name for entry in ENTRIES} == flows_there_are()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry["name"]))
def test_a_deployment_is_complete(entry: dict[str, Any]) -> None:
    flow = load(entry["entrypoint"])
    queues = {
        queue["name"]: queue["priority"] for pool in YAML(typ="safe").load(WORK_POOLS) for queue in pool["queues"]
    }
    assert entry["description"].endswith(".") and entry["tags"]
    assert entry["work_pool"]["name"] == "tower" and entry["work_pool"]["work_queue_name"] in queues
    assert flow.retries == 0, "a flow as a whole is never tried again by Prefect"
    assert flow.timeout_seconds is None, "it would break into a thread that holds a lock"
    limits = [tag for tag in entry["tags"] if tag.startswith("within:")]
    if entry["name"] == "resolve-case":
        assert not entry["schedules"] and not limits and "concurrency_limit" not in entry
        return
    assert bool(entry["schedules"]) is (entry["name"] != "fan-out"), "that is asked for"
    assert all(each["timezone"] and each["slug"] for each in entry["schedules"])
    assert entry["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    assert len(limits) == 1 and re.fullmatch(r"within:[1-9]\d*m", limits[0])
    assert [hook.__name__ for hook in flow.on_running_hooks] == ["makes_up"]


def test_money_goes_before_approvals_before_lanes_before_upkeep() -> None:
    (pool,) = YAML(typ="safe").load(WORK_POOLS)
    assert [queue["name"] for queue in sorted(pool["queues"], key=lambda queue: queue["priority"])] == [
        "money", "approvals", "lanes", "upkeep",
    ]  # fmt: skip
    queue = {entry["name"]: entry["work_pool"]["work_queue_name"] for entry in ENTRIES}
    assert queue["resolve-case"] == queue["settle-effects"] == "money"
    assert {queue[name] for name in queue if name.startswith("watch-")} == {"lanes"}


def test_prefects_own_command_understands_the_file() -> None:
    from prefect.cli.deploy._models import PrefectYamlModel

    model = PrefectYamlModel.model_validate(YAML(typ="safe").load(PREFECT_YAML.read_text("utf-8")))
    assert len(model.deployments) == len(ENTRIES)
