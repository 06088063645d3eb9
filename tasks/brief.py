"""Brief: what a person needs to see before ruling, rendered by code from the evidence alone.

What was prepared says which evidence comes first and what is quoted. Every word and number is written here.
"""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.markdown import inert
from control_tower.model.briefs import Brief
from control_tower.model.why import Why
from control_tower.nouns import Advice, Answer, Case, Proposal, Told, told_once
from control_tower.stores.protocol import undoing
from policies.meanings import meanings

SHOWN = 20


def brief(case: Case, proposals: tuple[Proposal, ...] = (), prepared: Brief | None = None) -> str:
    """A case as markdown: what is proposed, what was found, from which values, and what is missing.

    The proposal comes first, for on a small screen Prefect's form shows only the first lines of it.
    No model is asked here. Its last line says who chose what comes first: a model, or a template, and why.

    Args:
        prepared: what a model, or the template, chose; every finding is told whether or not it is in it.
    """
    risk = case.risk
    facts = [
        f"{risk.severity} · {inert(case.team)}{f' · {inert(case.owner)}' if case.owner else ''}"
        f" · due {_moment(risk.due_at)}"
        + (f" · {risk.money} at risk" if risk.money else "")
        + f" · policy {risk.policy}",
        "",
    ]
    told = told_once(case.findings)
    points = prepared.points if prepared else ()
    found = [
        line
        for id, one in _in_order(told[:SHOWN], points)
        for line in _finding(one, id, points, of_many=len(case.subjects) > 1)
    ]
    if len(told) > SHOWN:
        found.append(f"- and {len(told) - SHOWN} more findings")
    if len(case.subjects) > len(case.evidence.facts):
        found.append(f"- shown of {len(case.evidence.facts)} of {len(case.subjects):,} {inert(case.about)}s")
    proposed = [
        f"- **{p.action}** order {inert(p.order_id)}{f', {p.money}' if p.money else ''}: {inert(p.reason)} (`{p.id}`)"
        f". {undoing(p.action)}"
        for p in proposals[:SHOWN]
    ]
    if proposed:
        proposed.append("")
    found += _clauses(case) + _said(case, prepared) + _asked(case, prepared)
    advised = [line for one in case.advice[:SHOWN] for line in _advised(one)]
    if advised:
        advised = ["", "Advised, and theirs to do who own it:", "", *advised]
    source = f"_evidence as of {_moment(case.evidence.as_of)}; source: {_source(prepared)}_"
    return "\n".join([*proposed, f"## {inert(case.title)}", "", *facts, *found, *advised, "", source])


def _source(prepared: Brief | None) -> str:
    if prepared and prepared.source == "model":
        return f"what comes first was chosen by {inert(prepared.model)}; every sentence is the rules' own"
    why = prepared.why if prepared else Why.not_configured.value
    return f"template, because {Why(why).words}" if why else "template"


def _in_order(told: list[Told], points: tuple[str, ...]) -> list[tuple[str, Told]]:
    """Findings by the place at which they, or a fact of theirs, are first pointed at; the others after them."""
    places: dict[str, int] = {}
    for place, point in enumerate(points):
        places.setdefault(point.partition(".")[0], place)
    named = [(f"F{number}", one) for number, one in enumerate(told, 1)]
    return sorted(named, key=lambda pair: places.get(pair[0], len(points)))


def _clauses(case: Case) -> list[str]:
    """The clauses that what was found rests on."""
    cited = {
        str(value)
        for finding in case.findings
        for name, value in finding.values.items()
        if name.endswith("_clause") and value is not None and finding.answer is Answer.yes
    }
    return ["", f"By {', '.join(map(inert, sorted(cited)[:SHOWN]))}"] if cited else []


def _said(case: Case, prepared: Brief | None) -> list[str]:
    """What somebody outside wrote, in their words, and what that was read as."""
    if not prepared or not prepared.quotes:
        return []
    quoted = [
        f"- {inert(one.written_by)}, {inert(one.subject)}: “{inert(one.text)}”{_read_as(one.read_as)}"
        for one in prepared.quotes[:SHOWN]
    ]
    read = [f"- given as the reason: {inert(prepared.reason.replace('_', ' '))}"] if prepared.reason else []
    return ["", "In their words, which prove nothing by themselves:", "", *quoted, *read]


def _read_as(meaning: str) -> str:
    known = meanings().by_id.get(meaning)
    return f" (reads as: {inert(known.means)})" if known else ""


def _asked(case: Case, prepared: Brief | None) -> list[str]:
    """What is missing, by whom to ask for it."""
    owners: dict[str, dict[str, None]] = {}
    chosen = prepared.missing if prepared else {}
    for name, owner in (*chosen.items(), *(pair for finding in case.findings for pair in finding.ask.items())):
        owners.setdefault(owner, {})[name] = None
    lines = [f"- {inert(owner)}: {', '.join(map(inert, sorted(owners[owner])))}" for owner in sorted(owners)]
    return ["", "Missing, and whom to ask:", "", *lines] if lines else []


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _finding(told: Told, id: str, points: tuple[str, ...], *, of_many: bool) -> list[str]:
    finding = told.finding
    of = f", {inert(told.named)}" if of_many else ""
    first = [point.partition(".")[2] for point in points if point.startswith(f"{id}.")]
    names = [name for name in dict.fromkeys((*first, *finding.values)) if name in finding.values]
    seen = ", ".join(f"{inert(name)} = {inert(str(finding.values[name]))}" for name in names)
    lines = [
        f"- **{finding.kind.replace('_', ' ')}** ({finding.answer}{of}): {inert(finding.sentence)}",
        f"  - from {seen}",
    ]
    if finding.missing:
        lines.append(f"  - missing: {', '.join(map(inert, finding.missing))}")
    return lines


def _advised(advice: Advice) -> list[str]:
    seen = ", ".join(f"{inert(name)} = {inert(str(value))}" for name, value in advice.evidence.items())
    prior = inert(str(advice.prior))
    return [
        f"- **{advice.action.value.replace('_', ' ')}** ({inert(advice.owner)}, until {_moment(advice.expires_at)}):"
        f" {inert(advice.reason)}",
        *([f"  - {inert(advice.prior_of)} was {prior}; to undo it: {inert(advice.counter)}"] if advice.counter else []),
        f"  - from {seen}",
    ]
