"""The words of `tower model`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

models = typer.Typer(help="How well texts are read, with and without a model.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@models.command("evaluate")
def model_evaluate(
    data: Annotated[Path | None, typer.Option(help="The folder of public data; TOWER_DATA when left out.")] = None,
    part: Annotated[str, typer.Option(help="Part of the labelled sentences: train, dev or test.")] = "test",
    limit: Annotated[int, typer.Option(help="How many texts of each set a model reads.", min=1)] = 100,
    json: Json = False,
) -> None:
    """Print precision and recall of reading labelled texts, by the paper and by the model that is configured."""
    from desk.model_evaluate import evaluate

    evaluate(data, part, limit, json=json)


@models.command("clusters")
def model_clusters(
    source: Annotated[
        str, typer.Option(help="shop, or a kind and a path as in folder:PATH; several joined by +.")
    ] = "shop",
    mapping: Annotated[str | None, typer.Option(help="Mapping file, or the name of a shipped one.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="A moment.")] = None,
    json: Json = False,
) -> None:
    """Show what customers lately mean of a product, more often than they used to, and whose it is."""
    from desk.clusters import show_clusters

    show_clusters(source, mapping, as_of, json=json)
