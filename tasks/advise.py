"""Advise: what policy would have teams do about what was found. Nothing here does it."""

from __future__ import annotations

import policies
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.settings import settings
from policies import Policy, due_after
from tasks.validate import Accepted


@step
def advise(findings: Kept, facts: Kept, policy: Policy, accepted: Accepted) -> Kept:
    """One row for each measure that policy advises: subject, action, owner, evidence, expires_at, prior, counter.

    An unknown answer advises nothing, and neither does a prior value that nobody knows.
    """
    archive = open_archive(settings().artifacts)
    found, known = archive.frame(findings), archive.frame(facts, list(policy.columns))
    advised = policies.advice(policy, found, known)
    ends = {
        text: due_after(accepted.as_of, text, accepted.shop, policy.calendar)
        for text in advised["expires_after"].unique()
    }
    advised["expires_at"] = advised.pop("expires_after").map(ends).astype("datetime64[us, UTC]")
    return archive.keep_frame("advice", advised)
