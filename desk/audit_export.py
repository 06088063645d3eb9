"""`tower audit export`: all that is known of one case, as files that an auditor can read and check alone."""

from __future__ import annotations

import json as plain_json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any

from sqlalchemy import select, tuple_
from sqlmodel import col

from control_tower import __version__
from control_tower.batches import batches
from control_tower.errors import BrokenChain
from control_tower.keeping import Address, Archive
from control_tower.keeping.bundle import fingerprint, public_pem, signing_key, write_bundle
from control_tower.keeping.records import Record, chain
from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.dossiers import Dossier, dossier
from control_tower.ledger.journal import JOURNAL
from control_tower.ledger.letting_go import Gone, erased_files, gone_since, run_ages
from control_tower.ledger.tables import RulingRow, VoteRow
from control_tower.model.calls import Calls
from control_tower.nouns import as_json as moment_in_json
from control_tower.redaction import scrubbed
from control_tower.settings import settings
from control_tower.slack.tables import OutboxMessage
from desk.show import as_json, out
from tasks.prepare import brief_for

FORMAT = "control-tower-bundle/1"


@dataclass(frozen=True)
class Run:
    """A run that had to do with the case, and whether it was about nothing else."""

    id: str
    records: tuple[Record, ...]
    its_own: bool
    let_go: Mapping[str, str]


def export(handle: str, to: Path | None, *, whole: bool, json: bool) -> None:
    """Write the bundle of the case that a handle names.

    Args:
        whole: with the kept files of the lane's runs, which hold other cases too.

    Raises:
        NotFound: there is no such case, or more than one.
        BrokenChain: a run of the case is not what was kept; then nothing is written.
    """
    tower = settings()
    ledger, archive = open_ledger(tower.ledger), open_archive(tower.artifacts)
    held = dossier(ledger, handle)
    key = signing_key(tower.folder)
    told = _told(ledger, held)
    kept = list(_runs(archive, ledger, held))
    files = dict(_files(archive, held, kept, erased_files(ledger), whole=whole))
    files["case.json"] = _json(told)
    files["case.html"] = _page(held, told, kept, fingerprint(key.public_key())).encode()
    files["README.txt"] = (resources.files("desk") / "bundle_readme.txt").read_bytes()
    where = to or Path(f"case-{held.row.id[:12]}.zip")
    write_bundle(where, files, key)
    found = {"bundle": str(where), "files": len(files) + 3, "runs": len(kept), "key": fingerprint(key.public_key())}
    if json:
        as_json(found)
        return
    out.print(f"{where}: {found['files']} files of {len(kept)} runs, signed by key {found['key']}", soft_wrap=True)
    out.print("README.txt in it says how to check it with sha256sum and openssl.")


def show_key(*, json: bool) -> None:
    """Print the public key and its fingerprint."""
    key = signing_key(settings().folder).public_key()
    if json:
        as_json({"fingerprint": fingerprint(key), "public": public_pem(key).decode()})
        return
    out.print(public_pem(key).decode(), end="", markup=False, highlight=False)
    out.print(f"fingerprint (SHA-256 of that file): {fingerprint(key)}", soft_wrap=True, highlight=False)


def _told(ledger: Ledger, held: Dossier) -> dict[str, Any]:
    """Everything that the ledger and the outbox have on a case, as JSON content without secrets."""
    digests = [row.digest for row in held.proposals]
    with ledger.read() as session:
        votes = list(session.scalars(select(VoteRow).where(col(VoteRow.proposal).in_(digests))))
        rulings = list(session.scalars(select(RulingRow).where(col(RulingRow.proposal).in_(digests))))
        messages = list(session.scalars(select(OutboxMessage).where(col(OutboxMessage.key) == f"case:{held.row.id}")))
        rows = [
            ("cases", held.row.id),
            *(("proposals", one) for one in digests),
            *(("effects", one) for one in digests),
        ]
        rows += [("rulings", f"{one.proposal}|{one.round}") for one in held.rulings.values()]
        rows += [("votes", f"{one.proposal}|{one.round}|{one.approver}") for one in votes]
        rows += [("events", str(one.id)) for one in held.events]
        journal = [
            dict(entry)
            for some in batches(rows, 200)
            for entry in session.connection()
            .execute(select(JOURNAL).where(tuple_(JOURNAL.c.of, JOURNAL.c.key).in_(some)))
            .mappings()
        ]
    parts: dict[str, Sequence[Any]] = {
        "proposals": held.proposals,
        "votes": votes,
        "rulings": rulings,
        "effects": list(held.effects.values()),
        "events": held.events,
        "prompts": Calls(ledger).of_case(held.row.id),
        "messages": messages,
    }
    told: dict[str, Any] = {
        "format": FORMAT,
        "made_at": moment_in_json(datetime.now(UTC)),
        "release": __version__,
        "case": held.case.model_dump(mode="json"),
        "row": held.row.model_dump(mode="json"),
        "brief": brief_for(ledger, held.case).model_dump(mode="json"),
        **{name: [row.model_dump(mode="json") for row in found] for name, found in parts.items()},
        "journal": sorted(journal, key=lambda entry: int(entry["number"])),
    }
    clean: dict[str, Any] = scrubbed(told)
    return clean


def _runs(archive: Archive, ledger: Ledger, held: Dossier) -> Iterator[Run]:
    """The runs that were about the case alone, and those of its lane that formed it."""
    own = {row.flow_run_id for row in held.proposals if row.flow_run_id}
    let_go, gone = {age.run: age.let_go for age in run_ages(ledger)}, erased_files(ledger)
    for id in let_go:
        records = tuple(chain(archive, id))
        if id in own:
            yield Run(id, records, True, let_go[id])
        elif any(_formed(archive, record, held.row.id, gone) for record in records):
            yield Run(id, records, False, let_go[id])


def _formed(archive: Archive, record: Record, case: str, gone: Mapping[tuple[str, str], Gone]) -> bool:
    if record.step != "form-cases" or "result" not in record.outputs:
        return False
    shelf, digest, suffix = record.outputs["result"]
    address = (shelf, gone[shelf, digest].instead if (shelf, digest) in gone else digest, suffix)
    return archive.has(address) and any(one["id"] == case for one in archive.nouns(address))


def _files(
    archive: Archive, held: Dossier, kept: Sequence[Run], gone: Mapping[tuple[str, str], Gone], *, whole: bool
) -> Iterator[tuple[str, bytes]]:
    """Records of every run; kept files of the runs that were about it alone; of the tables only its own rows."""
    for run in kept:
        yield f"runs/{run.id}.json", _json([record.model_dump(mode="json") for record in run.records])
        if not (run.its_own or whole):
            continue
        for record in run.records:
            for address in (*record.inputs.values(), *record.outputs.values()):
                yield from _file(archive, address, gone.get(address[:2]) or gone_since(run.let_go, address[0]))
    yield from _evidence(archive, held, gone)


def _file(archive: Archive, address: Address, gone: Gone | None) -> Iterator[tuple[str, bytes]]:
    """A kept file under its digest; of one that is gone on purpose, why, and what stands in its place."""
    shelf, digest, suffix = address
    if gone is None or archive.has(address):
        yield f"kept/{shelf}/{digest}.{suffix}", archive.content(address)
        return
    yield f"kept/{shelf}/{digest}.gone.txt", f"{gone.why}; in its place: {gone.instead or 'nothing'}\n".encode()
    if gone.instead:
        yield f"kept/{shelf}/{gone.instead}.{suffix}", archive.content((shelf, gone.instead, suffix))


def _evidence(archive: Archive, held: Dossier, gone: Mapping[tuple[str, str], Gone]) -> Iterator[tuple[str, bytes]]:
    """Of each accepted table that the case was judged by, the rows of its orders."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for contract, digest in held.case.evidence.tables.items():
        struck = gone.get(("frames", digest))
        address = ("frames", struck.instead if struck else digest, "parquet")
        try:
            table = pq.read_table(BytesIO(archive.content(address)))
        except BrokenChain as fault:
            yield f"evidence/{contract.partition('@')[0]}.missing.txt", str(fault).encode()
            continue
        if "order_id" not in table.column_names:  # of no order, as the stock of a product is
            continue
        table = table.filter(pc.is_in(table["order_id"], pa.array(held.case.orders, pa.string())))
        written = BytesIO()
        pq.write_table(table, written, compression="zstd")
        yield f"evidence/{contract.partition('@')[0]}.parquet", written.getvalue()


def _page(held: Dossier, told: Mapping[str, Any], kept: Sequence[Run], key: str) -> str:
    from jinja2 import Environment, StrictUndefined

    template = (resources.files("desk") / "case_page.html.jinja").read_text("utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(template).render(case=held.case, row=held.row, told=told, runs=kept, key=key)


def _json(content: Any) -> bytes:
    return plain_json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True, default=str).encode() + b"\n"
