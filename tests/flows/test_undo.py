"""Undo: what was done is taken back by a proposal of its own, which waits for somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from control_tower.errors import LedgerError, NoAuthority, NotProved
from control_tower.ledger.approvers import enrol
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import find_proposal
from control_tower.ledger.tables import EventRow
from control_tower.ledger.undo import propose_undo
from control_tower.nouns import Action, EffectState, Proposal
from control_tower.pause import resume
from desk.undo import ask_to_undo
from tests.flows.conftest import own_tower

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def acted(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[Any]:
    """A tower where a hold, a reship and a refund were approved and done, and bo may ask to undo."""
    with own_tower(tmp_path_factory.mktemp("acted"), deployed) as mine:
        mine.fill_now(2500)
        mine.watch(as_of=None)
        mine.done = {action: approve(mine, mine.waiting(action)[0]) for action in list(Action)[:3]}
        mine.bo = enrol(mine.ledger, "bo", datetime.now(UTC)).token
        yield mine


def approve(tower: Any, proposal: Proposal, name: str = "ana") -> Proposal:
    tower.rule(proposal, name=name)
    resume(str(find_proposal(tower.ledger, proposal.digest).flow_run_id))
    tower.work()
    return proposal


def asked(tower: Any, action: Action, why: str = "it was a mistake") -> Proposal:
    ask_to_undo(tower.done[action].id, "bo", tower.bo, why, json=True)
    with tower.ledger.read() as session:
        said = select(EventRow.detail).where(EventRow.what == "undo asked").order_by(EventRow.id.desc())
        handle = str(session.scalars(said).first()).split(" asks for ")[1].split(",")[0]
    return Proposal.model_validate(find_proposal(tower.ledger, handle).body)


def open_holds(tower: Any, order: str) -> int:
    import sqlite3

    from control_tower.stores.shop import sqlite_file

    with sqlite3.connect(sqlite_file(tower.settings.shop)) as book:
        held = "SELECT count(*) FROM holds WHERE order_id = ? AND released_at IS NULL"
        return int(book.execute(held, (order,)).fetchone()[0])


def test_a_hold_is_released_when_somebody_else_approves_and_not_before(acted: Any) -> None:
    held = acted.done[Action.hold]
    before = open_holds(acted, held.order_id)
    assert before
    undo = asked(acted, Action.hold)
    assert (undo.action, undo.undoes, undo.requested_by) == (Action.release, held.digest, "bo")
    assert undo.rests_on["prior"], "what was there before was captured"
    acted.work()
    assert open_holds(acted, held.order_id) == before
    with pytest.raises(NoAuthority, match="bo asked for it"):
        acted.rule(undo, name="bo") if acted.tokens.setdefault("bo", acted.bo) else None
    acted.watch(as_of=None)
    assert find_proposal(acted.ledger, undo.digest).standing == "waiting", "no lane withdraws what a person asked for"
    approve(acted, undo)
    assert find_effect(acted.ledger, undo.digest).state is EffectState.confirmed
    assert open_holds(acted, held.order_id) == before - 1
    with acted.ledger.read() as session:
        undone = select(EventRow).where(EventRow.subject == f"effect:{held.digest}", EventRow.what == "undone")
        assert len(session.scalars(undone).all()) == 1
    with pytest.raises(LedgerError, match=r"it was asked before, and .* is done"):
        propose_undo(acted.ledger, held.id, Token("bo", acted.bo), "it was a mistake", datetime.now(UTC))


def test_a_reship_is_called_off_while_its_parcel_is_still_here(acted: Any) -> None:
    undo = asked(acted, Action.reship)
    approve(acted, undo)
    assert find_effect(acted.ledger, undo.digest).state is EffectState.confirmed
    (recorded,) = acted.shop.effects(undo.digest, undo.order_id)
    assert (recorded.action, recorded.state) == ("cancel_reship", "cancelled")


def test_a_refund_can_not_be_taken_back_and_says_so(acted: Any) -> None:
    with pytest.raises(LedgerError, match="A refund can't be undone"):
        propose_undo(acted.ledger, acted.done[Action.refund].id, Token("bo", acted.bo), "oh", datetime.now(UTC))


def test_there_is_nothing_to_undo_of_what_was_not_done_and_nobody_unknown_asks(acted: Any) -> None:
    waiting = acted.waiting(Action.reship)[0]
    with pytest.raises(LedgerError, match="there is nothing to undo"):
        propose_undo(acted.ledger, waiting.id, Token("bo", acted.bo), "oh", datetime.now(UTC))
    with pytest.raises(NotProved):
        propose_undo(acted.ledger, acted.done[Action.hold].id, Token("bo", "guessed"), "oh", datetime.now(UTC))


def test_what_the_store_no_longer_shows_voids_the_ruling_on_its_undo(acted: Any) -> None:
    import sqlite3

    from control_tower.stores.shop import sqlite_file

    held = approve(acted, acted.waiting(Action.hold)[0])
    acted.done[Action.hold] = held
    undo = asked(acted, Action.hold)
    with sqlite3.connect(sqlite_file(acted.settings.shop)) as book:
        book.execute("DELETE FROM journal WHERE key = ?", (held.digest,))
    approve(acted, undo)
    row = find_proposal(acted.ledger, undo.digest)
    assert row.standing == "void"
    assert "the store shows no hold" in row.detail


def test_the_command_says_what_can_not_be_undone_before_it_asks_for_a_token(acted: Any) -> None:
    from desk.rule import what_is_approved

    refund, held = acted.done[Action.refund], acted.done[Action.hold]
    assert what_is_approved(refund.id) == (f"refund {refund.money}, order {refund.order_id}. A refund can't be undone.")
    assert what_is_approved(held.id).endswith("A hold is reversible, by release.")
