"""The words of `tower contract`."""

from __future__ import annotations

from typing import Annotated

import typer

contracts = typer.Typer(help="Test the data contracts, or show them as pages.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@contracts.command("test")
def contract_test(json: Json = False) -> None:
    """Check every contract file: its form, its rules, its columns."""
    from desk.contracts import test

    test(json=json)


@contracts.command("docs")
def contract_docs(
    lane: Annotated[str, typer.Argument(help="The lane whose evidence is checked.")] = "fulfilment",
    source: Annotated[
        str, typer.Option(help="shop, or a kind and a path as in folder:PATH; several joined by +.")
    ] = "shop",
    mapping: Annotated[str | None, typer.Option(help="Mapping file, or the name of a shipped one.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="A moment.")] = None,
) -> None:
    """Write the contracts, and how the evidence stands against them, as pages."""
    from desk.contracts import docs

    docs(lane, source, mapping, as_of)
