"""A signature proves its body, its secret and, where it is signed, its time; and nothing near them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from control_tower.webhooks.senders import SENDERS
from control_tower.webhooks.signatures import TOLERANCE, Delivery
from tests.thorough import up_to
from tests.webhooks.senders import signed

SIGNING = [name for name in SENDERS if name != "shippo"]
NOW = 1_780_000_000.0
SECRET = st.text(min_size=8, max_size=40)


def delivery(sender: str, body: bytes, secret: str, at: float = NOW, now: float = NOW) -> Delivery:
    told = signed(sender, body, secret, at)
    return Delivery({name.lower(): [value] for name, value in told.items()}, body, now=now)


@pytest.mark.parametrize("sender", SIGNING)
@given(body=st.binary(max_size=200), secret=SECRET)
@tries(max_examples=up_to(60), deadline=None)
def test_whatever_is_signed_is_proved(sender: str, body: bytes, secret: str) -> None:
    assert SENDERS[sender].proved(delivery(sender, body, secret), secret)


@pytest.mark.parametrize("sender", SIGNING)
@given(body=st.binary(min_size=1, max_size=200), place=st.integers(0, 199), bit=st.integers(0, 7), secret=SECRET)
@tries(max_examples=up_to(60), deadline=None)
def test_a_bit_that_differs_is_another_body(sender: str, body: bytes, place: int, bit: int, secret: str) -> None:
    sent = delivery(sender, body, secret)
    altered = bytearray(body)
    altered[place % len(body)] ^= 1 << bit
    assert not SENDERS[sender].proved(Delivery(sent.headers, bytes(altered), now=NOW), secret)


@pytest.mark.parametrize("sender", SIGNING)
@given(header=st.text(max_size=120), body=st.binary(max_size=50))
@tries(max_examples=up_to(60), deadline=None)
def test_no_other_text_is_a_signature_and_none_breaks_the_check(sender: str, header: str, body: bytes) -> None:
    sent = delivery(sender, body, "the secret of it")
    forged = {
        name: [header] if "type" not in name and "topic" not in name else value for name, value in sent.headers.items()
    }
    assert not SENDERS[sender].proved(Delivery(forged, body, now=NOW), "the secret of it")


@given(
    header=st.one_of(
        st.text("tv10=,abcdef 123456789", max_size=60),
        st.lists(st.sampled_from(["t=1780000000", "v1=RIGHT", "v1=00", "v0=RIGHT", "t=1", "v1", ""])).map(",".join),
    ),
    late=st.integers(-2 * TOLERANCE, 2 * TOLERANCE),
)
@tries(max_examples=up_to(200), deadline=None)
def test_stripe_itself_would_have_said_the_same(header: str, late: int) -> None:
    """Where ours is stricter: of two times Stripe's library takes the first, and it refuses no time to come."""
    stripe = pytest.importorskip("stripe")
    body, secret = b'{"id": "evt_1"}', "whsec_of_a_test"
    right = signed("stripe", body, secret, NOW)["Stripe-Signature"].split("v1=")[1].split(",")[0]
    told = header.replace("RIGHT", right)
    ours = SENDERS["stripe"].proved(Delivery({"stripe-signature": [told]}, body, now=NOW + late), secret)
    try:
        theirs = stripe.WebhookSignature.verify_header(body.decode(), told, secret, None)
    except (stripe.SignatureVerificationError, ValueError):
        theirs = False
    if ours:
        assert theirs and abs(late) <= TOLERANCE
    elif theirs:
        assert abs(late) > TOLERANCE or told.count("t=") > 1


def test_easyposts_secret_is_signed_with_in_its_decomposed_form() -> None:
    composed, decomposed = "s\u00e9cret of ours", "se\u0301cret of ours"
    assert SENDERS["easypost"].proved(delivery("easypost", b"{}", composed), decomposed)
