"""A simulated week of a shop: schedules, approvals and rulings by simulated people, while things break.

PostgreSQL, Prefect's server, `tower up`, an emulated Slack and the people live by one simulated clock, which jumps
from hour to hour. In each hour the worker is killed while it works; Slack is down for one; PostgreSQL is restarted
twice. At the end an account is made, of checks that can fail.

    python bench/week.py --orders 200 --days 1
    python bench/week.py --orders 50000 --days 7 --look-every 4 --folder /somewhere/with/room
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from simulated.clock import can_be_simulated, live_by_one

MONDAY = "2026-11-02T00:00"


def main() -> None:
    """Live the week, print the account, and exit with 1 where it does not add up."""
    given = _arguments()
    if why := can_be_simulated():
        sys.exit(why)
    folder = given.folder or Path(os.environ.get("SIMULATED_WEEK") or tempfile.mkdtemp(prefix="week-"))
    os.environ["SIMULATED_WEEK"] = str(folder)
    folder.mkdir(exist_ok=True, mode=0o755)
    folder.chmod(0o755)  # PostgreSQL runs as somebody else
    clock = live_by_one(folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all that was started is ended
    from simulated.plan import Size
    from simulated.week import Week

    begins = datetime.fromisoformat(given.begins).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    size = Size(given.orders, given.days, begins.astimezone(ZoneInfo("UTC")), given.seed)
    account = Week(size, folder, clock, given.look_every, given.hours).live()
    (folder / "account.json").write_text(json.dumps(account, indent=1, default=str))
    print(json.dumps(account, indent=1, default=str) if given.json else account["table"])
    sys.exit(1 if account["wrong"] else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=200, help="orders a day")
    parser.add_argument("--days", type=int, default=1, help="days that the shop is planned for")
    parser.add_argument("--hours", type=int, help="hours that are lived; all of the days, when left out")
    parser.add_argument("--begins", default=MONDAY, help="in the shop's time zone")
    parser.add_argument("--look-every", type=int, default=1, help="hours between two looks of a lane")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where everything is kept; a new one, when left out")
    parser.add_argument("--json", action="store_true", help="print the account as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
