"""`tower breaker`: whose hands are stopped; stop a lane's hands, or let them go on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from control_tower.ledger import open_ledger
from control_tower.ledger.caps import close_breaker, open_breakers, trip_by_hand
from control_tower.ledger.proofs import Token
from control_tower.settings import settings
from control_tower.shops import find_shop
from desk.shops import EVERY, Shop
from desk.show import as_json, out, printable, table
from desk.token import token

breakers = typer.Typer(help="Stop a lane's hands, or let them go on; its eyes are never stopped.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Lane = Annotated[str, typer.Argument(help="The lane, as in fulfilment.")]
Name = Annotated[str, typer.Option("--as", envvar="TOWER_APPROVER", help="Your enrolled name.")]
Why = Annotated[str, typer.Option("--reason", help="Why.")]


@breakers.command("list")
def show(json: Json = False) -> None:
    """Show whose hands are stopped, since when and why."""
    found = open_breakers(open_ledger(settings().ledger))
    if json:
        as_json([row.model_dump(mode="json") for row in found])
        return
    if not found:
        out.print("no hands are stopped", markup=False)
        return
    rows = [(row.lane, row.shop or "all", f"{row.tripped_at:%Y-%m-%d %H:%M} UTC", row.why) for row in found]
    table("Hands that are stopped", ("lane", "shop", "since", "why"), rows)


@breakers.command("trip")
def trip(lane: Lane, approver: Name, reason: Why, shop: Shop = "") -> None:
    """Stop a lane's hands now, in one shop or in all; any enrolled person of the shop may."""
    from flows.lanes import find_lane
    from tasks.tell import tell_of_breakers

    find_lane(lane)  # a lane that is misspelt would stop nothing
    tower = settings()
    if shop:
        find_shop(shop, tower)  # nor would a shop
    ledger = open_ledger(tower.ledger)
    trip_by_hand(ledger, lane, Token(approver, token()), reason, datetime.now(UTC), shop)
    tell_of_breakers(ledger, tower)
    out.print(
        printable(f"the hands of {lane} are stopped{f' in {shop}' if shop else ''}"), markup=False, highlight=False
    )


@breakers.command("close")
def close(lane: Lane, approver: Name, reason: Why, shop: Shop = "") -> None:
    """Let a lane's hands go on; what was approved meanwhile is carried out by the next sweep."""
    from tasks.authority import written_authority

    ledger = open_ledger(settings().ledger)
    open_in = [row.shop for row in open_breakers(ledger) if row.lane == lane]
    where = {EVERY: "", "": open_in[0] if len(open_in) == 1 else None}.get(shop, shop)
    known = written_authority(where or "")
    close_breaker(ledger, lane, Token(approver, token()), known, reason, datetime.now(UTC), where)
    out.print(printable(f"the hands of {lane} go on{f' in {shop}' if shop else ''}"), markup=False, highlight=False)
