"""Entitle: what the policies in force at purchase promised, worked out for each subject."""

from __future__ import annotations

from datetime import datetime

import policies
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.settings import settings
from policies import Policy


@step
def entitle(facts: Kept, policy: Policy, as_of: datetime) -> Kept:
    """The facts with what is concluded from them: outcomes, the clauses that decided, today's outcomes, amounts."""
    return entitled(facts, policy, as_of)


def entitled(facts: Kept, policy: Policy, as_of: datetime) -> Kept:
    """`entitle`, outside of a flow."""
    archive = open_archive(settings().artifacts)
    concluded = policies.entitle(policy, archive.frame(facts), as_of)
    return archive.keep_frame("entitled", concluded)
