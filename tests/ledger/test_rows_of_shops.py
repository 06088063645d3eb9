"""Two shops in one book, each with the same case, proposal and look: whoever asks for one shop's gets no other's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from control_tower.authority import ALL_SHOPS
from control_tower.caps import Breaker, Caps
from control_tower.errors import LedgerError, NoAuthority
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.caps import open_breakers, trip_by_hand, watch_lanes
from control_tower.ledger.cases import newest_view, queue, record_cases
from control_tower.ledger.effects import list_effects
from control_tower.ledger.erasures import KnownBy, about, begin_erasure, orders_of
from control_tower.ledger.holds import held_runs, place_hold
from control_tower.ledger.looks import record_look
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import approved_and_unsettled, record_proposals, unopened, withdrawn  # fmt: skip
from control_tower.ledger.rulings import rule
from control_tower.ledger.tables import CaseRow, EffectRow, ProposalRow, VoteRow
from control_tower.ledger.waiting import reopen, withdraw_all
from control_tower.ledger.watermarks import orders_to_watch, shared_cases
from control_tower.nouns import Action, Proposal, Ruling, Verdict, Vote, digest_of
from control_tower.slack.outbox import Outbox
from control_tower.slack.untold import untold
from policies.authority import authority
from tests.ledger.books import NOW, proposal
from tests.model.cases import a_case

LANE, ORDER, CUSTOMER = "fulfilment", "1001", "c1"
DAY = timedelta(days=1)
DIGEST = {shop: digest_of(["proposal", shop]) for shop in ("berlin", "rio")}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Berlin's case was opened first, and all of it is older; but for that they are alike."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    body = a_case().model_copy(update={"orders": (ORDER,)}).model_dump(mode="json")
    for shop, at in (("berlin", NOW - DAY), ("rio", NOW)):
        record_look(ledger, f"look-{shop}", lane=LANE, source=f"shop:{shop}", shop=shop, as_of=at, now=at)
        with ledger.write() as session:
            session.add(
                CaseRow(
                    id=f"case-{shop}", lane=LANE, shop=shop, pivot=f"order:{ORDER}", title="late", standing="open",
                    material="", severity="sev2", team="warehouse", owner="", priority=1.0, due_at=NOW + DAY,
                    opened_at=at, seen_as_of=at, body=body,
                )
            )  # fmt: skip
    return ledger


def asked(ledger: Ledger, standing: str = "waiting", run: bool = False) -> None:
    """The same proposal in both shops."""
    for shop in ("berlin", "rio"):
        body = proposal(ORDER).model_copy(update={"shop": shop, "source": f"shop:{shop}", "customer": CUSTOMER})
        with ledger.write() as session:
            session.add(
                ProposalRow(
                    digest=DIGEST[shop], case_id=f"case-{shop}", order_id=ORDER, standing=standing, opened_at=NOW,
                    body=body.model_dump(mode="json"), flow_run_id=f"run-{shop}" if run else None,
                )
            )  # fmt: skip


def done(ledger: Ledger, shop: str, number: int = 0, state: str = "confirmed") -> None:
    with ledger.write() as session:
        session.add(
            EffectRow(
                key=f"effect-{shop}-{number}", action="hold", order_id=ORDER, state=state, lane=LANE, shop=shop,
                customer=CUSTOMER, intended_at=NOW, changed_at=NOW,
            )
        )  # fmt: skip


def person(ledger: Ledger, name: str, *shops: str, role: str = "finance") -> Token:
    return Token(name, enrol(ledger, name, NOW, roles=(role,), shops=shops or (ALL_SHOPS,)).token)


def standing(ledger: Ledger) -> dict[str, str]:
    with ledger.read() as session:
        return {f"{row.digest}": row.standing for row in session.query(ProposalRow)}


def test_a_shop_was_looked_at_when_it_was_looked_at_itself(ledger: Ledger) -> None:
    assert newest_view(ledger, LANE, "berlin") == NOW - DAY
    assert newest_view(ledger, LANE, "elsewhere") is None


def test_a_look_at_one_shop_closes_no_case_of_another(ledger: Ledger) -> None:
    assert len(record_cases(ledger, LANE, "rio", [], (), NOW).closed) == 1
    assert [row.id for row in queue(ledger)] == ["case-berlin"]


def test_the_queue_of_one_shop_is_its_own(ledger: Ledger) -> None:
    assert [row.id for row in queue(ledger, shop="rio")] == ["case-rio"]


def test_what_was_not_told_of_one_shop_is_its_own(ledger: Ledger) -> None:
    Outbox(ledger.engine)
    assert untold(ledger, LANE, "rio") == ["case-rio"]


def test_one_shop_s_look_opens_runs_for_its_own_proposals(ledger: Ledger) -> None:
    asked(ledger)
    assert [row.digest for _, row in unopened(ledger, LANE, "rio")] == [DIGEST["rio"]]


def test_what_was_withdrawn_in_one_shop_calls_off_no_run_of_another(ledger: Ledger) -> None:
    asked(ledger, "withdrawn", run=True)
    assert set(withdrawn(ledger, LANE, "rio")) == {DIGEST["rio"]}


def test_a_lane_that_only_observes_in_one_shop_asks_on_in_another(ledger: Ledger) -> None:
    asked(ledger)
    withdraw_all(ledger, LANE, "rio", "it only observes", NOW)
    assert standing(ledger) == {DIGEST["berlin"]: "waiting", DIGEST["rio"]: "withdrawn"}


def test_hands_that_are_stopped_in_one_shop_go_on_in_another(ledger: Ledger) -> None:
    asked(ledger, "approved")
    trip_by_hand(ledger, LANE, person(ledger, "ann"), "it looks wrong", NOW, "berlin")
    assert set(approved_and_unsettled(ledger)) == {DIGEST["rio"]}


def test_a_breaker_counts_what_was_done_in_its_own_shop(ledger: Ledger) -> None:
    caps = Caps("test", breakers=(Breaker("begun", 2, DAY),))
    done(ledger, "berlin")
    done(ledger, "rio")
    watch_lanes(ledger, lambda _: caps, NOW)
    assert not open_breakers(ledger)
    done(ledger, "rio", 1)
    watch_lanes(ledger, lambda _: caps, NOW)
    assert [row.shop for row in open_breakers(ledger)] == ["rio"]


def test_the_effects_of_one_shop_are_its_own(ledger: Ledger) -> None:
    done(ledger, "berlin")
    done(ledger, "rio")
    assert [one.key for one in list_effects(ledger, "rio")] == ["effect-rio-0"]


def test_what_a_look_has_to_watch_is_of_its_own_shop(ledger: Ledger) -> None:
    asked(ledger, "void")
    assert orders_to_watch(ledger, LANE, "elsewhere", "order:") == set()
    assert orders_to_watch(ledger, LANE, "rio", "order:") == {ORDER}
    assert shared_cases(ledger, LANE, "elsewhere", "product:") == {}


def test_what_is_held_of_one_shop_is_no_look_of_another(ledger: Ledger) -> None:
    keeper = person(ledger, "keeper")
    place_hold(ledger, "case-berlin", keeper, authority(), "the court asks", NOW)
    assert held_runs(ledger) == {"look-berlin"}


def test_nobody_holds_or_opens_again_what_is_another_shop_s(ledger: Ledger) -> None:
    asked(ledger, "expired")
    bo = person(ledger, "bo", "rio")
    with pytest.raises(NoAuthority, match="not in berlin"):
        place_hold(ledger, "case-berlin", bo, authority(), "the court asks", NOW)
    with pytest.raises(NoAuthority, match="not in berlin"):
        reopen(ledger, DIGEST["berlin"], bo, "once more", NOW)
    assert reopen(ledger, DIGEST["rio"], bo, "once more", NOW) == DIGEST["rio"]
    assert standing(ledger)[DIGEST["berlin"]] == "expired"


def test_whose_orders_and_rows_are_found_for_a_customer_is_of_their_own_shop(ledger: Ledger) -> None:
    asked(ledger, "done", run=True)
    assert orders_of(ledger, CUSTOMER, "elsewhere") == set()
    assert orders_of(ledger, CUSTOMER, "rio") == {ORDER}
    assert about(ledger, {ORDER}, "rio") == ({"case-rio"}, {DIGEST["rio"]}, {"run-rio"})


@pytest.mark.parametrize("open_business", ["a case", "a proposal", "an effect"])
def test_what_is_open_in_one_shop_keeps_nobody_from_being_erased_in_another(ledger: Ledger, open_business: str) -> None:
    keeper, known = person(ledger, "keeper"), KnownBy(orders=frozenset({ORDER}))
    asked(ledger, "waiting" if open_business == "a proposal" else "done")
    with ledger.write() as session:
        for row in session.query(CaseRow):
            row.standing = "open" if (row.shop, open_business) == ("berlin", "a case") else "closed"
        session.get_one(ProposalRow, DIGEST["rio"]).standing = "done"
    if open_business == "an effect":
        done(ledger, "berlin", state="unknown")
    with pytest.raises(LedgerError, match="can't be erased yet"):
        begin_erasure(ledger, CUSTOMER, known, keeper, authority(), "they asked", NOW, "berlin")
    assert begin_erasure(ledger, CUSTOMER, known, keeper, authority(), "they asked", NOW, "rio")[0]


def test_nobody_erases_a_customer_of_another_shop(ledger: Ledger) -> None:
    with pytest.raises(NoAuthority, match="not in berlin"):
        begin_erasure(
            ledger, CUSTOMER, KnownBy(), person(ledger, "bo", "rio"), authority(), "they asked", NOW, "berlin"
        )


def test_whom_one_seconded_in_one_shop_is_in_no_day_s_limit_of_another(ledger: Ledger) -> None:
    bo, like = person(ledger, "bo", role="approver"), proposal("9", action=Action.reship)
    of = {shop: like.model_copy(update={"shop": shop, "source": f"shop:{shop}"}) for shop in ("berlin", "rio")}
    with ledger.write() as session:
        for number in range(200):
            body = of["berlin"].model_copy(update={"order_id": f"{number}"}).model_dump(mode="json")
            digest = digest_of(["seconded", number])
            session.add(
                ProposalRow(digest=digest, case_id="c", order_id="9", standing="done", opened_at=NOW, body=body)
            )
            session.add(VoteRow(proposal=digest, round=0, approver="bo", reason="seen", via="command", at=NOW))
    record_proposals(ledger, [], list(of.values()), NOW)

    def ruled(asked: Proposal) -> Ruling | Vote:
        return rule(
            ledger, asked.digest, Verdict.approve, by=bo, authority=authority(), reason="seen", via="command", now=NOW
        )

    with pytest.raises(NoAuthority, match="200 a day"):
        ruled(of["berlin"])
    assert ruled(of["rio"])
