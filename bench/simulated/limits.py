"""Who may decide how much in a simulated week: the shipped authority, with limits that its orders reach."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

REAL = Path(__file__).parents[2] / "policies" / "authority.yaml"
LARGE, IN_SLACK = 40_000, 10_000
"""Minor units: above the first it takes two people, above the second Slack is no place to rule."""


def write_limits(file: Path) -> None:
    """Write the authority; the shipped one begins at amounts that no order of these shops has."""
    yaml = YAML(typ="safe")
    content = yaml.load(REAL.read_text())
    for limit in content["limits"]:
        if (limit["role"], limit["action"]) == ("approver", "refund"):
            limit["each"]["EUR"] = LARGE
    for rule in content["together"]:
        rule["above"]["EUR"] = LARGE
    content["slack"]["up_to"]["EUR"] = IN_SLACK
    yaml.dump(content, file)
