"""What the business decided: one YAML a lane, read into a `Policy` that judges facts and has no hands.

`policy(name, as_of)` reads the version in force; `judge` lets every rule answer over a frame, `explain`
tells one answer, `score` weighs an order's findings, `proposals` lists what a person may be asked, `advice`
what a team is advised to do.
"""

from policies.advising import advice
from policies.business_time import (
    add_business_days,
    add_business_minutes,
    business_days,
    calendar_days,
    counts_on,
    due_after,
)
from policies.document import Entitlement, Policy
from policies.entitlements import entitle
from policies.expressions import Expression, names_read, parse
from policies.inheriting import load, version
from policies.judgement import explain, holds, judge
from policies.reader import read
from policies.remedies import proposals
from policies.risk import score

policy = load

__all__ = [
    "Entitlement",
    "Expression",
    "Policy",
    "add_business_days",
    "add_business_minutes",
    "advice",
    "business_days",
    "calendar_days",
    "counts_on",
    "due_after",
    "entitle",
    "explain",
    "holds",
    "judge",
    "load",
    "names_read",
    "parse",
    "policy",
    "proposals",
    "read",
    "score",
    "version",
]
