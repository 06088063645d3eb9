"""Who sent a webhook, proved over its raw bytes; whatever is wrong with a signature, the answer is no."""

from __future__ import annotations

import base64
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

TOLERANCE = 300
"""Seconds that a signed time may differ from now: what is older is a replay."""
STRIPE_ELEMENTS = 20


@dataclass(frozen=True)
class Delivery:
    """One request, as it came.

    Args:
        headers: names in lower case to every value that was given.
        body: the raw bytes, which are what is signed.
        token: what stood in the path.
        now: seconds since 1970.
    """

    headers: Mapping[str, Sequence[str]]
    body: bytes
    token: str = ""
    now: float = 0.0

    def only(self, name: str) -> str:
        """The one value of a header; nothing where there is none, or several."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else ""


Proof = Callable[[Delivery, str], bool]


def in_base64(header: str) -> Proof:
    """A signature in base64, in this header: Shopify's, WooCommerce's and AfterShip's way."""

    def proved(sent: Delivery, secret: str) -> bool:
        return _same(base64.b64encode(_signed(secret.encode(), sent.body)).decode(), sent.only(header))

    return proved


def of_stripe(sent: Delivery, secret: str) -> bool:
    """`t=TIME,v1=HEX`, with one v1 for each secret while they are changed; the time is signed, and must be now."""
    parts = [part.partition("=") for part in sent.only("stripe-signature").split(",")[:STRIPE_ELEMENTS]]
    times = [value for name, _, value in parts if name == "t"]
    if not all(equals for name, equals, _ in parts if name in ("t", "v1")):
        return False
    if len(times) != 1 or not re.fullmatch(r"[0-9]{1,12}", times[0]) or abs(sent.now - int(times[0])) > TOLERANCE:
        return False
    right = _signed(secret.encode(), times[0].encode() + b"." + sent.body).hex()
    given = [value for name, _, value in parts if name == "v1"]
    return any(_same(right, value) for value in given)


def of_easypost(sent: Delivery, secret: str) -> bool:
    """`hmac-sha256-hex=HEX`, by the secret in its decomposed form."""
    key = unicodedata.normalize("NFKD", secret).encode()
    return _same(f"hmac-sha256-hex={_signed(key, sent.body).hex()}", sent.only("x-hmac-signature"))


def in_the_path(sent: Delivery, secret: str) -> bool:
    """A word in the address, for whoever signs nothing: it proves that the sender knows the address, and no more."""
    return _same(secret, sent.token)


def _signed(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")


def _same(right: str, given: str) -> bool:
    """Compared in a time that does not tell how far they agree."""
    return hmac.compare_digest(right.encode(), given.encode("utf-8", "surrogateescape"))
