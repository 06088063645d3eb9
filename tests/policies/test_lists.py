"""Lists have owners and reasons; a score may ask for an action; missing evidence never does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from control_tower.errors import PolicyError
from control_tower.nouns import Shop
from policies import judge, load, proposals, score
from policies.backtest.outcomes import outcomes

AS_OF = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATE = {"order_id": "A1", "currency": "EUR", "seller": "s1", "late": True, "hours": 12.0, "amount": 500}
KINDS = {
    "order_id": "str",
    "currency": "str",
    "seller": "str",
    "late": "boolean",
    "hours": "Float64",
    "amount": "Int64",
}
OFFER = """propose:
  - {action: hold, score_at_least: grace, target: order_id, reason: "It scores.", rests_on: [late]}
score_bands:"""

Write = Callable[..., Path]


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in KINDS.items()})


def listed(says: str, *, of: str = "", id: str = "friends", until: str = "2026-12-31", members: str = "[s1]") -> str:
    return (
        f"  - {{id: {id}, means: people we know, fact: seller, members: {members}, says: {says}, owner: sales,"
        f" because: They asked for it., until: {until}{of}}}\n"
    )


def policy(write: Write, *lists: str, offers: bool = False) -> Any:
    text = ("lists:\n" + "".join(lists) if lists else "") + (OFFER if offers else "score_bands:")
    return load(write(("score_bands:", text)), AS_OF)


def weighed(found: Any, shop: Shop, **facts: object) -> tuple[str, int]:
    rows = frame(LATE | facts)
    (row,) = score(found, judge(found, rows, AS_OF), rows, AS_OF, shop).to_dict("records")
    return str(row["severity"]), int(row["score"])


def asked(found: Any, **facts: object) -> list[str]:
    rows = frame(LATE | facts)
    return list(proposals(found, judge(found, rows, AS_OF), rows, AS_OF)["action"])


TRUST = ", kinds: [slow, owed]"


def test_trust_takes_the_score_of_the_kinds_it_names_and_no_severity(write: Write, shop: Shop) -> None:
    assert weighed(policy(write), shop) == ("sev2", 110)
    assert weighed(policy(write, listed("trusted", of=TRUST)), shop) == ("sev2", 0)
    assert weighed(policy(write, listed("trusted", of=", kinds: [owed]")), shop) == ("sev2", 40)
    assert weighed(policy(write, listed("allow")), shop) == ("sev3", 0)


def test_a_block_beats_trust_and_an_allow(write: Write, shop: Shop) -> None:
    block = listed("block", id="known_cases")
    for friend in (listed("trusted", of=TRUST), listed("allow")):
        assert weighed(policy(write, friend, block), shop) == ("sev1", 110)


def test_a_floor_holds_whoever_is_trusted(write: Write, shop: Shop) -> None:
    floor = "floors: [{when: hours > 10, severity: sev1, because: it is old}]\n"
    found = load(write(("score_bands:", floor + "lists:\n" + listed("trusted", of=TRUST) + "score_bands:")), AS_OF)
    assert weighed(found, shop) == ("sev1", 0)


def test_a_list_that_has_ended_names_nobody(write: Write, shop: Shop) -> None:
    assert weighed(policy(write, listed("trusted", of=TRUST, until="2026-03-01")), shop) == ("sev2", 110)
    assert weighed(policy(write, listed("trusted", of=TRUST, until="2026-03-02")), shop) == ("sev2", 0)


@pytest.mark.parametrize(
    ("lost", "said"),
    [("owner: sales,", "owner"), (" because: They asked for it.,", "because"), (TRUST, "trust is of some kinds")],
)
def test_a_list_without_an_owner_or_a_reason_is_refused(write: Write, lost: str, said: str) -> None:
    text = listed("trusted", of=TRUST)
    assert lost in text
    with pytest.raises(PolicyError, match=said):
        policy(write, text.replace(lost, ""))


def test_a_score_asks_once_it_is_reached(write: Write) -> None:
    assert asked(policy(write, offers=True)) == ["refund", "hold"] or asked(policy(write, offers=True)) == [
        "hold",
        "refund",
    ]
    high = ("value: 10}", "value: 111}")
    found = load(write(high, ("score_bands:", OFFER)), AS_OF)
    assert asked(found) == []


def test_what_is_not_known_asks_for_nothing(write: Write) -> None:
    found = policy(write, offers=True)
    assert asked(found, late=None) == []
    trusting = policy(write, listed("trusted", of=TRUST, members="[another]"), offers=True)
    assert "hold" in asked(trusting)
    assert "hold" not in asked(trusting, seller=None), "it may be whom we trust"


def test_who_is_trusted_is_not_held_and_who_is_blocked_is(write: Write) -> None:
    friend, block = listed("trusted", of=TRUST), listed("block", id="known_cases")
    assert "hold" not in asked(policy(write, friend, offers=True))
    assert "hold" in asked(policy(write, friend, block, offers=True))


def test_an_offer_names_a_threshold(write: Write) -> None:
    with pytest.raises(PolicyError, match="there is no threshold 'grade'"):
        load(write(("score_bands:", OFFER.replace("grace", "grade"))), AS_OF)


def test_a_backtest_asks_for_what_the_lane_would(write: Write, shop: Shop) -> None:
    found = policy(write, listed("trusted", of=", kinds: [owed]"), offers=True)
    rows = frame(LATE, LATE | {"order_id": "A2", "seller": "s2"}, LATE | {"order_id": "A3", "late": None})
    told = outcomes(found, rows, AS_OF, shop).asked
    served = proposals(found, judge(found, rows, AS_OF), rows, AS_OF)
    assert sorted(zip(told["target"], told["action"], strict=True)) == sorted(
        zip(served["target"], served["action"], strict=True)
    )
    assert "hold" in set(served["action"])
