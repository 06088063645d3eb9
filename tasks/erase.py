"""Erase: strike a person out of everything that was kept, so that the chain of what was kept can still be checked.

A kept file that holds them is replaced by one without them, and the book says which stands for which. What the shop
itself still tells of them comes back with the next look: it is erased there first.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from control_tower.keeping import Address, Archive
from control_tower.keeping.kept import FRAME, NOUN, Lying
from control_tower.keeping.step import open_archive
from control_tower.keeping.striking import Person, names_and_words
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.erasures import KnownBy, about, begin_erasure, end_erasure, orders_of, strike_rows
from control_tower.ledger.letting_go import note_erased
from control_tower.ledger.proofs import Proof
from control_tower.nouns import Noun
from control_tower.settings import settings
from policies.retention import retention
from tasks.authority import written_authority
from tasks.erase_webhooks import known_by_webhooks, strike_webhooks
from tasks.kept_elsewhere import kept_elsewhere

BATCH = 50
TEXTS = ("svg", "html")
Progress = Callable[[str], object]


class Erased(Noun):
    """What an erasure came to."""

    instead: str
    """What stands in the person's place from now on."""
    files: int
    webhooks: int
    """Files that a receiver of webhooks wrote."""
    rows: int
    runs: tuple[str, ...]
    """Paused runs of theirs, whose forms and descriptions Prefect still holds."""


def erase(customer: str, by: Proof, why: str, shop: str, progress: Progress = lambda _: None) -> Erased:
    """Strike a customer out of the archive, the book and webhooks. Asked again, it goes on where it was killed.

    Args:
        customer: their id, as `orders.customer_id` has it.
        progress: called with what is being looked at.
        shop: whose customer they are, where the tower has several; who has this id elsewhere stays who they are.

    Raises:
        NotProved, NoAuthority: whoever asks may not.
        LedgerError: something of theirs is open or held.
        SourceError: what webhooks brought can't be read; whose it is is not known, and nothing was begun.
    """
    tower = settings()
    ledger, archive = open_ledger(tower.ledger), open_archive(tower.artifacts)
    now = datetime.now(UTC)
    others = kept_elsewhere(archive, ledger, shop) if shop else frozenset[Address]()
    known = _known_by(archive, ledger, customer, progress, shop, others)
    instead, known = begin_erasure(ledger, customer, known, by, written_authority(shop), why, now, shop)
    cases, proposals, runs = about(ledger, set(known.orders), shop)
    person = Person(instead, known.names | {customer}, known.words, known.orders | cases | {customer})
    files = _strike_files(archive, ledger, person, instead, progress, others)
    marked = Person(instead, person.names, person.words, person.keys | proposals)
    rows = strike_rows(ledger, marked.is_mentioned_in, marked.struck_content, progress, shop)
    webhooks = strike_webhooks(tower, customer, known.orders, instead, shop)
    end_erasure(ledger, instead, files + webhooks, rows, datetime.now(UTC))
    return Erased(instead=instead, files=files, webhooks=webhooks, rows=rows, runs=tuple(sorted(runs)))


def _known_by(
    archive: Archive, ledger: Ledger, customer: str, progress: Progress, shop: str, others: frozenset[Address]
) -> KnownBy:
    """What a customer is known by, from the book, from all frames that are kept and from webhooks."""
    import pyarrow.parquet as pq

    paper = retention().personal
    frames = [one.address for one in archive.lying() if one.address[2] == FRAME and one.address not in others]
    orders = orders_of(ledger, customer, shop) | _orders_in(archive, frames, customer, progress)
    received = known_by_webhooks(settings(), customer, orders, shop)
    told = {
        each
        for address in frames
        for each in names_and_words(
            pq.read_table(archive.local(address)), {customer, *received.orders}, paper.identifying, paper.words
        )
    }
    names, words = ({value for is_name, value in told if is_name is wanted} for wanted in (True, False))
    return received | KnownBy(frozenset(), frozenset(names), frozenset(words))


def _orders_in(archive: Archive, frames: Iterable[Address], customer: str, progress: Progress) -> set[str]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    orders = set[str]()
    for address in frames:
        progress(f"whose orders: {address[1][:12]}")
        file = archive.local(address)
        if {"customer_id", "order_id"} <= set(pq.read_schema(file).names):
            table = pq.read_table(file, columns=["customer_id", "order_id"])
            found = table.filter(pc.equal(table["customer_id"], customer))["order_id"].to_pylist()
            orders |= {order for order in found if order}
    return orders


def _strike_files(
    archive: Archive, ledger: Ledger, person: Person, name: str, progress: Progress, others: frozenset[Address]
) -> int:
    """Put files without the person in the place of those that hold them; noted before any file goes."""
    moved: list[tuple[Address, str]] = []
    count = 0
    for one in [one for one in archive.lying() if one.address not in others]:
        progress(f"{one.address[0]} {one.address[1][:12]}")
        if instead := _struck(archive, person, one):
            moved.append((one.address, instead))
        if len(moved) >= BATCH:
            count += _replace(archive, ledger, name, moved)
            moved = []
    return count + _replace(archive, ledger, name, moved)


def _replace(archive: Archive, ledger: Ledger, name: str, moved: Iterable[tuple[Address, str]]) -> int:
    moved = list(moved)
    note_erased(ledger, name, moved, datetime.now(UTC))
    for address, _ in moved:
        archive.remove(address)
    return len(moved)


def _struck(archive: Archive, person: Person, one: Lying) -> str:
    """The digest of a file without the person; nothing where they are not in it."""
    import pyarrow.parquet as pq

    shelf, _, suffix = one.address
    paper = retention().personal
    if suffix == FRAME:
        table = pq.read_table(archive.local(one.address))
        without = person.struck_table(table, paper.identifying, paper.words)
        return "" if without is None or without.equals(table) else archive.keep_table("erased", without).digest
    content = archive.content(one.address)
    text = (gzip.decompress(content) if suffix == NOUN else content).decode()
    if not person.is_mentioned_in(text):
        return ""
    if suffix in TEXTS:
        after = person.struck(text)
        return archive.keep_bytes(shelf, after.encode(), suffix) if after != text else ""
    before = json.loads(text)
    noun = person.struck_noun(before)
    return archive.keep_nouns(noun, shelf)[1] if noun != before else ""
