"""Calling off: runs that ask nobody any more wait no longer."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled


def call_off(runs: Mapping[str, str]) -> None:
    """Cancel suspended runs (flow run id → why); one that went on, or is gone, is left alone."""
    with get_client(sync_client=True) as client:
        for run, why in runs.items():
            try:
                state = client.read_flow_run(UUID(run)).state
            except ObjectNotFound:
                continue
            if state and state.is_paused():
                client.set_flow_run_state(UUID(run), Cancelled(message=why), force=True)
