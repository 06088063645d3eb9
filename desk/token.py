"""Whose token a command is run with."""

from __future__ import annotations

import os

import typer


def token() -> str:
    """The personal token: from the environment or a hidden prompt, never an argument, which `ps` would show."""
    return os.environ.get("TOWER_TOKEN") or str(typer.prompt("Your token", hide_input=True, err=True))
