"""What `tower up` is in a simulated week: the same, by schedules of its own, and with minutes that pass sooner.

Usage: tower.py SCHEDULES, a file as deployments/prefect.yaml.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import desk.deploy
import desk.up
from control_tower.slack import outbox
from desk.slack_desk import serving

SOON = 1.0  # seconds; a minute of these clocks is over before anything real has taken one
POSTS = 60 * outbox.POSTS  # messages a minute, where a minute lasts a second


def by_schedules(file: Path) -> None:
    """From now on this process deploys what is in that file."""
    desk.deploy.deploy = partial(desk.deploy.deploy, file=file)  # type: ignore[assignment]


def main() -> None:
    """Be `tower up` until told to stop."""
    by_schedules(Path(sys.argv[1]))
    desk.up.MINUTE = SOON
    serving.TURN = SOON
    outbox.Outbox.__init__.__kwdefaults__["posts_a_minute"] = POSTS
    serving.serve.__kwdefaults__["turn"] = SOON
    from desk.command import up

    up(orders=0)


if __name__ == "__main__":
    main()
