"""A person who asks to be forgotten is struck out of all that was kept, and the chain of it still holds."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from sqlalchemy import update
from sqlmodel import col

from control_tower.errors import BrokenChain, LedgerError, NoAuthority
from control_tower.keeping.records import chain, runs, verify
from control_tower.keeping.step import open_archive
from control_tower.keeping.striking import STRUCK, Person
from control_tower.ledger.approvers import enrol
from control_tower.ledger.cases import queue
from control_tower.ledger.erasures import code_of
from control_tower.ledger.holds import place_hold
from control_tower.ledger.journal import faults
from control_tower.ledger.letting_go import erased_files
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import waiting_proposals
from control_tower.ledger.tables import CaseRow, ErasureRow, ProposalRow
from control_tower.nouns import Case
from control_tower.pause.forgetting import forget_runs
from control_tower.slack.messages import notice_message
from control_tower.slack.tables import OutboxMessage
from control_tower.stores.shop import sqlite_file
from flows.lanes import find_flow
from tasks import erase as erasing
from tasks.authority import written_authority
from tasks.erase import Erased, erase
from tasks.replay import replay
from tasks.tell import said
from tests.flows.conftest import Tower, own_tower

PERSONAL = ("customer_id", "email_hash", "card_fingerprint", "device_id", "ip_hash", "billing_hash", "shipping_hash")


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory, deployed: dict[UUID, Any]) -> Path:
    """The folder of a tower whose fulfilment and fraud lanes have looked."""
    folder = tmp_path_factory.mktemp("looked")
    with own_tower(folder, deployed) as tower:
        tower.fill_now(700)
        find_flow("fulfilment")()
        find_flow("fraud")()
        tower.ledger.engine.dispose()
    return folder


@pytest.fixture
def tower(tmp_path: Path, looked: Path, deployed: dict[UUID, Any]) -> Iterator[Tower]:
    shutil.copytree(looked, tmp_path, dirs_exist_ok=True)
    with own_tower(tmp_path, deployed) as mine:
        yield mine


def lead(tower: Tower, role: str = "lead") -> Token:
    return Token("lea", enrol(tower.ledger, "lea", datetime.now(UTC), roles=(role,)).token)


def table(tower: Tower, name: str) -> pd.DataFrame:
    with sqlite3.connect(sqlite_file(tower.settings.shop)) as shop:
        return pd.read_sql(f"SELECT * FROM {name}", shop)


def a_disputing_customer(tower: Tower) -> tuple[str, Case]:
    """Somebody who wrote that a parcel did not come, and the case about it."""
    orders = table(tower, "orders").set_index("order_id")["customer_id"]
    for row in queue(tower.ledger):
        case = Case.model_validate(row.body)
        if "disputed_delivery" in case.kinds and case.orders:
            return str(orders[case.orders[0]]), case
    raise AssertionError("no delivery was disputed")


def close(tower: Tower, customer: str) -> None:
    """What is open of a customer ends, as the tower's own doing."""
    mine = set(table(tower, "orders").query("customer_id == @customer")["order_id"])
    with tower.ledger.write() as session:
        for row in queue(tower.ledger):
            if mine & set(row.body["orders"]):
                ended = {"standing": "closed", "closed_at": datetime.now(UTC)}
                session.execute(update(CaseRow).where(col(CaseRow.id) == row.id).values(**ended))
        for proposal in waiting_proposals(tower.ledger):
            if proposal.order_id in mine:
                done = update(ProposalRow).where(col(ProposalRow.digest) == proposal.digest)
                session.execute(done.values(standing="rejected"))


def everything_kept(tower: Tower) -> str:
    """All that lies in the archive and in the book, as text, records and keys apart."""
    archive, texts = open_archive(tower.settings.artifacts), []
    for one in archive.lying():
        content = archive.content(one.address)
        if one.address[2] == "parquet":
            texts.append(pq.read_table(pa.BufferReader(content)).to_pandas().to_csv())
        else:
            texts.append((gzip.decompress(content) if one.address[2] == "json.gz" else content).decode())
    with sqlite3.connect(sqlite_file(tower.settings.ledger)) as book:
        texts += [line for line in book.iterdump() if "journal" not in line]
    return "\n".join(texts)


def values_of(tower: Tower, customer: str) -> set[str]:
    """What says who a customer is and nobody else, and what they wrote and nobody else."""
    mine = set(table(tower, "orders").query("customer_id == @customer")["order_id"])
    found = {customer}
    for name in ("risk_signals", "support_contacts", "reviews"):
        rows = table(tower, name)
        ours = rows["order_id"].isin(mine)
        for column in {*PERSONAL, "text", "title"} & set(rows):
            found |= set(rows.loc[ours, column].dropna()) - set(rows.loc[~ours, column].dropna())
    return found


def test_nothing_of_an_erased_person_is_left_and_everything_still_verifies(tower: Tower) -> None:
    customer, case = a_disputing_customer(tower)
    close(tower, customer)
    told = values_of(tower, customer)
    before = everything_kept(tower)
    assert len([value for value in told if value in before]) >= 3
    found = erase(customer, lead(tower), "article 17", "")
    after = everything_kept(tower)
    assert [value for value in told if value in after] == []
    assert found.instead in after and found.files > 5 and found.rows > 0
    archive = open_archive(tower.settings.artifacts)
    walked = [verify(archive, tower.ledger, run) for run in runs(tower.ledger)]
    assert sum(each.gone for each in walked) > 0
    assert list(faults(tower.ledger.engine)) == []
    for run in runs(tower.ledger):
        assert replay(run).first_difference is None
    with tower.ledger.read() as session:
        row = session.get_one(CaseRow, case.id)
        noted = session.get_one(ErasureRow, found.instead)
    assert Case.model_validate(row.body).orders == case.orders, "the books keep the order"
    assert (noted.person, noted.by, noted.why) == (code_of(customer, ""), "lea", "article 17")


def test_what_was_posted_is_changed_where_it_was_posted(tower: Tower) -> None:
    customer = table(tower, "orders")["customer_id"].dropna().iloc[0]
    close(tower, customer)
    said(tower.ledger, tower.settings, [notice_message("notice:1", "A note", [f"ask {customer} for the slip"])], "")
    erase(customer, lead(tower), "article 17", "")
    with tower.ledger.read() as session:
        row = session.get_one(OutboxMessage, "notice:1")
    assert customer not in row.text and row.state == "pending" and row.revision != row.delivered_revision


def test_nobody_else_loses_a_word(tower: Tower) -> None:
    customer, _ = a_disputing_customer(tower)
    close(tower, customer)
    mine = set(table(tower, "orders").query("customer_id == @customer")["order_id"])
    archive = open_archive(tower.settings.artifacts)
    others = {}
    for run in runs(tower.ledger):
        for record in chain(archive, run):
            for name, address in record.outputs.items():
                if name.startswith("result.frames."):
                    frame = pd.read_parquet(archive.local(address))
                    others[address] = frame[~frame.get("order_id", pd.Series(dtype=str)).isin(mine)]
    erase(customer, lead(tower), "article 17", "")
    gone = erased_files(tower.ledger)
    for address, rest in others.items():
        now = gone.get(address[:2])
        frame = pd.read_parquet(archive.local((address[0], now.instead, address[2]) if now else address))
        left = frame[~frame.get("order_id", pd.Series(dtype=str)).isin(mine)]
        pd.testing.assert_frame_equal(left.reset_index(drop=True), rest.reset_index(drop=True))


def test_two_people_of_the_same_evidence_are_erased_one_after_the_other(tower: Tower) -> None:
    customers = table(tower, "orders")["customer_id"].dropna().drop_duplicates().head(2).tolist()
    proof = lead(tower)
    for customer in customers:
        close(tower, customer)
        assert erase(customer, proof, "article 17", "").files > 0
    archive = open_archive(tower.settings.artifacts)
    for run in runs(tower.ledger):
        assert verify(archive, tower.ledger, run).records > 0
    kept = everything_kept(tower)
    assert not any(f"{customer}," in kept or f'"{customer}"' in kept for customer in customers)


def test_a_file_that_comes_back_from_a_copy_is_named(tower: Tower, tmp_path: Path) -> None:
    customer = table(tower, "orders")["customer_id"].dropna().iloc[0]
    close(tower, customer)
    shutil.copytree(tmp_path / "artifacts", tmp_path / "copy")
    erase(customer, lead(tower), "article 17", "")
    shutil.copytree(tmp_path / "copy", tmp_path / "artifacts", dirs_exist_ok=True)
    archive = open_archive(tower.settings.artifacts)
    with pytest.raises(BrokenChain, match=r"was erased on .*, and is there again"):
        for run in runs(tower.ledger):
            verify(archive, tower.ledger, run)


def test_an_erasure_that_was_killed_goes_on(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    customer, _ = a_disputing_customer(tower)
    close(tower, customer)
    proof, told = lead(tower), values_of(tower, customer)
    monkeypatch.setattr(erasing, "BATCH", 2)
    replace, calls = erasing._replace, []

    def killed(*given: Any) -> int:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return replace(*given)

    monkeypatch.setattr(erasing, "_replace", killed)
    with pytest.raises(KeyboardInterrupt):
        erase(customer, proof, "article 17", "")
    monkeypatch.setattr(erasing, "_replace", replace)
    archive = open_archive(tower.settings.artifacts)
    for run in runs(tower.ledger):
        verify(archive, tower.ledger, run)
    again: Erased = erase(customer, proof, "article 17", "")
    after = everything_kept(tower)
    assert [value for value in told if value in after] == [] and again.files > 0
    for run in runs(tower.ledger):
        verify(archive, tower.ledger, run)


def test_whoever_has_something_open_is_not_erased_yet(tower: Tower) -> None:
    customer, case = a_disputing_customer(tower)
    before = everything_kept(tower)
    proof = lead(tower)
    with pytest.raises(LedgerError, match=rf"case {case.id} is open"):
        erase(customer, proof, "article 17", "")
    close(tower, customer)
    place_hold(tower.ledger, case.id, proof, written_authority(""), "a court asked", datetime.now(UTC))
    with pytest.raises(LedgerError, match="is held: a court asked"):
        erase(customer, proof, "article 17", "")
    assert customer in before and customer in everything_kept(tower)


def test_only_a_keeper_erases(tower: Tower) -> None:
    customer = table(tower, "orders")["customer_id"].dropna().iloc[0]
    with pytest.raises(NoAuthority):
        erase(customer, lead(tower, "approver"), "article 17", "")
    assert customer in everything_kept(tower)


def test_prefect_forgets_the_paused_runs_of_an_erased_person(tower: Tower) -> None:
    run = waiting_proposals(tower.ledger)[0].flow_run_id
    assert run is not None and forget_runs([run]) == 1
    with get_client(sync_client=True) as client, pytest.raises(ObjectNotFound):
        client.read_flow_run(UUID(run))
    assert forget_runs([run]) == 0


NAMES = st.text("abcXYZ0189-_.@ñ", min_size=4, max_size=12).filter(lambda name: name.strip("-_.@"))


@given(NAMES, st.text("hello wörld, not received!", min_size=12, max_size=40), st.text(max_size=30), st.data())
def test_no_name_and_no_word_is_left_wherever_it_stands(name: str, said: str, around: str, data: st.DataObject) -> None:
    person = Person("erased-1", frozenset({name}), frozenset({said}), frozenset({name, "1001"}))
    content = data.draw(st.recursive(
        st.sampled_from([name, said, f"{around} {name} {around}", f"{around}{said}", None, 7, "1001"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", name]), inner, max_size=2),
        max_leaves=8,
    ))  # fmt: skip
    struck = repr(person.struck_content(content))
    assert said not in struck.replace(STRUCK, "")
    assert not any(part == name for part in struck.replace("'", " ").split())


def test_a_noun_about_others_keeps_words_that_others_wrote_too() -> None:
    person = Person("erased-1", frozenset({"C7"}), frozenset({"where is my order?"}), frozenset({"C7", "1001"}))
    mine, another = ({"order": order, "said": "where is my order?"} for order in ("1001", "1002"))
    assert person.struck_noun([mine, another]) == [{"order": "1001", "said": STRUCK}, another]
