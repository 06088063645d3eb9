"""What the book must be able to read again and nobody else may: sealed with a key that lies outside the book."""

from __future__ import annotations

import contextlib
import hmac
import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from control_tower.errors import LedgerError
from control_tower.settings import settings


def seal(text: str) -> str:
    """The text, sealed with this tower's key."""
    return _cipher().encrypt(text.encode()).decode()


def unseal(text: str) -> str:
    """The text again.

    Raises:
        LedgerError: it was sealed with another key.
    """
    try:
        return _cipher().decrypt(text.encode()).decode()
    except InvalidToken:
        raise LedgerError(
            "a one-time code's secret was sealed with another key",
            remedy="set TOWER_APPROVER_KEY as where they enrolled, or renew with `tower approver rotate`",
        ) from None


def journal_key() -> bytes:
    """What the codes of the journal are made with: this tower's key, for this one purpose."""
    tower = settings()
    own = tower.approver_key.get_secret_value().encode() if tower.approver_key else _own_key(tower.folder)
    return hmac.digest(own, b"journal", "sha256")


def _cipher() -> Fernet:
    tower = settings()
    if tower.approver_key:
        return Fernet(tower.approver_key.get_secret_value())
    return Fernet(_own_key(tower.folder))


def _own_key(folder: Path) -> bytes:
    """This tower's own key, in a file that its owner alone reads, made when first asked."""
    file = folder / "approvers.key"
    if not file.exists():
        fresh, name = tempfile.mkstemp(dir=folder, prefix="approvers.")  # mkstemp gives it to its owner alone
        try:
            with os.fdopen(fresh, "wb") as writing:
                writing.write(Fernet.generate_key())
            with contextlib.suppress(FileExistsError):
                os.link(name, file)  # whole, or not at all: of two that make one at once, one stays
        finally:
            Path(name).unlink()
    return file.read_bytes()
