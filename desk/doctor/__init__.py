"""`tower doctor`: every part of the tower, how it is, and what to do where it is not well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from pydantic import ValidationError
from pydantic_settings import SettingsError

from control_tower.settings import Settings, settings
from desk.doctor.book import artifacts, ledger, policies
from desk.doctor.finding import Finding, Looking, looked
from desk.doctor.machine import disk, traces, variables, versions
from desk.doctor.model import model
from desk.doctor.outside import hands, slack
from desk.doctor.prefect_server import prefect_server
from desk.doctor.shops import shops
from desk.doctor.webhooks import webhooks
from desk.show import as_json, table

UNWELL = 2


def examine(*, json: bool) -> None:
    """Everything, as a table; ends with 2 where a part is not well. Nothing is changed but one artifact written."""
    found = [*looked("versions", versions), *looked("settings", partial(variables, os.environ))]
    tower, wrong = _settings()
    found += wrong
    if tower:
        found += _parts(tower)
    unwell = [each for each in found if each.remedy]
    if json:
        parts = [{"part": each.part, "is": each.found, "what_to_do": each.remedy or None} for each in found]
        as_json({"well": not unwell, "parts": parts})
    else:
        table("Control Tower", ("part", "is", "what to do"), [(p, found, remedy or "-") for p, found, remedy in found])
    if unwell:
        raise SystemExit(UNWELL)


def _settings() -> tuple[Settings | None, list[Finding]]:
    """The settings, or which of them make no sense: their names, and never what they are set to."""
    try:
        return settings(), []
    except SettingsError as fault:  # one that should be JSON, and is none; it says which, and not what it holds
        return None, [Finding("settings", str(fault).partition(" from source")[0], "write it as JSON")]
    except ValidationError as fault:
        wrong = fault.errors(include_input=False, include_context=False, include_url=False)
        return None, [
            Finding(f"setting TOWER_{str(each['loc'][0]).upper()}", "makes no sense", str(each["msg"]))
            for each in wrong
        ]


def _parts(tower: Settings) -> Iterator[Finding]:
    """All that needs settings: whoever may keep us waiting is asked at once, in a thread of its own."""
    yield Finding("home", str(tower.folder))
    looks = {"disk": disk, "ledger": ledger, "artifacts": artifacts, "traces": traces, "slack": slack, "stores": hands}
    looks["webhooks"] = webhooks
    asked = [Looking(part, partial(look, tower)) for part, look in looks.items()]
    yield from looked("policies", policies)
    yield from looked("shops", partial(shops, tower))
    # Prefect's client keeps its settings with the thread that it was first used in.
    yield from looked("prefect server", partial(prefect_server, tower))
    for each in asked:
        yield from each.findings()
    yield from looked("model", partial(model, tower))
