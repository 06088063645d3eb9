"""Settle what is in the air: what was sent is read again, and what stays unknown is said out loud."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.caps import NONE, Caps
from control_tower.errors import PolicyError, SettingError, SourceError, StoreError
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.caps import watch_lanes
from control_tower.ledger.effects import alarms, open_effects, shops_of_effects
from control_tower.ledger.proposals import find_proposal, settle_proposal
from control_tower.nouns import Effect, EffectState, Noun, Proposal
from control_tower.settings import Settings, settings
from control_tower.shops import shops_of
from control_tower.slack.messages import notice_message
from control_tower.slack.parts import Message
from control_tower.stores import open_store
from tasks.act import read_again
from tasks.authority import written_authority
from tasks.shops import channel_of
from tasks.tell import all_said, tell_of_breakers

STANDINGS = {EffectState.confirmed: "done", EffectState.refused: "refused"}


class Settled(Noun):
    """What reading came to: effects settled by a read, those that stay open and why, and what is wrong."""

    settled: tuple[Effect, ...]
    unknown: tuple[tuple[str, str], ...]
    alarms: tuple[tuple[str, str], ...]


def settle_open() -> Settled:
    """Read the stores again, settle what they show, and tell the channel of the rest. Calls no store to act."""
    tower = settings()
    ledger = open_ledger(tower.ledger)
    settled: list[Effect] = []
    unknown: list[tuple[str, str]] = []
    for effect in open_effects(ledger):
        try:
            now = _read(ledger, tower, effect)
        except (StoreError, SourceError, SettingError) as fault:  # the shop may be gone, and others are not
            unknown.append((effect.key, str(fault)))
            continue
        if now.state in STANDINGS:
            settled.append(now)
        else:
            unknown.append((effect.key, now.detail))
    watch_lanes(ledger, _caps_of, datetime.now(UTC))
    tell_of_breakers(ledger, tower)
    swept = Settled(settled=tuple(settled), unknown=tuple(unknown), alarms=tuple(alarms(ledger)))
    shops = shops_of_effects(ledger)
    told = [one.into(channel_of(shops.get(one.key.removeprefix("effect:"), ""), tower)) for one in _notices(swept)]
    all_said(ledger, tower, told)
    return swept


def _caps_of(shop: str) -> Caps:
    """The caps of a shop; none where its authority can't be read, and nobody acts there until it can."""
    try:
        return written_authority(shop).caps
    except PolicyError:
        if shop not in shops_of(settings()):
            raise
        return NONE


def _read(ledger: Ledger, tower: Settings, effect: Effect) -> Effect:
    proposal = Proposal.model_validate(find_proposal(ledger, effect.key).body)
    now = read_again(ledger, open_store(proposal.source, tower), proposal) or effect
    if now.state in STANDINGS:
        told = f"{now.action} {now.state.value} {now.store_reference} {now.detail}".strip()
        settle_proposal(ledger, effect.key, STANDINGS[now.state], told, datetime.now(UTC))
    return now


def _notices(swept: Settled) -> list[Message]:
    """One message for each effect, however often it is swept: the outbox changes what it has said."""
    told = [
        *((key, "It is not known whether this happened", why) for key, why in swept.unknown),
        *((key, "Look at this effect: the store did not do what was approved", what) for key, what in swept.alarms),
    ]
    messages = [
        notice_message(f"effect:{key}", heading, [key[:12], why, "`tower effects`"]) for key, heading, why in told
    ]
    return messages + [
        notice_message(f"effect:{one.key}", f"Settled: {one.state.value}", [one.key[:12], one.told])
        for one in swept.settled
        if one.key not in {key for key, _, _ in told}
    ]
