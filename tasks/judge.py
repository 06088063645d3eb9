"""Judge: let every rule of the policy answer about every subject."""

from __future__ import annotations

from datetime import datetime

import policies
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.settings import settings
from policies import Policy


@step
def judge(facts: Kept, policy: Policy, as_of: datetime) -> Kept:
    """Evaluate every rule on every row of facts.

    Returns:
        The kept findings: one row for each order and kind that is `yes` or `unknown`.
    """
    return judged(facts, policy, as_of)


def judged(facts: Kept, policy: Policy, as_of: datetime) -> Kept:
    """`judge`, outside of a flow."""
    archive = open_archive(settings().artifacts)
    findings = policies.judge(policy, archive.frame(facts, list(policy.columns)), as_of)
    return archive.keep_frame("findings", findings)
