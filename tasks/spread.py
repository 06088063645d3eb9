"""Spread: have each part looked at, one after the other in this process, or by the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from control_tower.errors import SettingError
from control_tower.keeping import Nouns
from control_tower.keeping.step import prefect_task
from control_tower.settings import settings
from policies import Policy
from tasks.divide import Divided
from tasks.part import Found, look_at_part

if TYPE_CHECKING:
    from prefect_dask import DaskTaskRunner


LOCAL: dict[str, Any] = {
    "processes": True,
    "threads_per_worker": 1,
    "host": "127.0.0.1",
    "dashboard_address": None,
    "memory_limit": 0,  # a part's memory is bounded by its size; a worker that is killed for it would be so again
}


def spread(divided: Divided, signals: str, policy: Policy, as_of: datetime, *, rests: bool = False) -> Nouns[Found]:
    """Look at every part.

    Where `TOWER_DASK` names a cluster, each part is a task of it. A part writes to the archive alone, so that one
    whose worker is gone is done again by another, and what is found is the same.

    Raises:
        SettingError: Dask is not installed, or its scheduler is not there.
    """
    where = settings().dask
    if not where:
        return Nouns([look_at_part(part, signals, policy, as_of, rests) for part in divided.parts])
    given = {"signals": signals, "policy": policy, "as_of": as_of, "rests": rests}
    with on_dask(where) as runner:
        task = prefect_task("look-at-part")
        asked = [runner.submit(task, {"part": part, **given}) for part in divided.parts]
        return Nouns([each.result() for each in asked])


@contextmanager
def on_dask(where: str) -> Iterator[DaskTaskRunner[Any]]:
    """A task runner of the cluster at an address, or of so many processes of this machine."""
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError:
        raise SettingError(
            "TOWER_DASK is set, and prefect-dask is not installed", remedy="pip install 'control-tower[dask]'"
        ) from None
    if where.isdigit():
        runner = DaskTaskRunner(cluster_kwargs=LOCAL | {"n_workers": int(where)})
    else:
        runner = DaskTaskRunner(address=where)
    with runner:
        yield runner
