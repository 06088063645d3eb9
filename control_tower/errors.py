"""What can go wrong, in the trade's words. Every error says what, where, and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from rapidfuzz import process

from control_tower.redaction import redacted


class TowerError(Exception):
    """The root of every error that Control Tower raises on purpose.

    Args:
        what: the fault, as a sentence.
        where: the file, table, line or command that it concerns.
        remedy: what a person can do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = redacted(what), redacted(where), redacted(remedy)
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.remedy:
            parts.append(f"({self.remedy})")
        return " ".join(parts)


class SettingError(TowerError):
    """A setting is missing or makes no sense."""


class SourceError(TowerError):
    """A source could not be read. 'Could not read' is never 'empty'."""


class MappingError(SourceError):
    """A mapping names a file, column, table or value that is not there."""


class ContractError(TowerError):
    """A data contract is itself malformed, or asks for a rule that is not understood."""


class ContractBreach(TowerError):
    """A whole table breaks its contract; the lane stops before any case is touched."""

    def __init__(self, what: str, *, contract: str, owner: str, rule: str, remedy: str = "") -> None:
        self.contract, self.owner, self.rule = contract, owner, rule
        super().__init__(
            what,
            where=f"contract {contract}, rule {rule}",
            remedy=remedy or f"its owner is {owner}; no case was touched",
        )


class LooksFailed(TowerError):
    """A lane could not look at some of several shops; at the others it did.

    Args:
        why: shop to the reason.
        found: what came of all of them.
    """

    def __init__(self, lane: str, why: Mapping[str, str], found: object = None) -> None:
        self.found: Any = found
        said = "; ".join(f"{shop}: {reason}" for shop, reason in why.items())
        super().__init__(said, where=f"{lane} did not look at {', '.join(why)}", remedy="the others were looked at")


class PolicyError(TowerError):
    """A policy is malformed: names the file, the line and the nearest right name."""


class LedgerError(TowerError):
    """The ledger could not do what was asked of it."""


class NotFound(LedgerError):
    """No such case, proposal, run or approver."""


class NotProved(TowerError):
    """A person's identity was claimed and not proved."""


class NoAuthority(TowerError):
    """No ruling in the ledger covers this action. Nothing was done."""


class AuthorityLost(NoAuthority):
    """Whoever approved it may not any more. Nothing was done, and it is asked again."""


class CapReached(NoAuthority):
    """What was approved would go over a cap. Nothing was done, and the ruling is void."""


class NotEarned(TowerError):
    """A lane has not earned the rung that it was to be promoted to; says what it lacks."""


class HandsStopped(TowerError):
    """A breaker stopped a lane's hands. Nothing was done; it goes on when a person closes the breaker."""


class AlreadyRuled(TowerError):
    """Somebody else ruled first; says who, when and how."""


class Stale(TowerError):
    """What a proposal rested on has changed since; its ruling is void."""


class StoreError(TowerError):
    """A store refused, or its answer could not be understood."""


class MessageRefused(TowerError):
    """A text may not be sent to a customer; says what in it, and why."""


class OutcomeUnknown(StoreError):
    """A call to a store ended without an answer: it may or may not have happened."""


class StoreBusy(OutcomeUnknown):
    """A store asked us to come again later. That it did nothing is what it says, not what is known."""


class OutOfTime(TowerError):
    """A run has gone on for longer than its deployment gives it; it ends between two steps."""


class ServerError(TowerError):
    """The Prefect server can't be reached, or does not agree with its client."""


class KeepingError(TowerError):
    """What was kept can't be handed out, or may not be taken away."""


class BrokenChain(TowerError):
    """A kept record, frame or noun is not what was kept."""


class ReplayDiffers(TowerError):
    """A step that was run again on what it was given gave something else."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence offering the nearest known name, or the names there are when none is near."""
    names = sorted(known)
    match = process.extractOne(name, names, score_cutoff=60)
    if match:
        return f"did you mean {match[0]!r}?"
    return f"there are: {', '.join(names[:12])}" if names else "there are none"


def let_go(fault: BaseException) -> None:
    """Drop what was under way where a fault was raised: Prefect holds the last one, and with it tables in memory and
    DuckDB's connection, of which DuckDB complains when the process ends."""
    chained: BaseException | None = fault
    while chained:
        traceback.clear_frames(chained.__traceback__)
        chained = chained.__context__
