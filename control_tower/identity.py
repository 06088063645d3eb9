"""What identifies a person, as a keyed hash: two orders can be seen to share it, and nobody can read it back."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

SIZE = 16
"""Bytes of a hash: by chance, no two of a shop's customers share one."""


def identity_key(folder: Path) -> bytes:
    """The tower's own key for hashes: 32 random bytes in a file that its owner alone reads, made when first asked."""
    file = folder / "identity.key"
    if not file.exists():
        fresh, name = tempfile.mkstemp(dir=folder, prefix="identity.")  # mkstemp gives it to its owner alone
        try:
            with os.fdopen(fresh, "w") as writing:
                writing.write(secrets.token_hex(32))
            with contextlib.suppress(FileExistsError):
                os.link(name, file)  # whole, or not at all: of two that make one at once, one stays
        finally:
            Path(name).unlink()
    return bytes.fromhex(file.read_text())


def hashed(key: bytes, value: str) -> str | None:
    """A keyed hash of a mail or network address, or of a postal one, however it is spelt; none of nothing.

    Case, spaces and punctuation don't count, but for those that tell one mail or network address from another.
    """
    plain = "".join(letter for letter in value.casefold() if letter.isalnum() or letter in "@.:+-_")
    return hashlib.blake2b(plain.encode(), digest_size=SIZE, key=key).hexdigest() if plain else None
