"""What a customer reads: approved words in three languages, and a check of whatever a person made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_tower.errors import PolicyError
from policies.leaks import leaks
from policies.messages import LANGUAGES, TONES, Messages, faults, filled, messages
from policies.papers import HOUSE, read_paper

DRAFT = filled(messages(), messages().messages[0], "en", "plain", {"order": "A-1001", "shop": "the lamp shop"}, None)
HIDDEN = {"address_mismatch", "orders_by_card_minute", "c0ffee00c0ffee00"}


def found(sentence: str) -> list[str]:
    text = DRAFT.replace("You need not do anything.", sentence)
    return [leak.found for leak in leaks(text, messages(), DRAFT, HIDDEN)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Your order is under review.",
        "Our fraud team has it.",
        "We noticed several orders in a short time.",
        "Your billing and shipping address do not match.",
        "We are double-checking your payment details.",
        "A routine verification takes a day.",
        "It was flagged by our system.",
        "Your risk score is high.",
        "Your score is 87.",
        "Rule address mismatch fired.",
        "The rule address_mismatch fired.",
        "Your device c0ffee00c0ffee00 is known.",
        "f r a u d check",
        "f.r.a.u.d",
        "frаud check",
        "fr\u200baud check",
        "ｆｒａｕｄ check",
        "fr4ud check",
        "FRAUD",
        "fráud",
        "You claim that it never came.",
        "We will refund you tomorrow.",
        "You get a voucher.",
        "We guarantee it.",
        "Pay at https://evil.example/now",
        "Pay at evil-shop.com now",
        "Call 0151 23456",
        "It costs 12.50 more.",
        "<b>Wait</b>",
        "[here](x)",
        "O seu pedido está em análise de risco.",
        "Percebemos vários pedidos em pouco tempo.",
        "O endereço de cobrança não confere.",
        "Faremos o reembolso amanhã.",
        "Seu pedido foi retido por segurança.",
        "Su pedido está retenido por seguridad.",
        "Hemos detectado algo: sospechamos un fraude.",
        "Notamos varios pedidos en poco tiempo.",
        "La dirección de facturación no coincide.",
        "Le haremos el reembolso mañana.",
        "x" * 2000,
        "\u202eevorppa",
    ],
)
def test_a_wording_that_tells_or_promises_is_refused(sentence: str) -> None:
    assert found(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "There is nothing for you to do.",
        "Thank you for waiting!",
        "We are sorry that this takes so long.",
        "The warehouse is very busy at the moment.",
        "The weather has slowed the carrier down.",
        "Your order A-1001 is with us.",
        "Please write to us whenever you like.",
        "Would you like to wait, or shall we cancel it?",
        "Obrigado por esperar.",
        "O transporte está mais lento nestes dias.",
        "Gracias por esperar.",
        "El transporte va más lento estos días.",
        "Have a nice weekend.",
        "It will be worth the wait, we hope.",
    ],
)
def test_a_harmless_wording_passes(sentence: str) -> None:
    assert found(sentence) == []


def test_every_message_is_there_in_every_language_and_tone_and_leaks_nothing() -> None:
    approved = messages()
    assert {len(one.words) for one in approved.messages} == {len(LANGUAGES)}
    assert {len(words) for one in approved.messages for words in one.words.values()} == {len(TONES)}
    assert faults(approved) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("{order}", "{score}"), "no slot 'score'"),
        (("is taking a little longer", "is under review, which takes longer"), "tells of a review"),
        (("You need not do anything", "A refund is on its way"), "promises"),
        (("about: return", "about: order"), "a second message about 'order'"),
        (("tone", "tone"), ""),
        (("longest:", "longes:"), "there is no field 'longes'"),
        (("        warm: |", "        cold: |"), "cold"),
        (("{order}", "{order.__class__}"), "no slot"),
        (("{order}", "{order!r}"), "no slot"),
    ],
)
def test_words_that_must_not_ship_are_refused_with_their_line(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    text = (HOUSE / "messages.yaml").read_text("utf-8").replace(*change)
    (tmp_path / "messages.yaml").write_text(text, "utf-8")
    if not said:
        assert read_paper(Messages, tmp_path / "messages.yaml", faults).id == "messages"
        return
    with pytest.raises(PolicyError, match=r"messages\.yaml:\d+") as refused:
        read_paper(Messages, tmp_path / "messages.yaml", faults)
    assert said in str(refused.value)
