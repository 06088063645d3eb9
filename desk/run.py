"""`tower run`: one run of a lane, here and now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from control_tower.errors import SettingError
from control_tower.server import running_server, use
from control_tower.settings import Settings, settings
from control_tower.source_words import placed
from control_tower.sources import open_source
from desk.show import as_json, err, money, out, table

if TYPE_CHECKING:
    from tasks.report import LaneReport


def run_lane(
    name: str,
    source: str,
    mapping: str | None,
    as_of: str | None,
    *,
    dry_run: bool,
    json: bool,
    only_changed: bool = False,
    all_daily: bool = False,
) -> None:
    """Run a lane inside this process, on the tower's own Prefect server or the one that PREFECT_API_URL names."""
    tower = settings()
    moment = when(as_of, source, mapping, tower)
    if all_daily and not only_changed:
        raise SettingError("a look is at everything anyway", where="--all-daily", remedy="it goes with --only-changed")
    if only_changed:
        goes_on_from_the_last(as_of, dry_run)
    # This command tells a fault in one line; Prefect's tracebacks stay in its own log.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    use(tower)  # before anything imports Prefect
    from flows.lanes import find_flow

    watch = find_flow(name)
    chosen = _of_what_changed(name, all_daily) if only_changed else {}
    with running_server(tower), watching(f"{name} on {source}"):
        if not dry_run:
            from desk.deploy import deploy

            deploy(tower)  # the runs that will wait for people belong to a deployment
        given = {"source": placed(source), "mapping": mapping_file(mapping), "as_of": moment, "dry_run": dry_run}
        found = watch(**given, **chosen)
    if json:
        as_json(found.model_dump(mode="json", exclude={"dry_run", "looked_back"}))
        return
    _show(found)


def goes_on_from_the_last(as_of: str | None, dry_run: bool) -> None:
    """Return if a look can go on from the one before it.

    Raises:
        SettingError: it is one that is always at everything.
    """
    if as_of is not None or dry_run:
        other, what = ("--dry-run", "a dry run") if as_of is None else ("--as-of", "a look at the past")
        raise SettingError(f"{what} is at everything", where=f"--only-changed {other}", remedy="leave one of them out")


def _of_what_changed(name: str, all_daily: bool) -> dict[str, bool]:
    """What a lane's flow is told, to look at what changed alone.

    Raises:
        SettingError: the lane always looks at everything; names those that do not.
    """
    from flows.lanes import can_look_at_changes, lanes

    if not can_look_at_changes(name):
        able = ", ".join(filter(can_look_at_changes, lanes()))
        what = f"{name} compares what it looks at, and looks at everything"
        raise SettingError(what, where="--only-changed", remedy=f"leave it out; {able} can look at what changed")
    return {"only_changed": True, "all_daily": all_daily}


def when(as_of: str | None, source: str, mapping: str | None, tower: Settings) -> datetime | None:
    """A moment from text; one without an offset is in the shop's time zone.

    Raises:
        SettingError: it is no moment.
    """
    if as_of is None:
        return None
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError as fault:
        raise SettingError(
            f"{as_of!r} is no moment",
            where="--as-of",
            remedy="as in 2018-09-03T18:00 or 2018-09-03T18:00-03:00",
        ) from fault
    if moment.tzinfo:
        return moment
    return moment.replace(tzinfo=ZoneInfo(open_source(source, mapping, tower).shop.time_zone))


@contextmanager
def watching(what: str) -> Iterator[None]:
    """A spinner on standard error, when a person watches."""
    if not err.is_terminal:
        yield
        return
    with err.status(what):
        yield


def mapping_file(mapping: str | None) -> str | None:
    """A mapping file by its full path; the name of a shipped one as it is; several joined by `+` alike."""
    if mapping is None or Path(mapping).is_file():
        return mapping and str(Path(mapping).resolve())
    return "+".join(str(Path(one).resolve()) if Path(one).is_file() else one for one in mapping.split("+"))


def _show(found: LaneReport) -> None:
    out.print(f"{found.lane} as of {found.as_of:%Y-%m-%d %H:%M} UTC · run {found.run_id}", highlight=False)
    table(
        "Evidence",
        ("table", "accepted", "quarantined"),
        [(name, f"{rows:,}", f"{found.quarantined[name]:,}") for name, rows in found.accepted.items()],
        right=("accepted", "quarantined"),
    )
    if found.absent or found.untold:
        missing = ", ".join((*found.absent, *found.untold))
        out.print(f"the source does not tell of {missing}: what rests on it is unknown", highlight=False)
    table(
        "Findings",
        ("kind", "yes", "unknown"),
        [(kind, f"{answers.yes:,}", f"{answers.unknown:,}") for kind, answers in found.findings.items()],
        right=("yes", "unknown"),
    )
    table(
        "Proposals",
        ("action", "count", "amount"),
        [(action, f"{each.count:,}", money(each.amount)) for action, each in found.proposals.items()],
        right=("count", "amount"),
    )
    if found.advice:
        table(
            "Advice",
            ("measure", "count"),
            [(action, f"{count:,}") for action, count in found.advice.items()],
            right=("count",),
        )
    if found.rung == "observe":
        out.print(f"{found.lane} stands on observe: nothing was opened, and nobody was asked or told")
    elif found.dry_run:
        out.print("a dry run: nothing was opened")
    elif found.looked_back:
        out.print("a look back: a newer view of this shop is in the book, so nothing was opened or closed")
    else:
        if found.looked_at is not None:
            out.print(f"orders looked at: {found.looked_at:,}, of what changed and what time may move", highlight=False)
        elif found.why_all:
            out.print(f"everything was looked at: {found.why_all}", highlight=False)
        out.print(f"cases: {found.cases.opened} opened, {found.cases.updated} updated, {found.cases.closed} closed")
        out.print("tower queue shows them")
