"""Which kept files are of other shops alone: what is struck out of one shop is not looked for in another's."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlmodel import col

from control_tower.keeping import Address, Archive
from control_tower.keeping.records import Record, chain
from control_tower.ledger import Ledger
from control_tower.ledger.tables import CaseRow, ChainRow, ProposalRow
from control_tower.slack.kept_messages import messages_said


def kept_elsewhere(archive: Archive, ledger: Ledger, shop: str) -> frozenset[Address]:
    """The addresses of what only other shops' runs were given or gave, and of what was said of their cases.

    A file that several shops share byte for byte, as an empty table, is every one's; so is that of a run of no shop.
    """
    mine: set[Address] = set()
    others: set[Address] = set()
    for address, of in _kept(archive, ledger):
        (others if of and of != shop else mine).add(address)
    return frozenset(others - mine)


def _kept(archive: Archive, ledger: Ledger) -> Iterator[tuple[Address, str]]:
    """Each kept file with the shop that it is of; with nothing where that is not known."""
    with ledger.read() as session:
        runs = session.scalars(select(col(ChainRow.run)).order_by(col(ChainRow.run))).all()
        asked = {str(row.flow_run_id): str(row.body.get("shop", "")) for row in session.scalars(select(ProposalRow))}
        cases = {row.id: row.shop for row in session.execute(select(col(CaseRow.id), col(CaseRow.shop)))}
    for run in runs:
        records = list(chain(archive, run))
        of = next(filter(None, (_shop_of(archive, record) for record in records)), asked.get(run, ""))
        yield from ((address, of) for record in records for address in _addresses(record))
    for said in messages_said(ledger):
        yield said.address, cases.get(said.case_id, "")


def _shop_of(archive: Archive, record: Record) -> str:
    """The shop whose evidence a record gathered; nothing where it did not, or where it is gone."""
    address = record.outputs.get("result")
    if record.step != "gather" or address is None or not archive.has(address):
        return ""
    return str(archive.nouns(address)["shop"]["id"])


def _addresses(record: Record) -> Iterator[Address]:
    yield from record.inputs.values()
    yield from record.outputs.values()
