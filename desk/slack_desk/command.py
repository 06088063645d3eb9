"""`tower slack`: its words."""

from __future__ import annotations

from typing import Annotated

import typer

slack = typer.Typer(help="Slack as a desk.", no_args_is_help=True)


@slack.command("listen")
def listen() -> None:
    """Hear buttons and forms in Slack, and rule on them, until Ctrl-C."""
    from desk.slack_desk.serving import listen

    listen()


@slack.command("check")
def check(json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False) -> None:
    """Say what is missing for Slack to be a desk: tokens, limit, scopes, channel, Socket Mode."""
    from desk.slack_desk.checking import check

    check(json=json)
