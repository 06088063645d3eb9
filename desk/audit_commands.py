"""The words of `tower audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

audits = typer.Typer(help="Walk what was kept, and hand it to an auditor.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@audits.command("verify")
def audit_verify(
    run: Annotated[str | None, typer.Argument(help="A flow run id; all runs and the ledger when left out.")] = None,
    json: Json = False,
) -> None:
    """Walk the chain of a run, or of every run and then the ledger row by row, and check every file."""
    from desk.audit import verify

    verify(run, json=json)


@audits.command("export")
def audit_export(
    case: Annotated[str, typer.Argument(help="The first characters of a case's id, or of a proposal's.")],
    to: Annotated[Path | None, typer.Option(help="The ZIP to write; case-ID.zip when left out.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="With every kept file of its runs, of others too.")] = False,
    json: Json = False,
) -> None:
    """Write all of one case into one signed file that can be checked without this software."""
    from desk.audit_export import export

    export(case, to, whole=whole, json=json)


@audits.command("key")
def audit_key(json: Json = False) -> None:
    """Show the public key that bundles are signed with, and its fingerprint, for an auditor to compare."""
    from desk.audit_export import show_key

    show_key(json=json)
