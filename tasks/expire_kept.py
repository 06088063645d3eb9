"""Expire: let go of what was kept longer than the policy of retention says, and of nothing that is held."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from control_tower.keeping import Archive
from control_tower.keeping.expiring import FOREVER, Due, due
from control_tower.keeping.step import open_archive, step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.holds import held_runs, standing_holds
from control_tower.ledger.letting_go import erased_files, note_let_go, run_ages
from control_tower.model.calls import forget_prompts
from control_tower.nouns import Noun
from control_tower.settings import settings
from control_tower.slack.kept_messages import messages_said
from policies.retention import retention
from tasks.expire_webhooks import ExpiredWebhooks, expire_webhooks, webhooks_due

NO_WEBHOOKS = ExpiredWebhooks()


class Expired(Noun):
    """What was let go, or would be: files and bytes by shelf, runs that something of was let go, and prompts."""

    files: dict[str, int]
    bytes: int
    loose: int
    runs: int
    prompts: int
    held: int
    """Runs that a legal hold covers."""
    webhooks: ExpiredWebhooks = NO_WEBHOOKS
    policy: str

    @property
    def markdown(self) -> str:
        """The counts, for the artifact."""
        files = ", ".join(f"{count:,} {shelf}" for shelf, count in self.files.items()) or "no files"
        return (
            f"{files} of {self.runs:,} runs, {self.loose:,} loose files and {self.prompts:,} prompts: "
            f"{self.bytes / 1e6:,.1f} MB, by {self.policy}; {self.held:,} runs are held;"
            f" {self.webhooks.markdown}"
        )


@step(touches="the archive")
def expire(now: datetime) -> Expired:
    """Write down what may be gone from now on, and then take the files away; killed between, the next one goes on."""
    tower = settings()
    ledger, archive = open_ledger(tower.ledger), open_archive(tower.artifacts)
    found = expiring(archive, ledger, now)
    if found.runs:
        note_let_go(ledger, found.runs, retention().reference, now)
    for address in (*found.files, *found.loose):
        archive.remove(address)
    prompts = forget_prompts(ledger, now - retention().period("prompts"), _held_cases(ledger))
    webhooks = webhooks_due(tower, ledger, now)
    expire_webhooks(webhooks)
    return told(ledger, found, prompts, webhooks.told())


def expiring(archive: Archive, ledger: Ledger, now: datetime) -> Due:
    """What is due; nothing is taken away."""
    paper, held = retention(), _held_cases(ledger)
    messages = {one.address: FOREVER if one.case_id in held else one.at for one in messages_said(ledger)}
    left_behind = min(now, datetime.now(UTC)) - timedelta(days=paper.loose_days)
    return due(
        archive, run_ages(ledger), held_runs(ledger), erased_files(ledger), messages, paper.period,
        left_behind, now,
    )  # fmt: skip


def told(ledger: Ledger, found: Due, prompts: int = 0, webhooks: ExpiredWebhooks = NO_WEBHOOKS) -> Expired:
    """What is due, in counts."""
    return Expired(
        files=dict(sorted(Counter(shelf for shelf, _, _ in found.files).items())),
        bytes=found.size,
        loose=len(found.loose),
        runs=len(found.runs),
        prompts=prompts,
        held=len(held_runs(ledger)),
        webhooks=webhooks,
        policy=retention().reference,
    )


def _held_cases(ledger: Ledger) -> set[str]:
    return {row.case_id for row in standing_holds(ledger)}
