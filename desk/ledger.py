"""`tower ledger`: of which revision the ledger is; bring it to this release's, or take it back to an older one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from control_tower.settings import settings
from desk.show import as_json, out, printable

if TYPE_CHECKING:
    from control_tower.ledger.migrations import Moved, Plan

ledgers = typer.Typer(
    help="Show the revision of the ledger's tables; upgrade it, or take it back.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@ledgers.command("version")
def version(json: Json = False) -> None:
    """Show the revision of the ledger, and the one that this release needs."""
    from control_tower.ledger.revisions import HEAD, revision_at

    found = revision_at(settings().ledger)
    if json:
        as_json({"ledger": found, "release": HEAD, "at_head": found == HEAD})
        return
    said = {None: "there is no ledger yet; the first run makes it", "": "of a release that did not mark it yet"}
    out.print(f"ledger: {said.get(found, found)}\nthis release: {HEAD}", highlight=False)


@ledgers.command("upgrade")
def upgrade(
    check: Annotated[bool, typer.Option("--check", help="Show what it would do, and change nothing.")] = False,
    make: Annotated[
        bool, typer.Option("--make", help="Make it where there is none yet, as the first run does.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring the ledger to this release's revision; on SQLite a copy of before stays beside it."""
    from control_tower.ledger import migrations, open_ledger
    from control_tower.ledger.revisions import revision_at

    if make and not check and revision_at(settings().ledger) is None:
        open_ledger(settings().ledger)
    if check:
        _show_plan(migrations.planned(settings().ledger), json=json)
    else:
        _show_moved(migrations.upgrade(settings().ledger), json=json)


@ledgers.command("downgrade")
def downgrade(
    revision: Annotated[str, typer.Argument(help="The revision that the older release needs, as in 0001.")],
    lose: Annotated[bool, typer.Option("--lose", help="Let rows go that have no place there.")] = False,
    json: Json = False,
) -> None:
    """Take the ledger back to an older revision, before the older release is installed again."""
    from control_tower.ledger import migrations

    _show_moved(migrations.downgrade(settings().ledger, revision, lose=lose), json=json)


def _show_plan(plan: Plan, *, json: bool) -> None:
    """What an upgrade would do; exits with 1 where it would do anything, as `tower deploy --check` does."""
    if json:
        as_json({"from": plan.found, "to": plan.to, "marked": plan.marked, "nothing_to_do": plan.nothing})
    elif plan.nothing:
        out.print(f"the ledger is at {plan.to}: nothing to do", highlight=False)
    else:
        out.print(f"the ledger is as written, and would go from {plan.found} to {plan.to}", highlight=False)
    if not plan.nothing:
        raise SystemExit(1)


def _show_moved(moved: Moved, *, json: bool) -> None:
    plan = moved.plan
    if json:
        copy = str(moved.copy) if moved.copy else None
        as_json({"from": plan.found, "to": plan.to, "rows_signed_anew": moved.signed, "lost": plan.lost, "copy": copy})
    elif plan.nothing:
        out.print(f"the ledger is at {plan.to}: nothing to do", highlight=False)
    else:
        what = f"the ledger went from {plan.found} to {plan.to}; {moved.signed:,} rows are in its journal anew"
        kept = f"\nas it was before: {moved.copy}" if moved.copy else ""
        out.print(printable(what + kept), markup=False, highlight=False, soft_wrap=True)
