"""Written authority: who may approve what is one file, and it contradicts itself nowhere."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_tower.authority import Person, Spent
from control_tower.errors import NoAuthority, PolicyError
from control_tower.nouns import Action, Money, Proposal, digest_of
from policies.authority import SHIPPED, WrittenAuthority, authority
from policies.authority.checks import findings

NOW = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
ANA, LEA, FIN = Person("ana", ("approver",)), Person("lea", ("lead",)), Person("fin", ("finance",))
PEOPLE = {person.name: person for person in (ANA, LEA, FIN, Person("bo", ()))}


def euros(amount: int) -> Money:
    return Money(amount=amount * 100, currency="EUR")


def asked(money: Money | None, action: Action = Action.refund, **told: str) -> Proposal:
    return Proposal(
        case_id="c", lane="fulfilment", shop="shop", source="shop", action=action, order_id="1001", target="1001",
        money=money, rests_on={}, evidence=digest_of({}), policy="fulfilment@1", reason="because", as_of=None, **told,
    )  # fmt: skip


def written(folder: Path, *changes: tuple[str, str]) -> WrittenAuthority:
    text = SHIPPED.read_text()
    for old, new in changes:
        assert old in text, f"authority.yaml has no {old!r}"
        text = text.replace(old, new, 1)
    file = folder / "authority.yaml"
    file.write_text(text)
    return authority(file)


def delegated(folder: Path, *lines: str) -> WrittenAuthority:
    return written(folder, ("delegations: []", "delegations:\n" + "\n".join(f"  - {{{line}}}" for line in lines)))


def leave(known: WrittenAuthority, person: Person, money: Money | None, *spent: Spent, **told: str) -> str:
    """The role that gives leave, or why there is none."""
    via = told.pop("via", "command")
    try:
        grant = known.grant(person, asked(money, **told), money, via, spent, PEOPLE.get, NOW)
    except NoAuthority as refusal:
        return refusal.what
    return f"{grant.role}{f' of {grant.on_behalf_of}' if grant.on_behalf_of else ''}, {grant.people}"


def test_what_is_shipped_leaves_nothing_to_nobody() -> None:
    assert findings(authority()) == []


def test_a_refund_is_approved_up_to_the_limit_and_not_a_cent_above() -> None:
    known = authority()
    assert leave(known, ANA, euros(1000)) == "approver, 1"
    assert "EUR 1,000.01 is over the limit of approver, EUR 1,000.00" in leave(
        known, ANA, Money(amount=100_001, currency="EUR")
    )
    assert leave(known, LEA, euros(1001)) == "lead, 2", "above a thousand it takes two"
    assert "may move no JPY" in leave(known, FIN, Money(amount=1, currency="JPY"))


def test_somebody_without_a_role_approves_nothing() -> None:
    assert "may not approve" in leave(authority(), PEOPLE["bo"], euros(1))


def test_many_small_refunds_are_one_large_one_by_the_end_of_the_day() -> None:
    known = authority()
    before = [Spent("ana", "", Action.refund, euros(900), NOW) for _ in range(10)]
    assert leave(known, ANA, euros(1000), *before) == "approver, 1"
    assert "over the day's limit of approver" in leave(known, ANA, euros(1000), *before, before[0])
    assert leave(known, LEA, euros(1000), *before, before[0]) == "lead, 1", "hers is another day's limit"


def test_nobody_rules_on_their_own_order_or_request() -> None:
    known = authority()
    buyer = Person("fin", ("finance",), customers=("C7",))
    assert leave(known, buyer, euros(5), customer="C7") == "it is your own order"
    assert leave(known, buyer, euros(5), customer="C8") == "finance, 1"
    assert leave(known, FIN, euros(5), requested_by="fin") == "fin asked for it"
    with pytest.raises(NoAuthority, match="your own order"):
        known.may_reject(buyer, asked(euros(5), customer="C7"), PEOPLE.get, NOW)


def test_above_its_limit_slack_sends_the_approver_elsewhere() -> None:
    known = authority()
    assert leave(known, ANA, euros(200), via="slack") == "approver, 1"
    assert "Slack rules up to EUR 200.00" in leave(known, ANA, euros(201), via="slack")
    assert leave(known, ANA, euros(201), via="form") == "approver, 1"


def test_a_delegate_has_the_role_for_the_days_given_and_no_longer(tmp_path: Path) -> None:
    known = delegated(
        tmp_path, "from: lea, to: ana, roles: [lead], since: 2026-11-01, until: 2026-11-03, reason: on leave"
    )
    assert leave(known, ANA, euros(2000)) == "lead of lea, 2"
    with pytest.raises(NoAuthority, match="over the limit of approver"):
        known.grant(ANA, asked(euros(2000)), euros(2000), "command", (), PEOPLE.get, NOW + timedelta(days=1))
    gone = {**PEOPLE, "lea": Person("lea", ())}
    with pytest.raises(NoAuthority):
        known.grant(ANA, asked(euros(2000)), euros(2000), "command", (), gone.get, NOW)


def test_what_a_delegate_spends_the_giver_has_spent(tmp_path: Path) -> None:
    known = delegated(
        tmp_path, "from: lea, to: ana, roles: [lead], since: 2026-11-01, until: 2026-11-30, reason: on leave"
    )
    spent = [Spent("lea", "", Action.refund, euros(4000), NOW) for _ in range(6)]
    assert "over the day's limit of lead" in leave(known, ANA, euros(4000), *spent)


@given(
    st.integers(1, 700_000), st.integers(1, 500_000), st.sampled_from(["approver", "lead"]),
    st.dates(date(2026, 10, 1), date(2026, 12, 31)), st.integers(0, 40),
)  # fmt: skip
def test_delegation_never_widens(tmp_path_factory, amount: int, up_to: int, role: str, since: date, days: int) -> None:
    giver = Person("gil", (role,))
    narrowed = min(up_to, 100_000 if role == "approver" else 500_000)
    known = delegated(
        tmp_path_factory.mktemp("authority"),
        f"from: gil, to: bo, roles: [{role}], since: {since}, until: {since + timedelta(days=days)}, "
        f"up_to: {{EUR: {narrowed}}}, reason: on leave",
    )
    money = Money(amount=amount, currency="EUR")
    people = {**PEOPLE, "gil": giver}

    def may(person: Person) -> bool:
        try:
            known.grant(person, asked(money), money, "command", (), people.get, NOW)
        except NoAuthority:
            return False
        return True

    if may(PEOPLE["bo"]):
        assert may(giver) and amount <= narrowed and since <= NOW.date() <= since + timedelta(days=days)


def lent(*lines: str) -> tuple[str, str]:
    return "delegations: []", "delegations:\n" + "\n".join(f"  - {{{line}, reason: leave}}" for line in lines)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("escalates_to: lead}", "escalates_to: leed}"), "there is no role 'leed'.*lead"),
        (("promotes_lanes: [lead,", "promotes_lanes: [leed,"), "there is no role 'leed'.*lead"),
        (("role: lead, action: hold", "role: approver, action: hold"), "approver has two limits for a hold"),
        (("the money}", "the money, escalates_to: approver}"), "goes in a circle"),
        (("a_day: {EUR: 1000000", "a_day: {EUR: 99999"), "less a day than for each"),
        (("a_day: {EUR: 1000000", "a_day: {CHF: 9, EUR: 1000000"), "CHF has a day's limit and none for each"),
        (("edits: [refund]", "edits: [hold]"), "a hold has no amount"),
        (("people: 2", "people: 1"), "people"),
        (("each: {EUR: 100000", "each: {EUR: -1"), "greater than or equal to 1"),
        (("each: {EUR: 100000", "each: {euro: 100000"), "euro"),
        (("remind_after: 4 hours", "remind_after: soon"), "remind_after"),
        (("time_zone: Europe/Berlin", "time_zone: Europe/Berlim"), "no time zone"),
        (("owner: head of finance", "owner: head of finance\nowners: me"), "no field 'owners'"),
        (lent("from: a, to: a, roles: [lead], since: 2026-01-01, until: 2026-02-01"), "can't stand in for themselves"),
        (lent("from: a, to: b, roles: [lead], since: 2026-03-01, until: 2026-02-01"), "ends before it begins"),
        (
            lent("from: a, to: b, roles: [approver], since: 2026-01-01, until: 2026-02-01, up_to: {EUR: 100001}"),
            "delegation widens nothing",
        ),
        (
            lent(
                "from: a, to: b, roles: [lead], since: 2026-01-01, until: 2026-02-01",
                "from: b, to: c, roles: [lead], since: 2026-01-15, until: 2026-01-20",
            ),
            "hands it on",
        ),
    ],
)  # fmt: skip
def test_authority_that_contradicts_itself_is_refused_with_its_line(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(PolicyError, match=said) as refusal:
        written(tmp_path, change)
    assert "authority.yaml:" in str(refusal.value)


def test_what_nobody_may_approve_is_found(tmp_path: Path) -> None:
    known = written(
        tmp_path,
        ("  - {role: approver, action: reship, rulings_a_day: 200}\n", ""),
        ("  - {role: lead, action: reship}\n", ""),
        ("  - {role: finance, action: reship}\n", ""),
    )
    assert [fault.what for fault in findings(known)] == ["nobody may approve a reship"]


def test_escalation_that_leads_down_and_two_people_whom_there_are_not_are_found(tmp_path: Path) -> None:
    down = written(
        tmp_path, ("each: {EUR: 500000", "each: {EUR: 90000"), ("a_day: {EUR: 2500000", "a_day: {EUR: 90000")
    )
    assert any("lead may approve less EUR" in fault.what for fault in findings(down))
    few = written(tmp_path, ("above: {EUR: 100000", "above: {EUR: 5000000"))
    assert any("nobody may approve as much as takes two" in fault.what for fault in findings(few))
    assert any(
        "nobody is enrolled as lead" in f.what for f in findings(authority(), frozenset({"approver", "finance"}))
    )


def test_it_is_read_again_when_the_file_changes(tmp_path: Path) -> None:
    assert leave(written(tmp_path), ANA, euros(1000)) == "approver, 1"
    assert "over the limit" in leave(written(tmp_path, ("each: {EUR: 100000", "each: {EUR: 50000")), ANA, euros(1000))


def test_authority_that_is_not_in_force_gives_no_leave(tmp_path: Path) -> None:
    later = written(tmp_path, ("in_force: {from: 2016-01-01}", "in_force: {from: 2027-01-01}"))
    assert "not in force" in leave(later, FIN, euros(1))
