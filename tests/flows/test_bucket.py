"""A tower whose artifacts lie in a bucket does what one does whose artifacts lie in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from control_tower.errors import BrokenChain
from control_tower.keeping.records import runs, verify
from control_tower.keeping.step import open_archive
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Action
from control_tower.pause import resume
from control_tower.settings import settings
from tests.flows.conftest import Tower, own_tower


@pytest.mark.large
def test_a_refund_goes_from_gather_to_effect_with_everything_kept_in_a_bucket(
    tmp_path: Path, deployed: dict[Any, Any], bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_tower(tmp_path / "folder", deployed) as in_a_folder:
        (tmp_path / "folder").mkdir()
        in_a_folder.fill(800, seed=1111)
        digests = {step: one.outputs for step, one in in_a_folder.records(in_a_folder.watch(dry_run=True)).items()}
    with own_tower(tmp_path, deployed):
        monkeypatch.setenv("TOWER_ARTIFACTS_URL", f"{bucket}/{uuid4().hex}")
        tower = Tower(settings(), deployed)
        tower.fill(800, seed=1111)
        report = tower.watch()
        kept = tower.records(report)
        judged = ("gather", "validate", "detect", "judge", "score", "recommend")
        assert {step: kept[step].outputs for step in judged} == {step: digests[step] for step in judged}
        refund = tower.waiting(Action.refund)[0]
        tower.rule(refund)
        resume(str(find_proposal(tower.ledger, refund.digest).flow_run_id))
        assert tower.work() > 0
        assert refund.money and sum(tower.refunds(refund.order_id)) >= refund.money.amount
        archive = open_archive(tower.settings.artifacts)
        assert not list(tmp_path.glob("artifacts/*")), "nothing of it lies on this machine"
        for run in runs(tower.ledger):
            assert verify(archive, tower.ledger, run).records > 0
        archive.files.pipe_file(archive.path(*kept["judge"].outputs["result"]), b"another")
        with pytest.raises(BrokenChain, match="is not what was kept, in record"):
            verify(archive, tower.ledger, report.run_id)
