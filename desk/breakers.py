"""`tower breaker`: whose hands are stopped; stop a lane's hands, or let them go on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from control_tower.ledger import open_ledger
from control_tower.ledger.caps import close_breaker, open_breakers, trip_by_hand
from control_tower.ledger.proofs import Token
from control_tower.settings import settings
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
    rows = [(row.lane, f"{row.tripped_at:%Y-%m-%d %H:%M} UTC", row.why) for row in found]
    table("Hands that are stopped", ("lane", "since", "why"), rows)


@breakers.command("trip")
def trip(lane: Lane, approver: Name, reason: Why) -> None:
    """Stop a lane's hands now; any enrolled person may."""
    from flows.lanes import find_lane
    from tasks.tell import tell_of_breakers

    find_lane(lane)  # a lane that is misspelt would stop nothing
    tower = settings()
    ledger = open_ledger(tower.ledger)
    trip_by_hand(ledger, lane, Token(approver, token()), reason, datetime.now(UTC))
    tell_of_breakers(ledger, tower)
    out.print(printable(f"the hands of {lane} are stopped"), markup=False, highlight=False)


@breakers.command("close")
def close(lane: Lane, approver: Name, reason: Why) -> None:
    """Let a lane's hands go on; what was approved meanwhile is carried out by the next sweep."""
    from tasks.authority import written_authority

    ledger = open_ledger(settings().ledger)
    close_breaker(ledger, lane, Token(approver, token()), written_authority(), reason, datetime.now(UTC))
    out.print(printable(f"the hands of {lane} go on"), markup=False, highlight=False)
