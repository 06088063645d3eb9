"""`tower metrics`: what Prometheus reads, on loopback or once on standard output."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from control_tower.errors import SettingError
from control_tower.schedules import longest
from control_tower.server import LOOPBACK
from control_tower.settings import settings
from control_tower.shops import shops_of
from desk.deploy import PREFECT_YAML
from desk.up import say

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from control_tower.shops.document import OwnShop

PORT = 9464  # where exporters of OpenTelemetry's kind listen by custom


def _registry() -> CollectorRegistry:
    from control_tower.metrics.collecting import registry

    shops = shops_of(settings())
    return registry(settings().ledger, intervals(shops), shops)


def print_metrics() -> None:
    """Print what a scrape would read now."""
    from prometheus_client import generate_latest

    sys.stdout.write(generate_latest(_registry()).decode())


def serve_metrics() -> None:
    """Serve metrics until Ctrl-C."""
    port = settings().metrics_port
    with serving(PORT if port is None else port) as address:
        say(f"metrics at {address}")
        threading.Event().wait()


def serve_metrics_beside(stop: threading.Event) -> None:
    """Serve metrics beside `tower up`, until it stops."""
    with serving(settings().metrics_port or 0) as address:
        say(f"metrics        {address}")
        stop.wait()


@contextmanager
def serving(port: int) -> Iterator[str]:
    """Serve on loopback for as long as the block lasts; gives the address.

    Raises:
        SettingError: the port is taken.
    """
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, LOOPBACK, _registry())
    except OSError as fault:
        remedy = "set TOWER_METRICS_PORT to a free port"
        raise SettingError(f"nobody can listen on port {port}: {fault.strerror}", remedy=remedy) from fault
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def intervals(shops: Mapping[str, OwnShop] | None = None, file: Path = PREFECT_YAML) -> dict[tuple[str, str], float]:
    """The longest time between two looks of each lane that has a schedule, in seconds, by lane and shop.

    Args:
        shops: of the tower's file; without them there is one, and it is named by nothing.
    """
    by_lane = _by_lane(file)
    if not shops:
        return {(lane, ""): seconds for lane, seconds in by_lane.items()}
    return {(lane, id): by_lane[lane] for lane in by_lane for id, shop in shops.items() if shop.watched_by(lane)}


def _by_lane(file: Path) -> dict[str, float]:
    from ruamel.yaml import YAML

    deployments = YAML(typ="safe").load(file.read_text())["deployments"]
    return {
        tag.removeprefix("lane:"): max(longest(each["cron"], each.get("timezone", "UTC")) for each in schedules)
        for deployment in deployments
        if (schedules := [each for each in deployment.get("schedules", []) if each.get("active", True)])
        for tag in deployment.get("tags", [])
        if tag.startswith("lane:")
    }
