"""Lint: faults of documents that a solver proves, each shown with a record that a person can read.

`lint("return_policy")` reads every version of a document and says where its tables have gaps or overlaps,
what never fires or never counts, where more time brings more, what is decided for want of evidence, and
on which days no version holds. What the solver can't decide is said to be undecided, never left out.
"""

from policies.lint.findings import Finding, Level
from policies.lint.linting import lint

__all__ = ["Finding", "Level", "lint"]
