"""Whom the tower talks to: Slack, and the stores with hands. Each is asked to be read, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import SecretStr

from control_tower.errors import StoreError
from control_tower.secret import BLOCK
from control_tower.settings import Settings
from control_tower.stores import open_store
from desk.doctor.finding import Finding

NOBODY = "0"
"""An order that no store has: it is asked for, and nothing comes of it."""


def slack(tower: Settings) -> Iterator[Finding]:
    """What stands between this tower and a Slack desk, if one is set up."""
    from desk.slack_desk.checking import FOR_RULINGS, findings

    if tower.slack_token is None:
        yield Finding("slack", "not set up (TOWER_SLACK_TOKEN): messages go to the console")
        return
    for what, remedy in findings(tower):
        optional = tower.slack_app_token is None and what in FOR_RULINGS
        is_there = "no; people rule elsewhere" if optional and remedy else "no" if remedy else "yes"
        yield Finding(f"slack: {what}", is_there, "" if optional else remedy)


def hands(tower: Settings) -> Iterator[Finding]:
    """Each store that may act, asked for what it recorded on an order that is not there."""
    yield from _asked("stripe", "stripe:", tower.stripe_key, tower)
    yield from _asked("shopify", "shopify:", tower.shopify_shop and tower.shopify_token, tower)
    if tower.hands:
        key = tower.vendure_key if tower.hands == "vendure" else tower.medusa_key
        yield from _asked(tower.hands, "folder:", key, tower, wanted=True)
    else:
        yield Finding("store vendure, medusa", "not asked: TOWER_HANDS is not set")


def _asked(
    name: str, source: str, key: SecretStr | str | None, tower: Settings, *, wanted: bool = False
) -> Iterator[Finding]:
    part = f"store {name}"
    if not isinstance(key, SecretStr):
        remedy = f"set TOWER_{name.upper()}_KEY and TOWER_{name.upper()}_URL, or unset TOWER_HANDS" if wanted else ""
        yield Finding(part, "not asked: no key is set", remedy)
    elif key.get_secret_value().startswith(BLOCK):
        yield Finding(part, "not asked: its key is in a Prefect block, which workers read")
    else:
        try:
            open_store(source, tower).effects("asked by tower doctor", NOBODY)
        except StoreError as fault:
            yield Finding(part, fault.what, fault.remedy or "see whether it runs, and docs/stores.md")
        else:
            yield Finding(part, "can be read")
