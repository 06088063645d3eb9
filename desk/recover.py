"""`tower recover`: how far a restored ledger is behind the archive and the stores, and answering for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from control_tower.ledger.proofs import Token
from control_tower.settings import settings
from desk.show import as_json, err, out, printable, table
from desk.token import token

if TYPE_CHECKING:
    from tasks.recover import Apart

recovery = typer.Typer(
    help="After a restore: show what the ledger lost, and answer for it.", invoke_without_command=True
)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
SHOWN = 50


@recovery.callback()
def show(context: typer.Context, json: Json = False) -> None:
    """Compare the ledger with the archive and the stores; changes nothing. Ends with 1 where it is behind."""
    if context.invoked_subcommand:
        return
    from rich.progress import Progress

    from tasks.recover import apart

    with Progress(console=err, transient=True) as shown:
        asked = shown.add_task("asking the stores", total=None)
        found = apart(settings(), lambda number: shown.advance(asked, number))
    if json:
        as_json(found.model_dump(mode="json"))
    else:
        _tell(found)
    if not found.nothing:
        raise SystemExit(1)


@recovery.command("accept")
def accept(
    approver: Annotated[str, typer.Option("--as", envvar="TOWER_APPROVER", help="Your enrolled name.")],
    reason: Annotated[str, typer.Option(help="Why the ledger is behind, as in which backup was restored.")],
    json: Json = False,
) -> None:
    """Write down what the stores did, and answer for what the ledger lost; takes a keeper."""
    from tasks.recover import accept as answer

    found = answer(settings(), Token(approver, token()), reason, datetime.now(UTC))
    if json:
        as_json(found.model_dump(mode="json"))
        return
    _tell(found)
    if not found.nothing:
        _line(f"{approver} answers for it; what was ruled in that time is asked again, but for what is done")


def _tell(found: Apart) -> None:
    for each in found.unread:
        _line(f"could not be read: {each}")
    if found.nothing:
        _line("the ledger is behind neither the archive nor the stores")
        return
    if found.since and found.until:
        _line(
            f"{len(found.records)} kept records of {found.runs} runs, from {found.since:%Y-%m-%d %H:%M} to"
            f" {found.until:%Y-%m-%d %H:%M} UTC, are unknown to the ledger: it was restored from before them"
        )
    if found.rulings:
        ruled = [(each.proposal[:12], each.said) for each in found.rulings[:SHOWN]]
        table("Rulings that were lost, and are void", ("proposal", "what was ruled"), ruled)
    if found.found:
        rows = [
            (each.proposal.digest[:12], each.proposal.action.value, each.proposal.order_id, each.recorded.reference)
            for each in found.found[:SHOWN]
        ]
        table("Done by a store, and still asked about", ("proposal", "action", "order", "store's reference"), rows)


def _line(text: str) -> None:
    out.print(printable(text), markup=False, highlight=False, soft_wrap=True)
