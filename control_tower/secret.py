"""Secrets: from the environment, or from a Prefect block that the environment names."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from control_tower.errors import SettingError
from control_tower.redaction import remember

BLOCK = "prefect:"


def reveal(secret: SecretStr) -> str:
    """The secret itself, to be handed to nothing but the client that needs it; struck out wherever it is said.

    Args:
        secret: the text, or `prefect:NAME` for Prefect's Secret block of that name.

    Raises:
        SettingError: there is no such block, or it can't be read.
    """
    text = secret.get_secret_value()
    if not text.startswith(BLOCK):
        return remember(text)
    from prefect.blocks.system import Secret

    name = text.removeprefix(BLOCK)
    try:
        block: Any = Secret.load(name)
    except (ValueError, RuntimeError, OSError) as fault:
        remedy = f"make it: prefect block create secret, named {name}"
        raise SettingError(f"no Secret block {name!r} could be read: {type(fault).__name__}", remedy=remedy) from None
    return remember(str(block.get()))
