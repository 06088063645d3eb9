"""Recommend: what policy would have done about what was found. Nothing here acts."""

from __future__ import annotations

import policies
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.settings import settings
from policies import Policy


@step
def recommend(findings: Kept, facts: Kept, policy: Policy) -> Kept:
    """One row for each action that policy recommends: order, action, target, amount, currency, reason, rests_on.

    An unknown answer recommends nothing.
    """
    archive = open_archive(settings().artifacts)
    found, known = archive.frame(findings), archive.frame(facts, list(policy.columns))
    return archive.keep_frame("recommended", policies.proposals(policy, found, known))
