"""`tower metrics`: what Prometheus reads, on loopback or once on standard output."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control_tower.errors import SettingError
from control_tower.schedules import longest
from control_tower.server import LOOPBACK
from control_tower.settings import settings
from desk.deploy import PREFECT_YAML
from desk.up import say

PORT = 9464  # where exporters of OpenTelemetry's kind listen by custom


def print_metrics() -> None:
    """Print what a scrape would read now."""
    from prometheus_client import generate_latest

    from control_tower.metrics.collecting import registry

    sys.stdout.write(generate_latest(registry(settings().ledger, intervals())).decode())


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

    from control_tower.metrics.collecting import registry

    try:
        server, thread = start_http_server(port, LOOPBACK, registry(settings().ledger, intervals()))
    except OSError as fault:
        remedy = "set TOWER_METRICS_PORT to a free port"
        raise SettingError(f"nobody can listen on port {port}: {fault.strerror}", remedy=remedy) from fault
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def intervals(file: Path = PREFECT_YAML) -> dict[str, float]:
    """The longest time between two looks of each lane that has a schedule, in seconds."""
    from ruamel.yaml import YAML

    deployments = YAML(typ="safe").load(file.read_text())["deployments"]
    return {
        tag.removeprefix("lane:"): max(longest(each["cron"], each.get("timezone", "UTC")) for each in schedules)
        for deployment in deployments
        if (schedules := [each for each in deployment.get("schedules", []) if each.get("active", True)])
        for tag in deployment.get("tags", [])
        if tag.startswith("lane:")
    }
