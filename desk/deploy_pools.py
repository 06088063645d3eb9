"""Work pools and their queues, as `deployments/work_pools.yaml` has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from control_tower.errors import SettingError
from desk.difference import NEW, Difference

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import WorkPool, WorkQueue

WORK_POOLS = Path(__file__).parent.parent / "deployments" / "work_pools.yaml"
OF_A_POOL = ("description", "base_job_template")
OF_A_QUEUE = ("priority", "concurrency_limit", "description")


def make_pools(client: SyncPrefectClient, file: Path | None = None) -> None:
    """Make the pools and queues that are not there, and change what differs. What a person paused stays paused.

    Args:
        file: another than the shipped one.

    Raises:
        SettingError: the file is malformed, or a pool of that name is of another type, which Prefect can't change.
    """
    for pool in _read(file or WORK_POOLS):
        there = _pool(client, pool)
        queues = {queue.name: queue for queue in client.read_work_queues(work_pool_name=there.name)}
        for wanted in pool["queues"]:
            _make_queue(client, there.name, queues.get(wanted["name"]), wanted)


def pools_differ(client: SyncPrefectClient, file: Path | None = None) -> Iterator[Difference]:
    """What pools and queues are on the server otherwise than in the file."""
    from prefect.exceptions import ObjectNotFound

    for pool in _read(file or WORK_POOLS):
        name = f"work pool {pool['name']}"
        try:
            there = client.read_work_pool(pool["name"])
        except ObjectNotFound:
            yield Difference(name, NEW, None, pool["type"])
            continue
        for field, value in {"type": pool["type"], **_changing(pool)}.items():
            if getattr(there, field) != value:
                yield Difference(name, field, getattr(there, field), value)
        queues = {queue.name: queue for queue in client.read_work_queues(work_pool_name=there.name)}
        for each in pool["queues"]:
            yield from _queue_differs(f"queue {each['name']} of {pool['name']}", queues.get(each["name"]), each)


def _read(file: Path) -> list[dict[str, Any]]:
    """The pools of a file; of one that names a template for its jobs, the template itself.

    Raises:
        SettingError: it can't be read, or a pool lacks what every pool has.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return [_whole(pool, file.parent) for pool in YAML(typ="safe").load(file.read_text("utf-8"))]
    except (OSError, YAMLError, KeyError, TypeError, ValueError) as fault:
        raise SettingError(f"not understood: {type(fault).__name__}: {fault}", where=str(file)) from fault


def _whole(pool: dict[str, Any], folder: Path) -> dict[str, Any]:
    found = {key: pool[key] for key in ("name", "description", "queues")} | {"type": pool.get("type", "process")}
    if template := pool.get("base_job_template"):
        found["base_job_template"] = json.loads((folder / template).read_text("utf-8"))
    return found


def _changing(pool: dict[str, Any]) -> dict[str, Any]:
    """What Prefect can change of a pool; where the file has no template the server's is left alone."""
    return {field: pool[field] for field in OF_A_POOL if field in pool}


def _pool(client: SyncPrefectClient, pool: dict[str, Any]) -> WorkPool:
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    changing = _changing(pool)
    try:
        there = client.read_work_pool(pool["name"])
    except ObjectNotFound:
        try:
            return client.create_work_pool(WorkPoolCreate(name=pool["name"], type=pool["type"], **changing))
        except ObjectAlreadyExists:
            there = client.read_work_pool(pool["name"])
    if there.type != pool["type"]:
        raise SettingError(
            f"work pool {there.name} is of type {there.type}, not {pool['type']}",
            remedy=f"Prefect can't change that: `prefect work-pool delete {there.name}`, or another name in the file",
        )
    if any(getattr(there, field) != value for field, value in changing.items()):
        client.update_work_pool(there.name, WorkPoolUpdate(**changing))
    return there


def _make_queue(client: SyncPrefectClient, pool: str, there: WorkQueue | None, wanted: dict[str, Any]) -> None:
    from prefect.exceptions import ObjectAlreadyExists

    fields = {field: wanted.get(field) for field in OF_A_QUEUE}
    if there is None:
        try:
            client.create_work_queue(name=wanted["name"], work_pool_name=pool, **fields)
        except ObjectAlreadyExists:
            return
    elif any(True for _ in _queue_differs("", there, wanted)):
        client.update_work_queue(there.id, **fields)


def _queue_differs(name: str, there: WorkQueue | None, wanted: dict[str, Any]) -> Iterator[Difference]:
    if there is None:
        yield Difference(name, NEW, None, wanted["priority"])
        return
    for field in OF_A_QUEUE:
        if getattr(there, field) != wanted.get(field):
            yield Difference(name, field, getattr(there, field), wanted.get(field))
