"""Forgetting: what Prefect holds of runs, their forms, descriptions and artifacts, is deleted."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.exceptions import ObjectNotFound


def forget_runs(runs: Collection[str]) -> int:
    """Delete runs and the artifacts that they made; returns how many were still there."""
    found = 0
    with get_client(sync_client=True) as client:
        for run in runs:
            made = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(run)]))
            for artifact in client.read_artifacts(artifact_filter=made):
                client.delete_artifact(artifact.id)
            try:
                client.delete_flow_run(UUID(run))
                found += 1
            except ObjectNotFound:
                continue
    return found
