"""The words of `tower policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

policies = typer.Typer(help="Lint, test, explain and backtest what the business decided.", no_args_is_help=True)
OfShop = Annotated[str, typer.Option("--shop", help="As a shop of the tower's file has them.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@policies.command("lint")
def policy_lint(
    names: Annotated[list[str] | None, typer.Argument(help="Policies or files; all that are shipped.")] = None,
    examples: Annotated[bool, typer.Option("--examples", help="Show each counterexample as an example.")] = False,
    shop: OfShop = "",
    json: Json = False,
) -> None:
    """Prove that policies have no gaps, overlaps, dead rows or holes, or show the record that falls in."""
    from desk.policy_lint import lint_policies

    lint_policies(names or [], json=json, examples=examples, shop=shop)


@policies.command("test")
def policy_test(
    names: Annotated[list[str] | None, typer.Argument(help="Policies or files; all that are shipped.")] = None,
    shop: OfShop = "",
    json: Json = False,
) -> None:
    """Run the situations that the business wrote beside its policies."""
    from desk.policies import test

    test(names or [], json=json, shop=shop)


@policies.command("explain")
def policy_explain(
    id: Annotated[str, typer.Argument(help="A case id, a proposal id, or the beginning of one.")],
    json: Json = False,
) -> None:
    """Show which rule said what of a case, from which values, and what would have to change."""
    from desk.policies import explain

    explain(id, json=json)


@policies.command("backtest")
def policy_backtest(
    policy: Annotated[str, typer.Argument(help="A policy, a version as in returns@2, or a changed file.")],
    since: Annotated[str, typer.Option(help="The first day whose kept evidence is decided again.")],
    until: Annotated[str, typer.Option(help="The last day.")],
    against: Annotated[str | None, typer.Option(help="The version to compare with; the one in force then.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw what moves, as .png or .svg.")] = None,
    shop: OfShop = "",
    json: Json = False,
) -> None:
    """Decide the kept evidence of past runs again under a changed policy, and show what would move."""
    from desk.policy_backtest import backtest

    backtest(policy, since, until, against, plot, json=json, shop=shop)
