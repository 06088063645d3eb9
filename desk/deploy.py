"""`tower deploy`: make the server's deployments what `deployments/prefect.yaml` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from control_tower import __version__
from control_tower.errors import ServerError, SettingError
from control_tower.server import FASTAPI, use
from control_tower.settings import Settings
from desk.deploy_pools import make_pools
from desk.deploy_shops import for_each_shop, left_over
from desk.difference import GONE, NEW, Difference

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.flows import Flow

# Beside the rooms, in a checkout as in an installed wheel.
PREFECT_YAML = Path(__file__).parent.parent / "deployments" / "prefect.yaml"
OURS = "control-tower"
"""The tag of every deployment that this file made, so that one that is no longer in it can be named."""


@dataclass(frozen=True)
class Deployed:
    """One deployment: its flow, and what differed from the file on the server (`new` for all of it)."""

    name: str
    id: UUID | None
    flow: Flow[Any, Any]
    differs: tuple[str, ...]
    differences: tuple[Difference, ...] = ()


def deploy(
    settings: Settings, check: bool = False, file: Path = PREFECT_YAML, *, tidy: bool = False
) -> tuple[Deployed, ...]:
    """Create or change what differs; what is as the file says is not written again.

    A schedule that a person switched off in the UI stays off.

    Args:
        check: only say what differs.
        tidy: take away what is there for shops that are gone from the tower's file.

    Raises:
        SettingError: the file is malformed, or names a flow that is not there.
        ServerError: the server refuses.
    """
    use(settings)
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    wanted = list(for_each_shop(_read(file), settings))
    with get_client(sync_client=True) as client:
        try:
            if not check:
                make_pools(client, settings.work_pools)
            applied = [_apply(client, flow, fields, check) for flow, fields in wanted]
            gone = left_over(client, wanted) if tidy else []
            for one in gone if not check else ():
                client.delete_deployment(one.id)
            flows = {flow.name: flow for flow, _ in wanted}
            return (*applied, *(_gone(client, one, flows) for one in gone))
        except PrefectHTTPStatusError as fault:
            remedy = FASTAPI if fault.response.status_code == 422 else "see the server's log"
            raise ServerError(f"it answers {fault.response.status_code}", where="deploy", remedy=remedy) from fault


def _gone(client: SyncPrefectClient, one: DeploymentResponse, flows: Mapping[str, Flow[Any, Any]]) -> Deployed:
    flow = client.read_flow(one.flow_id).name
    name = f"{flow}/{one.name}"
    seen = Difference(f"deployment {name}", GONE, name, None)
    return Deployed(name, one.id, flows[flow], (GONE,), (seen,))


def _read(file: Path) -> Iterator[tuple[Flow[Any, Any], dict[str, Any]]]:
    """Each deployment of the file: its flow, and its fields as Prefect's client takes them."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe").load(file.read_text())["deployments"]
        for entry in content:
            yield _fields(entry)
    except (OSError, YAMLError, KeyError, TypeError, ValueError) as fault:
        raise SettingError(f"not understood: {type(fault).__name__}: {fault}", where=str(file)) from fault


def _fields(entry: dict[str, Any]) -> tuple[Flow[Any, Any], dict[str, Any]]:
    from prefect.utilities.callables import parameter_schema

    flow = load(entry["entrypoint"])
    limit = entry.get("concurrency_limit") or {}
    return flow, {
        "name": entry["name"],
        "version": __version__,
        "description": entry.get("description", ""),
        "entrypoint": entry["entrypoint"],
        "tags": sorted({OURS, *entry.get("tags", [])}),
        "parameters": entry.get("parameters", {}),
        "parameter_openapi_schema": parameter_schema(flow).model_dump_for_openapi(),
        "enforce_parameter_schema": True,
        "work_pool_name": entry["work_pool"]["name"],
        "work_queue_name": entry["work_pool"].get("work_queue_name", "default"),
        "job_variables": entry["work_pool"].get("job_variables", {}),
        "pull_steps": entry.get("pull", []),
        "schedules": [
            (each.get("slug"), each["cron"], each.get("timezone", "UTC"), each.get("active", True))
            for each in entry.get("schedules", [])
        ],
        "concurrency_limit": limit.get("limit"),
        "collision_strategy": limit.get("collision_strategy"),
    }


def load(entrypoint: str) -> Flow[Any, Any]:
    """The flow that an entrypoint names, as in `flows.resolve_case.resolve_case`.

    Raises:
        SettingError: there is none.
    """
    from prefect.flows import Flow

    module, _, name = entrypoint.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as fault:
        raise SettingError(f"no flow: {fault}", where=entrypoint) from fault
    if not isinstance(found, Flow):
        raise SettingError("that is no flow", where=entrypoint)
    return found


def _apply(client: SyncPrefectClient, flow: Flow[Any, Any], wanted: dict[str, Any], check: bool) -> Deployed:
    from prefect.exceptions import ObjectNotFound

    name = f"{flow.name}/{wanted['name']}"
    try:
        found: DeploymentResponse | None = client.read_deployment_by_name(name)
    except ObjectNotFound:
        found = None
    there = _as_fields(found) if found else {}
    if found:
        wanted = wanted | {"schedules": _switched_as(wanted["schedules"], there["schedules"])}
    differs = tuple(key for key in wanted if wanted[key] != there.get(key)) if found else (NEW,)
    seen = tuple(Difference(f"deployment {name}", key, there.get(key), wanted.get(key)) for key in differs)
    if check or not differs:
        return Deployed(name, found.id if found else None, flow, differs, seen)
    return Deployed(name, _write(client, flow, wanted), flow, differs, seen)


def _as_fields(found: DeploymentResponse) -> dict[str, Any]:
    limit, options = found.global_concurrency_limit, found.concurrency_options
    return {
        **{key: getattr(found, key) for key in ("name", "version", "description", "entrypoint", "parameters")},
        "tags": sorted(found.tags),
        "parameter_openapi_schema": found.parameter_openapi_schema,
        "enforce_parameter_schema": found.enforce_parameter_schema,
        "work_pool_name": found.work_pool_name,
        "work_queue_name": found.work_queue_name,
        "job_variables": found.job_variables or {},
        "pull_steps": found.pull_steps or [],
        "schedules": [
            (
                each.slug,
                getattr(each.schedule, "cron", None),
                getattr(each.schedule, "timezone", None),
                each.active,
            )
            for each in found.schedules
        ],
        "concurrency_limit": limit.limit if limit else None,
        "collision_strategy": options.collision_strategy.value if options else None,
    }


def _switched_as(wanted: Sequence[tuple[Any, ...]], there: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    off = {schedule[:3] for schedule in there if not schedule[3]}
    return [(*schedule[:3], schedule[3] and schedule[:3] not in off) for schedule in wanted]


def _write(client: SyncPrefectClient, flow: Flow[Any, Any], wanted: Mapping[str, Any]) -> UUID:
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.objects import ConcurrencyOptions
    from prefect.client.schemas.schedules import CronSchedule

    plain = {key: value for key, value in wanted.items() if key not in ("schedules", "collision_strategy")}
    strategy = wanted["collision_strategy"]
    return client.create_deployment(
        flow_id=client.create_flow(flow),
        schedules=[
            DeploymentScheduleCreate(schedule=CronSchedule(cron=cron, timezone=zone), active=active, slug=slug)
            for slug, cron, zone, active in wanted["schedules"]
        ],
        concurrency_options=ConcurrencyOptions(collision_strategy=strategy) if strategy else None,
        **plain,
    )
