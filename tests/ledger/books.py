"""Ledgers to test on, and leave to act as it comes about: a proposal recorded, ruled on, and authorised."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from control_tower.errors import LedgerError
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.cases import record_proposals
from control_tower.ledger.rulings import Authorised, authorise, rule
from control_tower.nouns import Action, Money, Proposal, Verdict, digest_of

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def proposal(
    order: str = "1001", amount: int = 1200, action: Action = Action.refund, target: str = "", source: str = "shop"
) -> Proposal:
    rests_on: dict[str, object] = {"refundable_amount": amount}
    return Proposal(
        case_id=digest_of(order)[:16],
        lane="fulfilment",
        shop="shop",
        source=source,
        action=action,
        order_id=order,
        subject=order,
        target=target or order,
        money=Money(amount=amount, currency="EUR") if action is Action.refund else None,
        rests_on=rests_on,
        evidence=digest_of(rests_on),
        policy="fulfilment@1",
        reason="paid and never handed over",
        as_of=None,
    )


def approved(ledger: Ledger, asked: Proposal, by: str = "ana") -> Authorised:
    """Leave to act, from a person's ruling."""
    token = ""
    with contextlib.suppress(LedgerError):
        token = enrol(ledger, by, NOW)
    _tokens.setdefault((ledger.url, by), token)
    record_proposals(ledger, [], [asked], NOW)
    rule(
        ledger, asked.digest, Verdict.approve,
        approver=by, token=_tokens[ledger.url, by], reason="", via="command", now=NOW,
    )  # fmt: skip
    return authorise(ledger, asked.digest)


_tokens: dict[tuple[str, str], str] = {}


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL server: the one in TOWER_TEST_POSTGRES, or one of our own on loopback.

    Skips, with the reason, where there is neither.
    """
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if given := os.environ.get("TOWER_TEST_POSTGRES"):
        yield given
        return
    found = shutil.which("initdb") or next(iter(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    if found is None:
        pytest.skip("no PostgreSQL here: name one in TOWER_TEST_POSTGRES, or install it")
    binaries = Path(found).resolve().parent if Path(found).is_symlink() else Path(found).parent
    user = _who_may_run_it()
    folder = Path(tempfile.mkdtemp(prefix="tower-postgres-"))
    if user:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = folder / "cluster"
    try:
        subprocess.run(
            [binaries / "initdb", "-D", cluster, "-A", "trust", "-U", "tower", "-E", "UTF8", "--no-sync"],
            check=True, capture_output=True, user=user, cwd=folder,
        )  # fmt: skip
        server = subprocess.Popen(
            [binaries / "postgres", "-D", cluster, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=(folder / "log").open("w"), user=user, cwd=folder,
        )  # fmt: skip
        try:
            url = f"postgresql+psycopg://tower@127.0.0.1:{port}/postgres"
            _wait_for(url)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # at once, whoever is still connected
            server.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _who_may_run_it() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid():
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return name
    pytest.skip("PostgreSQL does not run as root, and there is nobody else")


def _wait_for(url: str) -> None:
    import time

    from sqlalchemy.exc import OperationalError

    engine = create_engine(url)
    for _ in range(200):
        try:
            with engine.connect():
                return
        except OperationalError:
            time.sleep(0.1)
    raise TimeoutError("PostgreSQL did not start")


def new_database(server: str) -> str:
    """URL of an empty database on a server."""
    from uuid import uuid4

    from sqlalchemy import make_url

    name = f"tower_{uuid4().hex[:12]}"
    with create_engine(server, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return make_url(server).set(database=name).render_as_string(hide_password=False)
