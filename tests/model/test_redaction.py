"""Personal data stays: the record's own values however they are written, and whatever is proved to be such a thing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_tower.model.redaction import Redactor, cleaned, tower_key
from policies import load
from policies.disclosure import disclosure
from policies.reader import names
from tasks.exhibits import exhibits_of
from tasks.selection import question
from tests.model.cases import AS_OF, LATE, a_case

KEY = b"k" * 32
OWN = {"customer_name": "María José Conceição", "order_id": "order-1001", "street": "Rua das Flores 12"}


def redactor(case: str = "case-1") -> Redactor:
    return Redactor(KEY, case, OWN)


@pytest.mark.parametrize(
    ("text", "secret", "kind"),
    [
        ("write to ana.b+x@mail.example.com please", "ana.b+x@mail.example.com", "EMAIL"),
        ("call +49 (151) 234-56789 after six", "+49 (151) 234-56789", "PHONE"),
        ("meu celular 11 91234-5678", "11 91234-5678", "PHONE"),
        ("card 4111 1111 1111 1111", "4111 1111 1111 1111", "CARD"),
        ("card 5500-0055-5555-5559", "5500-0055-5555-5559", "CARD"),
        ("IBAN DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00", "IBAN"),
        ("pay to GB82WEST12345698765432", "GB82WEST12345698765432", "IBAN"),
        ("CPF 529.982.247-25", "529.982.247-25", "CPF"),
        ("from 203.0.113.77", "203.0.113.77", "ADDRESS"),
        ("from 2001:db8::1", "2001:db8::1", "ADDRESS"),
        ("see https://example.com/?me=1", "https://example.com/?me=1", "LINK"),
        ("passport 123456789012345678901", "123456789012345678901", "NUMBER"),
        ("I am MARIA JOSE CONCEICAO", "MARIA JOSE CONCEICAO", "CUSTOMER_NAME"),
        ("sou a maría  josé conceição", "maría josé conceição", "CUSTOMER_NAME"),
        ("rua das flores 12", "rua das flores 12", "STREET"),
        ("about ORDER-1001!", "ORDER-1001", "ORDER_ID"),
    ],
)
def test_it_is_replaced_by_a_token_and_can_be_put_back_here(text: str, secret: str, kind: str) -> None:
    mine = redactor()
    sent = mine.redact(text, 1500)
    assert secret not in sent and re.search(rf"<{kind}_[0-9a-f]{{12}}>", sent), sent
    assert mine.restore(sent) == cleaned(text, 1500)


@pytest.mark.parametrize(
    "text",
    ["It arrived on 2026-03-05 at 10:30",
     "size 38, 3 of 4 broken", "costs 1,299.00 EUR", "version 1.2.3", "4111 is odd",
     "DE89 is on the label", "order-10012 is not mine"],
)  # fmt: skip
def test_what_only_looks_a_little_like_it_stays(text: str) -> None:
    assert redactor().redact(text, 1500) == text


def test_a_token_says_nothing_beyond_its_case() -> None:
    text = "ana@mail.example.com"
    assert redactor("case-1").redact(text, 99) == redactor("case-1").redact(text, 99)
    assert redactor("case-1").redact(text, 99) != redactor("case-2").redact(text, 99)
    assert Redactor(b"j" * 32, "case-1", OWN).redact(text, 99) != redactor().redact(text, 99)


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from([*OWN.values(), "ana@mail.example.com"]))
def test_whatever_is_written_around_it_the_value_does_not_leave(before: str, after: str, secret: str) -> None:
    mine = redactor()
    text = f"{before} {secret} {after}"
    sent = mine.redact(text, 1500)
    assert secret.casefold() not in sent.casefold()
    assert mine.restore(sent) == cleaned(text, 1500)


def test_a_forged_token_is_no_token() -> None:
    mine = redactor()
    token = mine.redact("order-1001", 99)
    assert token not in mine.redact(f"say {token}", 99)


def test_the_towers_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = tower_key(tmp_path)
    assert len(key) == 32 and tower_key(tmp_path) == key
    assert (tmp_path / "model.key").stat().st_mode & 0o777 == 0o600


def test_only_facts_on_the_list_are_sent_and_no_value_that_says_who_it_is() -> None:
    who = {"customer_id": "customer-of-renown", "return_id": "R-very-own", "order_id": "order-very-own",
           "line_id": "line-very-own"}  # fmt: skip
    case = a_case(**LATE, **who, reason_text="I am customer-of-renown, ana@mail.example.com, of order-very-own")
    exhibits = exhibits_of(case)
    asked = question(case, exhibits, Redactor(KEY, case.id, exhibits.own))
    sent = json.dumps(asked.messages)
    assert not [value for value in (*who.values(), "ana@mail.example.com") if value in sent]
    assert '"days' not in sent and "6" in sent


@pytest.mark.parametrize(
    "lane", sorted(set(names()) & {"fraud", "fulfilment", "inventory", "returns", "subscriptions"})
)
def test_no_hash_id_country_or_free_text_of_a_lane_may_leave(lane: str) -> None:
    policy, rules = load(lane, AS_OF), disclosure()
    values = {
        name: "DE" if name.endswith("country") else "x" * 12
        for name, fact in policy.facts.items()
        if fact.type == "text"
    }
    leaving = rules.disclosed(policy, values)
    assert not [
        name for name in leaving if name.endswith(("_id", "_hash", "_country", "fingerprint", "_text", "message"))
    ]
    assert set(leaving) <= set(rules.texts)
