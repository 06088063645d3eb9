"""`tower deploy` and `tower deploy --check`: what the server has otherwise than the files say, field by field."""

from __future__ import annotations

import json as plain
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from control_tower.server import running_server
from control_tower.settings import Settings
from control_tower.settings import settings as read_settings
from desk.deploy import OURS, Deployed, deploy
from desk.deploy_automations import automations_differ, make_automations
from desk.deploy_pools import pools_differ
from desk.difference import GONE, NEW, NOT_IN_THE_FILE, Difference

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

PAGE = 200
WIDEST = 60  # characters of a value that a table shows; --json has all of it


def show_deploy(*, check: bool, json: bool) -> None:
    """Deploy, and say what changed; with `check`, change nothing and exit with 1 when anything differs."""
    from desk.show import as_json

    tower = read_settings()
    with running_server(tower):
        before = tuple(server_differs(tower))
        deployed = deploy(tower, check, tidy=True)
        if not check:
            automate()
        found = (*before, *(each for one in deployed for each in one.differences), *no_longer_in_the_file(deployed))
    if json:
        as_json([{"what": e.what, "field": e.field, "server": e.server, "file": e.file} for e in found])
    else:
        _show(deployed, found, check)
    if check and found:
        raise SystemExit(1)


def automate() -> None:
    """Make the server's automations what the file says; their deployments are there already."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        make_automations(client)


def server_differs(settings: Settings) -> Iterator[Difference]:
    """What beside deployments is on the server otherwise than in the files."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        yield from pools_differ(client, settings.work_pools)
        yield from automations_differ(client)


def no_longer_in_the_file(deployed: Sequence[Deployed]) -> Iterator[Difference]:
    """Deployments on the server that the file made once, and has no more. They go on running; a person deletes them."""
    from prefect.client.orchestration import get_client

    known = {each.id for each in deployed}
    with get_client(sync_client=True) as client:
        for name, id in _ours(client):
            if id not in known:
                yield Difference(f"deployment {name}", NOT_IN_THE_FILE, name, None)


def _ours(client: SyncPrefectClient) -> Iterator[tuple[str, Any]]:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    mine = DeploymentFilter(tags=DeploymentFilterTags(all_=[OURS]))
    seen = 0
    while found := client.read_deployments(deployment_filter=mine, limit=PAGE, offset=seen):
        seen += len(found)
        flows = {each.flow_id: client.read_flow(each.flow_id).name for each in found}
        yield from ((f"{flows[each.flow_id]}/{each.name}", each.id) for each in found)


def _show(deployed: Sequence[Deployed], found: Sequence[Difference], check: bool) -> None:
    from desk.show import table

    if found:
        rows = [(each.what, each.field, *_sides(each)) for each in found]
        table("Differs" if check else "Changed", ("what", "field", "the server has", "the file says"), rows)
    same = sum(not each.differs for each in deployed)
    print(f"{same} of {len(deployed)} deployments {'are' if check else 'were'} as the file says")


def _sides(each: Difference) -> tuple[str, str]:
    if each.field == GONE:
        return "it", "nothing: no shop of the tower has it, and it is taken away"
    if each.field in (NEW, NOT_IN_THE_FILE):
        return ("nothing", "it is new") if each.field == NEW else ("it", "nothing; delete it in Prefect if it is to go")
    return _short(each.server), _short(each.file)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else plain.dumps(value, default=str, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
