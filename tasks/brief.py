"""Brief: what a person needs to see before ruling, rendered by code from the evidence alone."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.nouns import Advice, Case, Proposal, Told, told_once
from control_tower.stores.protocol import undoing

SHOWN = 20


def brief(case: Case, proposals: tuple[Proposal, ...] = ()) -> str:
    """A case as markdown: what is proposed, what was found, from which values, and what is missing.

    The proposal comes first, for on a small screen Prefect's form shows only the first lines of it.
    No model is asked; `source: template` says so.
    """
    risk = case.risk
    facts = [
        f"{risk.severity} · {escape(case.team)}{f' · {escape(case.owner)}' if case.owner else ''}"
        f" · due {_moment(risk.due_at)}"
        + (f" · {risk.money} at risk" if risk.money else "")
        + f" · policy {risk.policy}",
        "",
    ]
    told = told_once(case.findings)
    found = [line for one in told[:SHOWN] for line in _finding(one, of_many=len(case.subjects) > 1)]
    if len(told) > SHOWN:
        found.append(f"- and {len(told) - SHOWN} more findings")
    if len(case.subjects) > len(case.evidence.facts):
        found.append(f"- shown of {len(case.evidence.facts)} of {len(case.subjects):,} {escape(case.about)}s")
    proposed = [
        f"- **{p.action}** order {escape(p.order_id)}{f', {p.money}' if p.money else ''}: {escape(p.reason)} (`{p.id}`)"
        f". {undoing(p.action)}"
        for p in proposals[:SHOWN]
    ]
    if proposed:
        proposed.append("")
    found += _asked(case)
    advised = [line for one in case.advice[:SHOWN] for line in _advised(one)]
    if advised:
        advised = ["", "Advised, and theirs to do who own it:", "", *advised]
    source = f"_evidence as of {_moment(case.evidence.as_of)}; source: template_"
    return "\n".join([*proposed, f"## {escape(case.title)}", "", *facts, *found, *advised, "", source])


def _asked(case: Case) -> list[str]:
    """What is missing, by whom to ask for it."""
    owners: dict[str, dict[str, None]] = {}
    for finding in case.findings:
        for name, owner in finding.ask.items():
            owners.setdefault(owner, {})[name] = None
    lines = [f"- {escape(owner)}: {', '.join(map(escape, sorted(owners[owner])))}" for owner in sorted(owners)]
    return ["", "Missing, and whom to ask:", "", *lines] if lines else []


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _finding(told: Told, *, of_many: bool) -> list[str]:
    finding = told.finding
    of = f", {escape(told.named)}" if of_many else ""
    seen = ", ".join(f"{escape(name)} = {escape(str(value))}" for name, value in finding.values.items())
    lines = [
        f"- **{finding.kind.replace('_', ' ')}** ({finding.answer}{of}): {escape(finding.sentence)}",
        f"  - from {seen}",
    ]
    if finding.missing:
        lines.append(f"  - missing: {', '.join(map(escape, finding.missing))}")
    return lines


def _advised(advice: Advice) -> list[str]:
    seen = ", ".join(f"{escape(name)} = {escape(str(value))}" for name, value in advice.evidence.items())
    prior = escape(str(advice.prior))
    return [
        f"- **{advice.action.value.replace('_', ' ')}** ({escape(advice.owner)}, until {_moment(advice.expires_at)}):"
        f" {escape(advice.reason)}",
        *(
            [f"  - {escape(advice.prior_of)} was {prior}; to undo it: {escape(advice.counter)}"]
            if advice.counter
            else []
        ),
        f"  - from {seen}",
    ]


def escape(text: str) -> str:
    """Text from outside, made inert in markdown and HTML, and short."""
    visible = "".join(ch if ch.isprintable() else " " for ch in text[:500])
    for mark in "\\`*_[]<>#|!&":
        visible = visible.replace(
            mark, f"\\{mark}" if mark not in "<>&" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[mark]
        )
    return visible
