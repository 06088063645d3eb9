"""The form in which a person rules: what is proposed, a reason, words, and an amount that only goes down."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    InputBlock,
    MarkdownTextObject,
    NumberInputElement,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    SectionBlock,
    StaticSelectElement,
)
from slack_sdk.models.views import View

from control_tower.nouns import Answer, Case, Money, Noun, Proposal, Verdict, told_once
from control_tower.slack.case_message import asked_for
from control_tower.slack.escape import inert, visible
from control_tower.slack.interactions import AMOUNT, FORM, REASON, WORDS, About, Submission

MOST_WORDS = 1000
FINDINGS = 5
_AMOUNT = re.compile(r"(?P<units>[0-9]{1,12})(?:\.(?P<parts>[0-9]{1,6}))?", re.ASCII)


class Filled(Noun):
    """What a person filled in, checked against the proposal. The amount is None where it is as proposed."""

    reason_code: str
    words: str
    amount: Money | None


class Objections(Exception):
    """What is wrong with a form, by the block that says so.

    Args:
        by_block: block id → sentence; Slack shows each under its field and leaves the form open.
    """

    def __init__(self, by_block: Mapping[str, str]) -> None:
        self.by_block = {block: visible(said)[:250] for block, said in by_block.items()}
        super().__init__("; ".join(self.by_block.values()))


def ruling_form(about: About, case: Case, proposal: Proposal, reasons: Mapping[str, str]) -> dict[str, Any]:
    """The form for one proposal and verdict, as `views.open` takes it.

    Args:
        about: what comes back with the form: the digest and where to answer.
        reasons: reason codes for this verdict with their words, the likeliest first.

    Raises:
        SlackObjectFormationError: the form would break one of Slack's limits.
    """
    verb = about.verdict.value.capitalize()
    blocks: list[Block] = [_says(f"{asked_for(proposal)}\n{inert(proposal.reason, 400)}"), _says(_evidence(case))]
    blocks.append(_reason(reasons, optional=about.verdict is Verdict.approve))
    blocks.append(_words(optional=about.verdict is Verdict.approve))
    if about.verdict is Verdict.approve and proposal.money:
        blocks.append(_amount(proposal.money))
    return View(
        type="modal",
        callback_id=FORM,
        title=_plain(f"{verb} {proposal.action}"),
        submit=_plain(verb),
        close=_plain("Cancel"),
        private_metadata=about.model_dump_json(),
        blocks=blocks,
    ).to_dict()


def told_in_form(title: str, told: Sequence[str]) -> dict[str, Any]:
    """A view that says how it went, and asks nothing."""
    text = "\n".join(inert(line, 600) for line in told)
    return View(type="modal", title=_plain(title[:24]), close=_plain("Close"), blocks=[_says(text)]).to_dict()


def read_form(given: Submission, proposal: Proposal, reasons: Mapping[str, str]) -> Filled:
    """What was filled in, if it may be.

    Raises:
        Objections: with every field that is wrong.
    """
    objections: dict[str, str] = {}
    words = given.words.strip()
    if given.reason not in reasons and (given.reason or given.verdict is Verdict.reject):
        objections[REASON] = "Choose a reason from the list."
    if given.verdict is Verdict.reject and not visible(words):
        objections[WORDS] = "A rejection needs words: what should change, or why not."
    if len(words) > MOST_WORDS:
        objections[WORDS] = f"At most {MOST_WORDS:,} characters."
    amount = None
    if given.verdict is Verdict.approve and proposal.money:
        try:
            amount = _at_most(proposal.money, given.amount or "")
        except ValueError as wrong:
            objections[AMOUNT] = str(wrong)
    if objections:
        raise Objections(objections)
    return Filled(reason_code=given.reason, words=words, amount=amount if amount != proposal.money else None)


def decimals(currency: str) -> int:
    """Digits after the point in a currency: 2 in EUR, 0 in JPY, 3 in KWD."""
    from babel.numbers import get_currency_precision

    return int(get_currency_precision(currency))


def major(money: Money) -> str:
    """An amount in whole units, as a number: 49.90."""
    return f"{Decimal(money.amount).scaleb(-decimals(money.currency)):f}"


def _at_most(proposed: Money, typed: str) -> Money:
    digits = decimals(proposed.currency)
    match = _AMOUNT.fullmatch(typed.strip())
    if match is None:
        raise ValueError(f"An amount is a number, as in {major(proposed)}.")
    parts = (match["parts"] or "").rstrip("0")
    if len(parts) > digits:
        raise ValueError(f"{proposed.currency} has {digits} digits after the point.")
    amount = int(match["units"]) * 10**digits + int(parts.ljust(digits, "0") or "0")
    if amount <= 0:
        raise ValueError("Nothing is no amount; reject it instead.")
    if amount > proposed.amount:
        raise ValueError(f"At most {major(proposed)}, which was proposed; more needs a proposal of its own.")
    return Money(amount=amount, currency=proposed.currency)


def _evidence(case: Case) -> str:
    order = {Answer.yes: 0, Answer.unknown: 1, Answer.no: 2}
    told = sorted(told_once(case.findings), key=lambda one: order[one.finding.answer])
    lines = [f"• {inert(one.finding.sentence, 240)}" for one in told[:FINDINGS]]
    more = [f"and {len(told) - FINDINGS:,} more: `tower case {inert(case.id, 60)}`"] if len(told) > FINDINGS else []
    return "\n".join(["*Evidence*", *lines, *more])


def _says(text: str) -> SectionBlock:
    return SectionBlock(text=MarkdownTextObject(text=text, verbatim=True))


def _plain(text: str) -> PlainTextObject:
    return PlainTextObject(text=text, emoji=False)


def _reason(reasons: Mapping[str, str], *, optional: bool) -> InputBlock:
    options = [Option(text=_plain(visible(said)[:75] or code), value=code[:75]) for code, said in reasons.items()]
    select = StaticSelectElement(action_id=REASON, placeholder=_plain("Choose one"), options=options[:100])
    return InputBlock(block_id=REASON, label=_plain("Reason"), element=select, optional=optional)


def _words(*, optional: bool) -> InputBlock:
    words = PlainTextInputElement(action_id=WORDS, multiline=True, max_length=MOST_WORDS)
    label = "In your words" if optional else "In your words, for whoever proposed it"
    return InputBlock(block_id=WORDS, label=_plain(label), element=words, optional=optional)


def _amount(proposed: Money) -> InputBlock:
    least = major(Money(amount=1, currency=proposed.currency))
    number = NumberInputElement(
        action_id=AMOUNT,
        is_decimal_allowed=decimals(proposed.currency) > 0,
        initial_value=major(proposed),
        min_value=least,
        max_value=major(proposed),
    )
    return InputBlock(
        block_id=AMOUNT,
        label=_plain(f"Amount in {proposed.currency}"),
        hint=_plain(f"At most {major(proposed)}. A smaller amount is kept as your edit."),
        element=number,
        optional=False,
    )
