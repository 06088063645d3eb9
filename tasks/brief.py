"""Brief: what a person needs to see before ruling, rendered by code from the evidence alone."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.nouns import Case, Finding, Proposal

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
    found = [line for finding in case.findings[:SHOWN] for line in _finding(finding)]
    if len(case.findings) > SHOWN:
        found.append(f"- and {len(case.findings) - SHOWN} more findings")
    proposed = [
        f"- **{p.action}** order {escape(p.order_id)}{f', {p.money}' if p.money else ''}: {escape(p.reason)} (`{p.id}`)"
        for p in proposals[:SHOWN]
    ]
    if proposed:
        proposed = ["Proposed, and waiting for a person:", "", *proposed, ""]
    source = f"_evidence as of {_moment(case.evidence.as_of)}; source: template_"
    return "\n".join([f"## {escape(case.title)}", "", *proposed, *facts, *found, "", source])


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _finding(finding: Finding) -> list[str]:
    seen = ", ".join(f"{escape(name)} = {escape(str(value))}" for name, value in finding.values.items())
    lines = [
        f"- **{finding.kind.replace('_', ' ')}** ({finding.answer}): {escape(finding.sentence)}",
        f"  - from {seen}",
    ]
    if finding.missing:
        lines.append(f"  - missing: {', '.join(map(escape, finding.missing))}")
    return lines


def escape(text: str) -> str:
    """Text from outside, made inert in markdown and HTML, and short."""
    visible = "".join(ch if ch.isprintable() else " " for ch in text[:500])
    for mark in "\\`*_[]<>#|!&":
        visible = visible.replace(
            mark, f"\\{mark}" if mark not in "<>&" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[mark]
        )
    return visible
