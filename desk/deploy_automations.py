"""Automations: what the server does by itself, as `deployments/automations.yaml` has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from control_tower.errors import SettingError
from desk.difference import NEW, NOT_IN_THE_FILE, Difference

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import Automation, AutomationCore

AUTOMATIONS = Path(__file__).parent.parent / "deployments" / "automations.yaml"
OURS = "control-tower"
PAGE = 200
FIELDS = ("description", "trigger", "actions")


def make_automations(client: SyncPrefectClient, file: Path = AUTOMATIONS) -> None:
    """Make what is not there, and change what differs. One that a person switched off stays off.

    Raises:
        SettingError: the file is malformed, or one runs a deployment that is not there.
    """
    there = {each.name: each for each in _ours(client)}
    for name, wanted in _wanted(client, file).items():
        found = there.get(name)
        if found is None:
            client.create_automation(wanted)
        elif any(True for _ in _differs(found, wanted)):
            client.update_automation(found.id, wanted.model_copy(update={"enabled": found.enabled}))


def automations_differ(client: SyncPrefectClient, file: Path = AUTOMATIONS) -> Iterator[Difference]:
    """What automations are on the server otherwise than in the file; those with our tag that it does not have, too."""
    there = {each.name: each for each in _ours(client)}
    wanted = _wanted(client, file, missing=UUID(int=0))
    for name, one in wanted.items():
        if name in there:
            yield from _differs(there[name], one)
        else:
            yield Difference(f"automation {name}", NEW, None, one.description)
    for name in sorted(set(there) - set(wanted)):
        yield Difference(f"automation {name}", NOT_IN_THE_FILE, name, None)


def _wanted(client: SyncPrefectClient, file: Path, missing: UUID | None = None) -> Mapping[str, AutomationCore]:
    from prefect.events.actions import RunDeployment
    from prefect.events.schemas.automations import AutomationCore
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return {
            entry["name"]: AutomationCore(
                name=entry["name"],
                description=entry["description"],
                tags=[OURS],
                trigger=entry["trigger"],
                actions=[RunDeployment(source="selected", deployment_id=_deployment(client, entry["runs"], missing))],
            )
            for entry in YAML(typ="safe").load(file.read_text("utf-8"))
        }
    except (OSError, YAMLError, KeyError, TypeError, ValueError) as fault:
        raise SettingError(f"not understood: {type(fault).__name__}: {fault}", where=str(file)) from fault


def _deployment(client: SyncPrefectClient, name: str, missing: UUID | None) -> UUID:
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name(name).id
    except ObjectNotFound as fault:
        if missing is not None:
            return missing
        raise SettingError(f"no deployment {name}", where=str(AUTOMATIONS), remedy="see prefect.yaml") from fault


def _ours(client: SyncPrefectClient) -> Iterator[Automation]:
    seen = 0
    while found := client.read_automations(limit=PAGE, offset=seen):
        seen += len(found)
        yield from (each for each in found if OURS in each.tags)


def _differs(there: Automation, wanted: AutomationCore) -> Iterator[Difference]:
    for field in FIELDS:
        sides = [_plain(getattr(each, field)) for each in (there, wanted)]
        if sides[0] != sides[1]:
            yield Difference(f"automation {wanted.name}", field, *sides)


def _plain(value: Any) -> Any:
    """As the server would send it, without the ids that it gives by itself; sets in order."""
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump(mode="json", exclude={"id"}))
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        plain = [_plain(each) for each in value]
        return sorted(plain) if all(isinstance(each, str) for each in plain) else plain
    return value
