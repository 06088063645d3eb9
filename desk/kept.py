"""`tower kept`: how long what was kept stays, what is held, and striking a person out of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from control_tower.ledger import open_ledger
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.holds import place_hold, release_hold, standing_holds
from control_tower.ledger.proofs import Token
from control_tower.settings import settings
from desk.shops import Shop, one_of_them
from desk.show import as_json, out, printable, table
from desk.token import token

kept = typer.Typer(help="How long what was kept stays, what is held, and who is erased.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Name = Annotated[str, typer.Option("--as", envvar="TOWER_APPROVER", help="Your enrolled name.")]
Why = Annotated[str, typer.Option("--reason", help="Why.")]
Case = Annotated[str, typer.Argument(help="A case id, or the beginning of one.")]


@kept.command("holds")
def holds(json: Json = False) -> None:
    """Show what is held, by whom and why."""
    found = standing_holds(open_ledger(settings().ledger))
    if json:
        as_json([row.model_dump(mode="json") for row in found])
        return
    if not found:
        out.print("nothing is held", markup=False)
        return
    rows = [(row.case_id, row.placed_by, f"{row.placed_at:%Y-%m-%d}", row.why) for row in found]
    table("Legal holds", ("case", "by", "since", "why"), rows)


@kept.command("hold")
def hold(case: Case, approver: Name, reason: Why) -> None:
    """Hold all that was kept about a case, whatever its age, until it is released."""
    from tasks.authority import written_authority

    ledger = open_ledger(settings().ledger)
    row = dossier(ledger, case).row
    place_hold(ledger, row.id, Token(approver, token()), written_authority(row.shop), reason, datetime.now(UTC))
    out.print(printable(f"what was kept about case {row.id} is held"), markup=False, highlight=False)


@kept.command("release")
def release(case: Case, approver: Name, reason: Why) -> None:
    """Release a case; from then on its age counts."""
    from tasks.authority import written_authority

    ledger = open_ledger(settings().ledger)
    row = dossier(ledger, case).row
    release_hold(ledger, row.id, Token(approver, token()), written_authority(row.shop), reason, datetime.now(UTC))
    out.print(printable(f"case {row.id} is released"), markup=False, highlight=False)


@kept.command("expire")
def expire(
    check: Annotated[bool, typer.Option("--check", help="Show what would go, and take nothing away.")] = False,
    json: Json = False,
) -> None:
    """Let go of what was kept for longer than policies/retention.yaml says; each night `tower up` does."""
    from control_tower.server import running_server, use

    tower = settings()
    use(tower)  # before anything imports Prefect
    from control_tower.keeping.step import open_archive
    from flows.expire_kept import expire_kept
    from tasks.expire_kept import expiring, told
    from tasks.expire_webhooks import webhooks_due

    if check:
        ledger, now = open_ledger(tower.ledger), datetime.now(UTC)
        webhooks = webhooks_due(tower, ledger, now).told()
        found = told(ledger, expiring(open_archive(tower.artifacts), ledger, now), webhooks=webhooks)
    else:
        with running_server(tower):
            found = expire_kept()
    if json:
        as_json(found.model_dump(mode="json"))
        return
    from rich.markdown import Markdown

    out.print(Markdown(printable(f"{'would let' if check else 'let'} go: {found.markdown}")))


@kept.command("erase")
def erase(
    customer: Annotated[str, typer.Argument(help="The customer's id, as orders have it.")],
    approver: Name,
    reason: Why,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    shop: Shop = "",
    json: Json = False,
) -> None:
    """Strike a customer out of all that was kept and said; it can't be undone. Erase them in the shop first."""
    from control_tower.server import running_server, use
    from desk.run import watching

    tower = settings()
    one_of_them(shop, tower)
    use(tower)  # before anything imports Prefect
    if not yes:
        typer.confirm(f"Strike customer {customer} out for good?", abort=True, err=True)
    proof = Token(approver, token())
    from control_tower.pause.forgetting import forget_runs
    from tasks.erase import erase as strike_out

    with watching(f"striking {customer} out"):
        found = strike_out(customer, proof, reason, shop=shop)
    with running_server(tower):
        forgotten = forget_runs(found.runs)
    if json:
        as_json(found.model_dump(mode="json") | {"forgotten_runs": forgotten})
        return
    told = (
        f"{found.files:,} files, {found.webhooks:,} webhooks, {found.rows:,} rows and {forgotten:,} paused runs;"
        f" {found.instead} stands for them"
    )
    out.print(printable(f"erased from {told}"), markup=False, highlight=False)
