"""Prefect: its server and version, who works for it, and whether its deployments are this release's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from control_tower.server import server_there
from control_tower.settings import Settings
from desk.doctor.finding import Finding
from desk.doctor.machine import time_apart

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

START = "start `tower up`, or `prefect worker start --pool tower`"


def prefect_server(tower: Settings) -> Iterator[Finding]:
    """What the server says that answers; none is started."""
    with server_there(tower) as server:
        if server is None:
            yield Finding("prefect server", "none runs; each command that needs one starts it")
            return
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            address = urlsplit(server.api)
            yield _version(client, f"{address.hostname}:{address.port or address.scheme}")
            yield from _clock(client)
            yield from _workers(client)
            yield _deployments(tower)


def _version(client: SyncPrefectClient, where: str) -> Finding:
    theirs, ours = client.api_version(), version("prefect")
    same = theirs.split(".")[:2] == ours.split(".")[:2]
    remedy = "" if same else "give server, workers and this machine one version: `pip install -r requirements.lock`"
    return Finding("prefect server", f"{where} answers, version {theirs}; here it is {ours}", remedy)


def _clock(client: SyncPrefectClient) -> Iterator[Finding]:
    said = client.hello().headers.get("date")
    with suppress(TypeError, ValueError):
        there = parsedate_to_datetime(said or "")
        yield time_apart((there - datetime.now(UTC)).total_seconds(), "the Prefect server")


def _workers(client: SyncPrefectClient) -> Iterator[Finding]:
    """Who works for each pool, by their heartbeat."""
    from prefect.client.schemas.objects import WorkerStatus

    pools = client.read_work_pools()
    if not pools:
        yield Finding("work pool", "there is none", "`tower deploy` makes it")
    for pool in pools:
        workers = client.read_workers_for_work_pool(pool.name)
        alive = [worker for worker in workers if worker.status == WorkerStatus.ONLINE]
        paused = ", and the pool is paused" if pool.is_paused else ""
        remedy = f"resume it: `prefect work-pool resume {pool.name}`" if paused else "" if alive else START
        yield Finding(f"work pool {pool.name}", f"{len(alive)} workers with a heartbeat{paused}", remedy)


def _deployments(tower: Settings) -> Finding:
    from desk.deploy import deploy

    differ = [each.name for each in deploy(tower, check=True) if each.differs]
    remedy = "`tower deploy`; with --check it shows the difference" if differ else ""
    return Finding("deployments", f"{', '.join(differ)} differ" if differ else "as the file says", remedy)
