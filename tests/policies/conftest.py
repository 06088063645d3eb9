from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from control_tower.nouns import Shop
from policies import Policy, load, read
from policies.examples import situations
from policies.terms import Example

SMALL = """\
id: small
version: 3
owner: head of shop
in_force: {from: 2026-01-01, until: 2026-12-31}
rung: recommend
rungs:
  starts_at: recommend
  window: 28 days
  promote: {looks: 100, cases: 10, rulings: 20, agreement: 0.9, reversals: 0.02, breaches: 1, overdue: 0.2}
  stay: {judged_on: 10, agreement: 0.6, reversals: 0.1, breaches: 3, overdue: 0.5}
calendar: {cut_off: "14:00", hours: {from: "09:00", to: "18:00"}}
due: {sev1: 30 minutes, sev2: 2 hours, sev3: 1 business day}
urgency: {sev1: 4, sev2: 2, sev3: 1, doubles_every_hours: 24, at_most: 8, loss_when_unknown: 10000}
families:
  time: {cap: 60}
  cash: {cap: 100}
score_bands:
  - {at_least: 120, severity: sev1}
facts:
  order_id: {type: text, means: the order, owner: shop}
  currency: {type: text, means: its currency, owner: shop}
  seller: {type: text, means: the seller, owner: sellers}
  late: {type: boolean, means: whether it is late, owner: warehouse}
  hours: {type: number, means: hours it is late, owner: warehouse, clock: true}
  amount: {type: integer, means: what is owed, owner: payments}
thresholds:
  grace: {unit: hours, source: ours, values: [{from: 2026-01-01, value: 10}, {from: 2026-06-01, value: 20}]}
rules:
  - kind: slow
    means: it takes long
    when: late and hours > grace
    sentence: "Late by {hours} h with {seller}, owing {amount:money}."
    severity:
      - {when: hours > 100, severity: sev1}
      - {severity: sev2}
    family: time
    score: 40
    team:
      - {when: known(seller), team: seller-desk, member: seller}
      - {team: warehouse}
    money: amount
    likelihood: 0.5
    clock: hours
    effort_minutes: 10
  - kind: very_slow
    means: it takes very long
    when: hours > 5 * grace
    sentence: "Very late."
    severity: sev3
    family: time
    score: 40
    team: warehouse
    effort_minutes: 5
  - kind: owed
    means: we owe money
    when: late and amount > 0
    sentence: "{amount:money} is owed."
    severity:
      - {when: hours > 100, severity: sev1}
      - {severity: sev3}
    family: cash
    score: 70
    team: payments
    money: amount
    effort_minutes: 5
    propose:
      - action: refund
        when: hours > grace
        target: order_id
        amount: amount
        reason: "Late, and {amount:money} is owed."
        rests_on: [late, amount]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the small policy, with pieces of it replaced."""

    def written(*changes: tuple[str, str], name: str = "small.yaml") -> Path:
        text = SMALL
        for old, new in changes:
            assert old in text, f"the small policy has no {old!r}"
            text = text.replace(old, new, 1)
        file = tmp_path / name
        file.write_text(text)
        return file

    return written


@pytest.fixture
def small(write: Callable[..., Path]) -> Policy:
    return load(write(), datetime(2026, 3, 2, tzinfo=UTC))


@pytest.fixture(scope="session")
def fulfilment() -> Policy:
    return load("fulfilment", datetime(2026, 1, 6, 10, tzinfo=UTC))


@pytest.fixture
def orders(fulfilment: Policy) -> Callable[..., pd.DataFrame]:
    """A frame of ordinary orders of the fulfilment lane, each but for the facts given."""

    def made(*several: dict[str, object]) -> pd.DataFrame:
        return situations(fulfilment, [Example(name="an order", facts=facts) for facts in several])

    return made


@pytest.fixture
def shop() -> Shop:
    return Shop(id="demo", time_zone="Europe/Berlin", country="DE", currency="EUR")


@pytest.fixture
def read_small(write: Callable[..., Path]) -> Callable[..., Policy]:
    return lambda *changes: read(write(*changes))
