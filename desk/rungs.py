"""`tower rungs`: on which rung every lane stands, and why; let one rise that has earned it, or let one fall."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from control_tower.ledger import open_ledger
from control_tower.ledger.proofs import Token
from control_tower.settings import settings
from desk.shops import Shop, one_of_them
from desk.show import as_json, out, printable, table
from desk.token import token

if TYPE_CHECKING:
    from tasks.standing import Standing

rungs = typer.Typer(help="Show on which rung every lane stands, and why; move one.", invoke_without_command=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Lane = Annotated[str, typer.Argument(help="The lane, as in fulfilment.")]
Name = Annotated[str, typer.Option("--as", envvar="TOWER_APPROVER", help="Your enrolled name.")]
Why = Annotated[str, typer.Option("--reason", help="Why.")]


@rungs.callback()
def show(context: typer.Context, json: Json = False) -> None:
    """Show on which rung every lane stands, what it has shown there, and what it lacks to rise."""
    if context.invoked_subcommand:
        return
    from flows.lanes import lanes
    from tasks.standing import standing
    from tasks.weigh import places_of

    now = datetime.now(UTC)
    found = [(lane, shop, standing(lane, now, shop)) for lane, shop in places_of(settings(), lanes())]
    if json:
        as_json([_told(lane, shop, each) for lane, shop, each in found])
        return
    columns = ("lane", "stands on", "allowed up to", "record", "next", "why it stands there")
    rows = [
        (
            f"{lane} in {shop}" if shop else lane,
            each.rung,
            each.policy.rung,
            each.record,
            _next(lane, shop, each),
            each.why,
        )
        for lane, shop, each in found
    ]
    table("Rungs", columns, rows)


def _place(lane: str, shop: str) -> str:
    return f"{lane} in {shop}" if shop else lane


def _next(lane: str, shop: str, stands: Standing) -> str:
    if stands.rises_to is None:
        return "-"
    lacks = "; ".join(stands.lacks)
    there = f" --shop {shop}" if shop else ""
    return f"{stands.rises_to}: lacks {lacks}" if lacks else f"{stands.rises_to}: `tower rungs promote {lane}{there}`"


def _told(lane: str, shop: str, stands: Standing) -> dict[str, object]:
    return {
        "lane": lane,
        "shop": shop or None,
        "policy": stands.policy.reference,
        "stands_on": stands.rung,
        "allowed_up_to": stands.policy.rung,
        "record": stands.record.model_dump(mode="json"),
        "rises_to": stands.rises_to,
        "lacks": stands.lacks,
        "why": stands.why,
        "moved_at": stands.moved.at.isoformat() if stands.moved else None,
        "moved_by": stands.moved.by if stands.moved else None,
    }


@rungs.command("promote")
def promote(lane: Lane, approver: Name, reason: Why, shop: Shop = "") -> None:
    """Let a lane rise to its next rung; refused, with what it lacks, where it has not earned it."""
    _move(lane, shop, approver, reason, rise=True)


@rungs.command("demote")
def demote(lane: Lane, approver: Name, reason: Why, shop: Shop = "") -> None:
    """Let a lane fall by one rung, now; any enrolled person may."""
    _move(lane, shop, approver, reason, rise=False)


def _move(lane: str, shop: str, approver: str, reason: str, *, rise: bool) -> None:
    from flows.lanes import find_lane
    from tasks import standing
    from tasks.weigh import MEANS, tell_of_rungs

    find_lane(lane)  # a lane that is misspelt would move nothing
    tower = settings()
    one_of_them(shop, tower)
    ledger = open_ledger(tower.ledger)
    move = standing.promote if rise else standing.demote
    rung = move(ledger, lane, Token(approver, token()), reason, datetime.now(UTC), shop)
    tell_of_rungs(ledger, tower, [(lane, shop)])
    out.print(
        printable(f"{lane} stands{f' in {shop}' if shop else ''} on {rung}: {MEANS[rung]}"),
        markup=False,
        highlight=False,
    )
