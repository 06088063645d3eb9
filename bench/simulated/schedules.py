"""The schedules of a simulated week: those of deployments/prefect.yaml, sparser where two cores ask for it."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

REAL = Path(__file__).parents[2] / "deployments" / "prefect.yaml"
OFTEN = {"*/5 * * * *": "0 * * * *", "*/15 * * * *": "0 * * * *", "2-57/5 * * * *": "2 * * * *"}
"""What runs every few minutes finds nothing new between two jumps of the clock."""


def write_schedules(file: Path, every: int) -> int:
    """Write them; a lane looks in every so many hours, at the last minute that it has in the real file.

    So all of them look in the same hour, between two jumps of the clock, and what breaks in it breaks any of them.

    Returns:
        How many schedules there are.
    """
    yaml = YAML(typ="safe")
    content = yaml.load(REAL.read_text())
    number = 0
    for deployment in content["deployments"]:
        for schedule in deployment["schedules"]:
            cron = OFTEN.get(schedule["cron"], schedule["cron"])
            if deployment["name"].startswith("watch-"):
                cron = sparser(cron, every)
                # Whole looks: the account counts every row that is there.
                deployment["parameters"] = {"source": deployment["parameters"]["source"]}
            schedule["cron"] = cron
            number += 1
    yaml.dump(content, file)
    return number


def sparser(cron: str, every: int) -> str:
    """The last minute of a cron expression, in every so many hours."""
    minute = cron.split()[0].split(",")[-1].replace("*/30", "30")
    return f"{minute} */{every} * * *" if every > 1 else f"{minute} * * * *"
