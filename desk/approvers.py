"""`tower approver`: enrol, list, renew and revoke the people who may rule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, TextIO, cast

import typer
from sqlalchemy import select
from sqlmodel import col

from control_tower.authority import ALL_SHOPS
from control_tower.errors import LedgerError, nearest
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.approvers import ROLE, Credentials, answer_for, enrol, revoke, rotate
from control_tower.ledger.slack_users import enrol_slack_user, read_slack_user
from control_tower.ledger.tables import ApproverRow
from control_tower.nouns import NO_SHOP
from control_tower.settings import settings
from desk.shops import those_named
from desk.show import as_json, out, table

approvers = typer.Typer(help="Enrol, list, renew and revoke the people who may rule.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Shops = Annotated[
    list[str] | None,
    typer.Option("--shop", help="A shop of the tower's file that they rule for; several, given again; or all."),
]
SECRET = {"token_hash", "code_secret", "code_count"}


@approvers.command("add")
def add(
    name: str,
    email: Annotated[str, typer.Option(help="Where they are reached.")] = "",
    role: Annotated[
        list[str] | None, typer.Option(help="A role of policies/authority.yaml; several, given again.")
    ] = None,
    slack: Annotated[str, typer.Option(help="TEAM/USER in Slack, as in T0123ABCD/U0456EFGH.")] = "",
    customer: Annotated[
        list[str] | None, typer.Option(help="An id under which they buy here: they never rule on such an order.")
    ] = None,
    shop: Shops = None,
    json: Json = False,
) -> None:
    """Enrol a person: a token and one-time codes, shown once."""
    roles = tuple(role or (ROLE,))
    _known(roles)
    shops = those_named(shop or (), settings())
    who = read_slack_user(slack) if slack else None
    ledger, now = _ledger(), datetime.now(UTC)
    given = enrol(ledger, name, now, email=email, roles=roles, customers=tuple(customer or ()), shops=shops)
    if who:
        enrol_slack_user(ledger, name.strip(), who, now)
    _show_once(name.strip(), given, json=json)


@approvers.command("list")
def show(json: Json = False) -> None:
    """Show who is enrolled, the revoked included."""
    with _ledger().read() as session:
        rows = list(session.scalars(select(ApproverRow).order_by(col(ApproverRow.name))))
    if json:
        as_json([row.model_dump(exclude=SECRET) for row in rows])
        return
    table(
        "Approvers",
        ("name", "roles", "shops", "enrolled", "token until", "revoked"),
        [
            (r.name, ", ".join(r.roles), _named(r.shops), r.enrolled_at, r.token_expires_at, r.revoked_at or "-")
            for r in rows
        ],
    )


@approvers.command("shops")
def for_shops(name: str, shop: Shops = None) -> None:
    """Let an enrolled person rule for these shops, and no others, from now on."""
    shops = those_named(shop or (), settings())
    answer_for(_ledger(), name, shops, datetime.now(UTC))
    out.print(f"{name} rules for {_named(shops)} from now on", markup=False, highlight=False)


def _named(shops: Sequence[str]) -> str:
    return "all shops" if ALL_SHOPS in shops else ", ".join(shops)


@approvers.command("slack")
def in_slack(name: str, user: Annotated[str, typer.Argument(help="TEAM/USER, as in T0123ABCD/U0456EFGH.")]) -> None:
    """Let an enrolled person rule in Slack, as that user."""
    who = read_slack_user(user)
    enrol_slack_user(_ledger(), name, who, datetime.now(UTC))
    out.print(f"{name} may rule in Slack as {who.team}/{who.user}", markup=False, highlight=False)


@approvers.command("rotate")
def renew(name: str, json: Json = False) -> None:
    """Give a person a new token and new one-time codes; the old ones end now."""
    _show_once(name.strip(), rotate(_ledger(), name, datetime.now(UTC)), json=json)


@approvers.command("revoke")
def end(name: str) -> None:
    """End a person's authority at once."""
    revoke(_ledger(), name, datetime.now(UTC))
    out.print(f"{name} rules no more; approvals of theirs that have not acted will not", markup=False)


def _ledger() -> Ledger:
    return open_ledger(settings().ledger)


def _known(roles: tuple[str, ...]) -> None:
    from tasks.authority import written_authority

    there = written_authority(NO_SHOP).roles
    for role in roles:
        if role not in there:
            raise LedgerError(f"there is no role {role!r}", remedy=nearest(role, there) or f"one of {', '.join(there)}")


def _show_once(name: str, given: Credentials, *, json: bool) -> None:
    if json:
        as_json({"name": name, "token": given.token, "codes": given.code_address, "expires_at": given.expires_at})
        return
    import segno

    out.print(f"{name} may rule until {given.expires_at:%Y-%m-%d}. Shown this once; the token:", markup=False)
    out.print(given.token, markup=False, highlight=False, soft_wrap=True)
    out.print("export TOWER_APPROVER and TOWER_TOKEN, or type it when asked. One-time codes, for Prefect's form:")
    segno.make(given.code_address, error="m").terminal(cast("TextIO", out.file), compact=True)
    out.print(given.code_address, markup=False, highlight=False, soft_wrap=True)
