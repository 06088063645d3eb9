"""The `tower` command: its words, and how it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from control_tower.errors import (
    AlreadyRuled,
    BrokenChain,
    ContractBreach,
    LedgerError,
    NoAuthority,
    NotFound,
    NotProved,
    ReplayDiffers,
    SettingError,
    TowerError,
    let_go,
)
from desk.approvers import approvers
from desk.audit_commands import audits
from desk.breakers import breakers
from desk.contract_commands import contracts
from desk.kept import kept
from desk.ledger import ledgers
from desk.model_commands import models
from desk.policy_commands import policies
from desk.recover import recovery
from desk.rungs import rungs
from desk.shops import OnlyShop
from desk.slack_desk.command import slack
from desk.token import token

app = typer.Typer(
    name="tower",
    help="Evidence first, then a person, then the money.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(approvers, name="approver")
app.add_typer(breakers, name="breaker")
app.add_typer(rungs, name="rungs")
app.add_typer(contracts, name="contract")
app.add_typer(kept, name="kept")
app.add_typer(audits, name="audit")
app.add_typer(ledgers, name="ledger")
app.add_typer(recovery, name="recover")
app.add_typer(policies, name="policy")
app.add_typer(slack, name="slack")
app.add_typer(models, name="model")

# What scripts can tell apart. Anything unexpected is Python's own 1.
EXITS: dict[type[TowerError], int] = {
    ContractBreach: 3,
    NotProved: 4,
    NoAuthority: 4,
    AlreadyRuled: 5,
    NotFound: 6,
    BrokenChain: 7,
    ReplayDiffers: 8,
}

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Name = Annotated[str, typer.Option("--as", envvar="TOWER_APPROVER", help="Your enrolled name.")]


@app.command()
def run(
    lane: Annotated[str, typer.Argument(help="The lane, as in fulfilment.")],
    source: Annotated[
        str, typer.Option(help="shop, shop:ID, or a kind and a path as in folder:PATH; several by +.")
    ] = "shop",
    mapping: Annotated[str | None, typer.Option(help="Mapping file, or the name of a shipped one.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="A moment: 2018-09-03T18:00, or with an offset.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Find and score; open nothing.")] = False,
    only_changed: Annotated[
        bool, typer.Option("--only-changed", help="Look at what changed since the last look, and what time may move.")
    ] = False,
    all_daily: Annotated[
        bool, typer.Option("--all-daily", help="With --only-changed: at everything once on each of the shop's days.")
    ] = False,
    all_shops: Annotated[
        bool, typer.Option("--all-shops", help="Look at every shop that the lane watches, side by side.")
    ] = False,
    shop: Annotated[
        list[str] | None, typer.Option("--shop", help="Look at this shop; several, given again, side by side.")
    ] = None,
    json: Json = False,
) -> None:
    """Run a lane once, now."""
    if all_shops or shop:
        if source != "shop" or mapping or all_daily or (all_shops and shop):
            what = "shops have their sources in the shops' file, and are named or all"
            remedy = "--all-shops or --shop, with --as-of, --dry-run or --only-changed"
            raise SettingError(what, where="tower run", remedy=remedy)
        from desk.run_shops import run_in_shops

        run_in_shops(lane, shop or [], as_of, dry_run=dry_run, only_changed=only_changed, json=json)
        return
    from desk.run import run_lane

    run_lane(
        lane, source, mapping, as_of, dry_run=dry_run, json=json, only_changed=only_changed, all_daily=all_daily
    )  # fmt: skip


@app.command()
def queue(
    limit: Annotated[int, typer.Option(help="How many cases to show.")] = 20,
    shop: OnlyShop = "",
    json: Json = False,
) -> None:
    """Show open cases by priority, and the proposals that wait for a person."""
    from desk.cases import show_queue

    show_queue(limit, json=json, shop=shop)


@app.command()
def case(
    id: Annotated[str, typer.Argument(help="A case id, a proposal id, or the beginning of one.")],
    prompts: Annotated[bool, typer.Option("--prompts", help="Show what was sent to models about it instead.")] = False,
    json: Json = False,
) -> None:
    """Show one case: findings, evidence, proposals, rulings, effects, history."""
    if prompts:
        from desk.models import show_prompts

        show_prompts(id, json=json)
        return
    from desk.cases import show_case

    show_case(id, json=json)


@app.command()
def note(
    id: Annotated[str, typer.Argument(help="A case id, a proposal id, or the beginning of one.")],
    language: Annotated[str, typer.Option(help="en, pt or es.")] = "en",
    tone: Annotated[str, typer.Option(help="plain or warm.")] = "plain",
    text: Annotated[Path | None, typer.Option(help="Your own wording, to be checked in place of the draft.")] = None,
    json: Json = False,
) -> None:
    """Draft what the customer of a case may be told, or check your own wording of it; nothing is sent."""
    from desk.notes import show_note

    show_note(id, language, tone, text, json=json)


@app.command()
def dispute(
    id: Annotated[str, typer.Argument(help="The dispute's id, as its source names it.")],
    source: Annotated[
        str, typer.Option(help="shop, shop:ID, or a kind and a path as in folder:PATH; several by +.")
    ] = "shop",
    mapping: Annotated[str | None, typer.Option(help="Mapping file, or the name of a shipped one.")] = None,
    json: Json = False,
) -> None:
    """Show the evidence form of a dispute: each field filled from evidence, or listed as missing."""
    from desk.disputes import show_dispute

    show_dispute(id, source, mapping, json=json)


@app.command()
def approve(
    approver: Name,
    ids: Annotated[list[str] | None, typer.Argument(help="The ids of one proposal, or of several.")] = None,
    reason: Annotated[str, typer.Option(help="Why, if you want it kept.")] = "",
    code: Annotated[str, typer.Option(help="One of the reasons of policies/authority.yaml.")] = "",
    amount: Annotated[str | None, typer.Option(help="Less than was proposed, as in 49.90; of one proposal.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that wait, of one action.")] = False,
    action: Annotated[str | None, typer.Option(help="With --all: refund, reship or hold.")] = None,
    up_to: Annotated[str | None, typer.Option(help="With --all: only amounts up to this, as in 49.90.")] = None,
    shop: Annotated[str, typer.Option("--shop", help="With --all: only of this shop.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before several are approved.")] = False,
    json: Json = False,
) -> None:
    """Approve a proposal, or several, one ruling each. Your token is read from TOWER_TOKEN, or asked for."""
    _rule(ids or [], "approve", approver, reason, code, amount, action if all_ else None, up_to, yes, json, shop)


@app.command()
def reject(
    approver: Name,
    reason: Annotated[str, typer.Option(help="Why; a rejection needs words.")],
    ids: Annotated[list[str] | None, typer.Argument(help="The ids of one proposal, or of several.")] = None,
    code: Annotated[str, typer.Option(help="One of the reasons of policies/authority.yaml.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before several are rejected.")] = False,
    json: Json = False,
) -> None:
    """Reject a proposal, or several, with a reason."""
    _rule(ids or [], "reject", approver, reason, code, None, None, None, yes, json)


@app.command()
def reopen(
    approver: Name,
    id: Annotated[str, typer.Argument(help="A proposal that expired.")],
    reason: Annotated[str, typer.Option(help="Why it is asked once more.")],
    json: Json = False,
) -> None:
    """Ask once more about a proposal that expired; it is approved by nobody yet."""
    from desk.rule import reopen as ask_once_more

    ask_once_more(id, approver, token(), reason, json=json)


@app.command()
def undo(
    approver: Name,
    id: Annotated[str, typer.Argument(help="The effect, by its proposal's id, as `tower effects` shows it.")],
    reason: Annotated[str, typer.Option(help="Why it is to be taken back.")],
    json: Json = False,
) -> None:
    """Ask for the counter-action of an effect; somebody else rules on it."""
    from desk.undo import ask_to_undo

    ask_to_undo(id, approver, token(), reason, json=json)


def _rule(
    ids: list[str], verdict: str, approver: str, reason: str, code: str, amount: str | None,
    action: str | None, up_to: str | None, yes: bool, json: bool, shop: str = "",
) -> None:  # fmt: skip
    from desk.rule import chosen, rule_on, rule_on_many, total, what_is_approved
    from desk.show import err, printable

    if len(ids) == 1:
        if verdict == "approve":
            err.print(printable(what_is_approved(ids[0])), markup=False, highlight=False)
        rule_on(ids[0], verdict, approver, token(), reason, reason_code=code, amount=amount, json=json)
        return
    found = chosen(ids, action, up_to, shop)
    if amount is not None:
        raise LedgerError("an amount is for one proposal", remedy="rule on it alone")
    err.print(printable(f"{verdict}: {total(found)}"), markup=False, highlight=False)
    if not yes:
        typer.confirm("Go on?", abort=True, err=True)
    rule_on_many([each.digest for each in found], verdict, approver, token(), reason, reason_code=code, json=json)


@app.command()
def doctor(json: Json = False) -> None:
    """Look at every part of the tower, say how it is, and what to do where it is not well; changes nothing."""
    from desk.doctor import examine

    examine(json=json)


@app.command()
def effects(shop: OnlyShop = "", json: Json = False) -> None:
    """Show every effect and where it stands."""
    from desk.cases import show_effects

    show_effects(json=json, shop=shop)


@app.command()
def settle(json: Json = False) -> None:
    """Read the stores again for every effect that was sent and is not settled; calls nothing."""
    from desk.settle import settle_effects

    settle_effects(json=json)


@app.command()
def outbox(json: Json = False) -> None:
    """Show what was said, or waits to be said, to Slack."""
    from desk.cases import show_outbox

    show_outbox(json=json)


@app.command()
def metrics(
    once: Annotated[bool, typer.Option("--once", help="Print what a scrape would read now, and end.")] = False,
) -> None:
    """Serve what Prometheus reads, on loopback, until Ctrl-C."""
    from desk.metrics import print_metrics, serve_metrics

    print_metrics() if once else serve_metrics()


@app.command()
def webhooks() -> None:
    """Receive what shops, Stripe and carriers send, on loopback, until Ctrl-C; each is proved, and kept as a source."""
    from desk.webhooks import serve_webhooks

    serve_webhooks()


@app.command()
def up(
    orders: Annotated[
        int, typer.Option(help="Fill an empty embedded shop with so many orders; 0 leaves it empty.")
    ] = 1000,
) -> None:
    """Run server, worker and shop until Ctrl-C; Slack desk, metrics and webhooks where set up; say where to look."""
    from control_tower.settings import settings
    from desk.shop import open_shop
    from desk.up import up as run_all

    open_shop(orders)
    from desk.duties import deliver_messages, wake_ruled
    from desk.metrics import serve_metrics_beside
    from desk.slack_desk.serving import is_desk, serve_beside
    from desk.webhooks import serve_webhooks_beside

    beside = (
        *((serve_beside,) if is_desk() else ()),
        *((serve_metrics_beside,) if settings().metrics_port is not None else ()),
        *((serve_webhooks_beside,) if settings().webhooks_port is not None else ()),
    )
    run_all(every_minute=(wake_ruled, deliver_messages), beside=beside)


@app.command()
def deploy(
    check: Annotated[bool, typer.Option("--check", help="Show the difference and change nothing.")] = False,
    json: Json = False,
) -> None:
    """Make pools, queues, deployments and automations on the server what the files in deployments say."""
    from desk.deploy_show import show_deploy

    show_deploy(check=check, json=json)


@app.command()
def demo(
    orders: Annotated[int, typer.Option(help="How many orders the shop gets.")] = 2000,
    home: Annotated[Path | None, typer.Option(help="Where the demo keeps its state; made anew.")] = None,
    hostile: Annotated[bool, typer.Option("--hostile", help="Act at a store that lies, too.")] = False,
) -> None:
    """Fill a shop, run the lane, approve a refund, reject a reship, and show the money moved once."""
    from desk.demo import run_demo

    run_demo(orders, home, hostile=hostile)


@app.command("measure")
def measure(
    source: Annotated[
        str, typer.Option(help="shop, shop:ID, or a kind and a path as in folder:PATH; several by +.")
    ] = "shop",
    mapping: Annotated[str | None, typer.Option(help="Mapping file, or the name of a shipped one.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="A moment; nothing later is seen.")] = None,
    weeks: Annotated[int | None, typer.Option(help="How long the window is; 13 when left out.", min=1, max=104)] = None,
    by: Annotated[str, typer.Option(help="lane, owner, carrier, warehouse, product, week or approver.")] = "lane",
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page too.")] = None,
    json: Json = False,
) -> None:
    """Show what came of it by margin and service, against the time before."""
    from desk.measure import measure

    measure(source, mapping, as_of, weeks, by, html, json=json)


@app.command("replay")
def replay(
    run: Annotated[str | None, typer.Argument(help="The beginning of a flow run id; all runs when left out.")] = None,
    policy: Annotated[str | None, typer.Option(help="By another policy: returns@2, or a file.")] = None,
    sources: Annotated[bool, typer.Option("--sources", help="Read the sources again too.")] = False,
    this_code: Annotated[bool, typer.Option("--this-code", help="By this code, whatever code kept it.")] = False,
    json: Json = False,
) -> None:
    """Run the steps of a kept run again on what they were given, and show the first difference; nothing acts."""
    from desk.replay import replay_runs

    replay_runs(run, policy, sources=sources, this_code=this_code, json=json)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; errors are one line that says what to do, and an exit code that scripts can use."""
    try:
        app(arguments)
    except TowerError as fault:
        from desk.show import err, printable

        err.print(f"tower: {printable(str(fault))}", style="red", markup=False, highlight=False)
        let_go(fault)
        raise SystemExit(next((code for kind, code in EXITS.items() if isinstance(fault, kind)), 2)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader left, as in `tower queue | head`
        raise SystemExit(0) from None
