"""Expire webhooks: what later ones have overtaken goes, and what is old enough stays without who it is about.

The newest that is known of an order stays for good: an order whose payment was taken away would look unpaid.
"""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from control_tower.errors import SourceError
from control_tower.ledger import Ledger
from control_tower.ledger.orders_at_stake import held_orders, open_orders
from control_tower.markdown import inert
from control_tower.nouns import Noun
from control_tower.settings import Settings
from control_tower.webhooks.folder import ReceivingFolder
from control_tower.webhooks.groups import Event, Received, changed, rows_of
from control_tower.webhooks.nameless import nameless
from control_tower.webhooks.places import received
from policies.retention import retention


class ExpiredWebhooks(Noun):
    """What was let go of webhooks, or would be."""

    overtaken: int = 0
    """Events that went, because later ones tell the same and more."""
    nameless: int = 0
    """Events that stay without the people in them."""
    held: int = 0
    """Events that a legal hold covers."""
    left: int = 0
    """Events that would have told something else without the people in them, and stay as they are."""
    unread: tuple[str, ...] = ()
    """Folders that no source could read, and why."""

    @property
    def markdown(self) -> str:
        """The counts, for the artifact."""
        left = f", {self.left:,} left as they are" if self.left else ""
        return (
            f"{self.overtaken:,} webhooks that later ones have overtaken, and who {self.nameless:,} are about;"
            f" {self.held:,} webhooks are held{left}{''.join(f'; {inert(each)}' for each in self.unread)}"
        )


@dataclass
class DueWebhooks:
    """What of each folder is due."""

    overtaken: list[tuple[Received, Event]] = field(default_factory=list)
    named: list[tuple[Received, Event]] = field(default_factory=list)
    """With their contents as they are to be."""
    held: int = 0
    left: int = 0
    unread: list[str] = field(default_factory=list)

    def told(self) -> ExpiredWebhooks:
        """The counts."""
        counts = {"overtaken": len(self.overtaken), "nameless": len(self.named), "held": self.held, "left": self.left}
        return ExpiredWebhooks(**counts, unread=tuple(self.unread))


def expire_webhooks(found: DueWebhooks) -> None:
    """Do what is due. Killed between two files, the next night does the rest."""
    for folder, event in found.overtaken:
        ReceivingFolder(folder.place).let_go(event.file.name)
    for folder, event in found.named:
        put(folder, event)


def put(folder: Received, event: Event) -> None:
    """Write an event's changed content in its place."""
    (content,) = event.contents
    ReceivingFolder(folder.place).put(event.file.name, json.dumps(content, ensure_ascii=False).encode())


def webhooks_due(tower: Settings, ledger: Ledger, now: datetime) -> DueWebhooks:
    """Find what is due at a moment; nothing is changed."""
    due, held, busy = DueWebhooks(), held_orders(ledger), open_orders(ledger)
    for folder in received(tower):
        try:
            for group in folder.groups():
                _look_at(folder, group, due, held, busy, now)
        except SourceError as fault:
            due.unread.append(str(fault))
    return due


def _look_at(
    folder: Received, group: Sequence[Event], due: DueWebhooks, held: Set[str], busy: Set[str], now: datetime
) -> None:
    paper = retention()
    orders = {str(row.get("order_id")) for row in rows_of(folder.told(group))}
    if orders & held:
        due.held += sum(event.ours for event in group)
        return
    gone = folder.overtaken(group, now - paper.period("overtaken_webhooks"))
    due.overtaken += [(folder, event) for event in gone]
    rest = [event for event in group if event not in gone]
    if max(event.at for event in rest) > now - paper.period("webhooks") or orders & busy:
        return
    after = changed(rest, partial(nameless, folder.source))
    fresh = [event for event, before in zip(after, rest, strict=True) if event != before]
    if folder.same_but(rest, after, {*paper.personal.identifying, *paper.personal.words}):
        due.named += [(folder, event) for event in fresh]
    else:
        due.left += len(fresh)
