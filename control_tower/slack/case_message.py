"""The one message of a case, as it stands: what is known, what is proposed, and where a person rules on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from control_tower.nouns import Advice, Answer, Case, Finding, Proposal, Told, Verdict, told_once
from control_tower.slack.escape import inert
from control_tower.slack.parts import Message, Part, as_message, as_part, at_risk, due, facts, moment_in, whose, words
from control_tower.stores.protocol import HANDS, Undo

RULE = "tower:"  # what the ids of our buttons begin with
BUTTONS = 5  # proposals of one message that have buttons; `tower case` shows the others
_MATTERS = {Answer.yes: 0, Answer.unknown: 1, Answer.no: 2}


def case_message(
    case: Case,
    proposals: Sequence[Proposal],
    standing: str,
    history: Sequence[str] = (),
    *,
    settled: Mapping[str, str] | None = None,
    time_zone: str = "UTC",
    thread: str | None = None,
    elsewhere: Callable[[Proposal], str] | None = None,
) -> Message:
    """The one message of a case, as it stands.

    Args:
        standing: open, waiting for a person, approved by X, rejected by X: reason, refunded, closed: reason.
        history: what happened to it, oldest first; the last five are shown.
        settled: what became of a proposal, by its digest or id; the others show their commands.
        time_zone: where due times are told, as in America/Sao_Paulo.
        thread: the key of the digest to hang under.
        elsewhere: why a proposal can't be ruled on in Slack, or nothing where it can; None when nobody
            listens to buttons, and so there are none.

    Raises:
        SettingError: there is no such time zone.
    """
    over = "closed with the case" if standing.startswith("closed") else ""
    settled = settled or {}
    became = {one.id: settled.get(one.digest) or settled.get(one.id) or over for one in proposals}
    asked = sorted(proposals, key=lambda one: bool(became[one.id]))
    evidence = _in_order(case.findings)
    look = f": `tower case {inert(case.id, 60)}`"
    room = 700 if case.advice else 1150  # Slack cuts a message that is longer than four thousand
    parts = [
        Part(_case_head(case, time_zone), 800),
        Part([f"*Standing:* {inert(standing, 280)}"], 340),
        as_part(evidence, lambda one: _sentence(one, len(case.subjects) > 1), room, "Evidence", look),
        as_part(case.advice, lambda one: _advised(one, time_zone), 900, "Advised", look),
        _asked(asked, became, elsewhere, room, look),
        as_part(history[::-1], lambda line: inert(line, 120), 450, "History, latest first", look),
    ]
    return as_message(f"case:{case.id}", parts, thread)


def _case_head(case: Case, time_zone: str) -> list[str]:
    return [
        f"*{inert(case.title, 200)}*",
        facts(case.risk.severity, whose(case), due(case, time_zone), at_risk(case)),
        facts(
            f"{inert(case.lane, 60)} at {inert(case.shop, 60)}",
            f"case {inert(case.id, 60)}",
            inert(case.risk.policy, 60),
        ),
    ]


def _in_order(findings: Sequence[Finding]) -> list[Told]:
    """What is proved, then what is unknown; a sentence that holds for several subjects is told once."""
    return sorted(told_once(findings), key=lambda told: _MATTERS[told.finding.answer])


def _sentence(told: Told, of_many: bool) -> str:
    finding = told.finding
    of = f"{inert(told.named, 200)}: " if of_many else ""
    needs = f" (needs evidence: {inert(', '.join(finding.missing), 100)})" if finding.missing else ""
    return f"{of}{inert(finding.sentence, 240)}{needs}"


def _advised(advice: Advice, time_zone: str) -> str:
    until = moment_in(advice.expires_at, time_zone)
    line = f"*{words(advice.action)}* · {inert(advice.owner, 60)} · until {until}: {inert(advice.reason, 240)}"
    if not advice.counter:
        return line
    prior = f"{inert(advice.prior_of, 60)} was {inert(str(advice.prior), 80)}"
    return f"{line}\n   {prior}; to undo it: {inert(advice.counter, 160)}"


def _asked(
    proposals: Sequence[Proposal],
    became: Mapping[str, str],
    elsewhere: Callable[[Proposal], str] | None,
    room: int,
    look: str,
) -> Part:
    """The proposals, with buttons under those that wait and may be ruled on here."""
    instead = {one.id: elsewhere(one) if elsewhere and not became[one.id] else "" for one in proposals}
    part = as_part(proposals, lambda one: _ask(one, became[one.id], instead[one.id]), room, "Proposals", look)
    open_here = [one for one in proposals if elsewhere and not became[one.id] and not instead[one.id]]
    # What is ruled on comes last, so the numbers of lines are those of proposals.
    return replace(part, buttons={proposals.index(one): ruling_buttons(one) for one in open_here[:BUTTONS]})


def ruling_buttons(proposal: Proposal) -> ActionsBlock:
    """Approve and Reject. They carry the digest of the proposal and nothing else."""
    return ActionsBlock(
        elements=[
            ButtonElement(
                text=f"{verdict.capitalize()} {proposal.action}",
                action_id=f"{RULE}{verdict}",
                value=proposal.digest,
                style=style,
            )
            for verdict, style in ((Verdict.approve, "primary"), (Verdict.reject, "danger"))
        ]
    )


def asked_for(proposal: Proposal) -> str:
    """What a proposal would do, to what, and whether there is a way back; as mrkdwn."""
    money = f" {proposal.money}" if proposal.money else ""
    on = f"order {inert(proposal.order_id, 60)}"
    target = f", {inert(proposal.target, 60)}" if proposal.target != proposal.order_id else ""
    no_way_back = " · *can't be undone*" if HANDS[proposal.action].undo is Undo.irreversible else ""
    return f"*{proposal.action}*{money}{no_way_back} · {on}{target} · {proposal.id}"


def _ask(proposal: Proposal, became: str, instead: str) -> str:
    line = f"{asked_for(proposal)}: {inert(proposal.reason, 240)}"
    if became:
        return f"{line}\n   {inert(became, 200)}"
    told = f"\n   {inert(instead, 160)}" if instead else ""
    return f"{line}{told}\n   `tower approve {proposal.id}`\n   `tower reject {proposal.id} --reason ...`"
