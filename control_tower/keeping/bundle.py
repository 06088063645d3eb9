"""A bundle: files in one ZIP, their sums in SHA256SUMS, and under that a signature which anybody can check.

Format `control-tower-bundle/1`, described in docs/keeping.md: `SHA256SUMS` as sha256sum writes it, over every other
file but the signature; `SHA256SUMS.sig`, 64 bytes of Ed25519 (RFC 8032) over it; `public.pem`, the key that checks it.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from control_tower.errors import KeepingError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SUMS, SIGNATURE, PUBLIC = "SHA256SUMS", "SHA256SUMS.sig", "public.pem"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # so that the same files are the same bundle, byte for byte


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """This tower's own key, in a file that its owner alone reads, made when first asked for.

    Raises:
        KeepingError: the file is no such key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    file = folder / "signing.pem"
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writing:
            fresh = Ed25519PrivateKey.generate()
            form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            writing.write(fresh.private_bytes(*form))
    except FileExistsError:
        pass
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeepingError("is no Ed25519 key", where=str(file), remedy="put back the one that was there")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The public half, as PEM."""
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the public key's PEM file, to be compared with one that was told some other way."""
    return hashlib.sha256(public_pem(key)).hexdigest()


def write_bundle(path: Path, files: Mapping[str, bytes], key: Ed25519PrivateKey) -> None:
    """Write files, their sums and the signature to one ZIP; it is there whole, or not at all."""
    held = {**files, PUBLIC: public_pem(key.public_key())}
    sums = "".join(f"{hashlib.sha256(held[name]).hexdigest()}  {name}\n" for name in sorted(held)).encode()
    held |= {SUMS: sums, SIGNATURE: key.sign(sums)}
    partial = path.with_name(path.name + ".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in sorted(held):
            bundle.writestr(zipfile.ZipInfo(name, LONG_AGO), held[name], zipfile.ZIP_DEFLATED)
    partial.replace(path)
