"""What a shop has of its own, wherever a case or a notice is about one: its policies, and its channel."""

from __future__ import annotations

from control_tower.nouns import Case
from control_tower.settings import Settings, settings
from control_tower.shops import settings_at
from policies import version
from policies.document import Document


def version_of(case: Case) -> Document:
    """The very version that judged a case, with what its shop laid over it.

    Raises:
        PolicyError: that version is gone.
    """
    return version(case.risk.policy, settings_at(case.shop, settings()).policies)


def channel_of(shop: str, tower: Settings) -> str:
    """Where a shop is told of, if that is not where the tower is; empty if it is."""
    channel = settings_at(shop, tower).slack_channel
    return "" if channel == tower.slack_channel else channel
