"""What customers write is read in three languages, with the words that say so, and proves nothing by itself."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_tower.errors import PolicyError
from control_tower.ledger import Ledger
from control_tower.settings import Settings
from control_tower.stores.generator.catalogue import REASONS as REASON_CODES
from control_tower.stores.generator.catalogue import SAID
from desk.command import main
from desk.model_evaluate import intents, reviews
from policies.meanings import Meanings, faults, meanings
from policies.papers import HOUSE, read_paper
from tasks.reading import read_by_model, read_by_paper
from tasks.reading_quality import Labelled, measured
from tests.model.provider import Provider

REASONS = ("return_reason",)


def data(name: str) -> Path:
    given = os.environ.get("TOWER_DATA")
    folder = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
    if not (folder / name).is_dir():
        pytest.skip(f"public data {name!r} is absent; name its folder in TOWER_DATA")
    return folder


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("The shade is way too small for our lamp.", "size_too_small"),
        ("Ficou muito apertado em mim", "size_too_small"),
        ("Me queda demasiado estrecho", "size_too_small"),
        ("It runs large, I was swimming in it.", "size_too_large"),
        ("O vestido ficou enorme", "size_too_large"),
        ("Es muy grande, quería otra cosa", "size_too_large"),
        ("It arrived broken.", "damaged_in_transit"),
        ("O produto chegou quebrado", "damaged_in_transit"),
        ("El jarrón llegó roto", "damaged_in_transit"),
        ("You sent me the wrong item", "wrong_item"),
        ("Recebi um produto errado", "wrong_item"),
        ("Me enviaron un artículo equivocado", "wrong_item"),
        ("Some parts are missing", "missing_parts"),
        ("Faltou uma peça", "missing_parts"),
        ("Falta una pieza", "missing_parts"),
        ("It stopped working after a day", "defective"),
        ("O aparelho não funciona", "defective"),
        ("El aparato no funciona", "defective"),
        ("It does not work", "defective"),
        ("I could not close the zipper", "size_too_small"),
        ("I did not want it", "unwanted"),
        ("It came too late for the birthday", "late_delivery"),
        ("Chegou atrasado", "late_delivery"),
        ("Llegó tarde", "late_delivery"),
        ("I changed my mind", "unwanted"),
        ("Me arrepentí de la compra", "unwanted"),
        ("Mudei de ideia", "unwanted"),
        ("The color is not as pictured", "color"),
        ("A cor é diferente", "color"),
        ("Otro color del que pedí", "color"),
    ],
)
def test_a_reason_is_read_with_the_words_that_give_it(text: str, meaning: str) -> None:
    found = {one.meaning: one for one in read_by_paper(text, REASONS)}
    assert meaning in found
    assert found[meaning].words and found[meaning].words in text


@pytest.mark.parametrize(("meaning", "text"), zip(REASON_CODES, SAID, strict=True))
def test_what_the_embedded_shops_customers_say_is_read_as_their_reason(meaning: str, text: str) -> None:
    assert meaning == read_by_paper(text, REASONS)[0].meaning


@pytest.mark.parametrize(
    "text",
    ["I never received my parcel", "I have not received my order", "The tracking says it is here and it did not arrive",
     "It has not been delivered", "My parcel didn't come", "Nobody came, and the parcel did not show up",
     "Ainda não recebi o produto",
     "Não chegou meu produto", "Todavía no me llegó el pedido", "No he recibido nada"],
)  # fmt: skip
def test_not_received_is_read_in_three_languages(text: str) -> None:
    assert "not_received" in {one.meaning for one in read_by_paper(text, ("contact",))}


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("It is not too small at all", "size_too_small"), ("Não ficou grande", "size_too_large"),
     ("It isn't too big", "size_too_large"), ("Nothing wrong here. It arrived early", "damaged_in_transit"),
     ("I received it, thank you", "not_received"), ("Recebi tudo certinho", "not_received")],
)  # fmt: skip
def test_what_is_denied_is_not_read(text: str, meaning: str) -> None:
    assert meaning not in {one.meaning for one in read_by_paper(text, ("return_reason", "contact"))}


@given(st.text(max_size=400))
def test_whatever_is_written_what_is_read_stands_there(text: str) -> None:
    for one in meanings().read(text):
        assert text[one.start : one.end].replace("’", "'") == one.words


def test_a_paper_whose_pattern_would_be_found_in_anything_is_refused(tmp_path: Path) -> None:
    text = (HOUSE / "meanings.yaml").read_text("utf-8")
    for change in (('"beyond snug"', '"*"'), ("id: color", "id: style"), ('      pt: ["outra cor"', '      fr: ["x"')):
        (tmp_path / "meanings.yaml").write_text(text.replace(*change), "utf-8")
        if change[1] in text or change[0] not in text:
            continue
        with pytest.raises(PolicyError, match=r"meanings\.yaml:\d+"):
            read_paper(Meanings, tmp_path / "meanings.yaml", faults)


def test_the_intents_of_labelled_sentences_are_read_as_well_as_is_said() -> None:
    texts = intents(data("bitext_support"), "test")
    labels = {label for one in texts for label in one.means}
    found = measured(texts, lambda one: frozenset(r.meaning for r in read_by_paper(one.text, ("contact",))[:1]), labels)
    for row in (*found.labels, found.together):
        print(f"{row.label:26} {row.labelled:5} precision {row.precision or 0:.2f} recall {row.recall or 0:.2f}")
    assert len(labels) == 27 and labels <= set(meanings().by_id)
    assert (found.together.precision or 0) >= 0.95 and (found.together.recall or 0) >= 0.88


def test_the_reasons_of_reviews_that_a_person_labelled_are_read_as_well_as_is_said() -> None:
    texts = reviews(data("womens_reviews"))
    kinds = ("return_reason", "mention")
    labels = {label for one in texts for label in one.means}
    found = measured(texts, lambda one: frozenset(r.meaning for r in read_by_paper(one.text, kinds)), labels)
    for row in (*found.labels, found.together):
        print(f"{row.label:18} {row.labelled:5} precision {row.precision or 0:.2f} recall {row.recall or 0:.2f}")
    assert len(texts) == 95
    assert (found.together.precision or 0) >= 0.78 and (found.together.recall or 0) >= 0.9


@pytest.mark.slow
def test_all_reviews_that_mention_a_return_are_read_as_well_as_is_printed() -> None:
    """2,056 of 23,486 say return, send or sent back, going back, or refund; of those, who says which size it was."""
    file = data("womens_reviews") / "womens_reviews" / "womens_clothing_reviews.csv.gz"
    with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
        texts = [f"{row['Title']}. {row['Review Text']}" for row in csv.DictReader(opened)]
    mentions = [text for text in texts if re.search(r"\breturn|sen[dt] back|going back|refund", text.lower())]
    sizes = {
        "size_too_small": r"too small|too tight|too short|too snug|(?:runs?|ran|runs so|way|very) small|size up",
        "size_too_large": r"too (?:big|large|loose|long|wide)|(?:runs?|ran|very) (?:big|large)|huge|size down",
    }
    means = [
        Labelled(str(at), text, frozenset(one for one, words in sizes.items() if re.search(words, text.lower())))
        for at, text in enumerate(mentions)
    ]
    kinds = ("return_reason", "mention")
    read = {one.name: frozenset(found.meaning for found in read_by_paper(one.text, kinds)) for one in means}
    found = measured(means, lambda one: read[one.name], sizes)
    sent_back = sum("sent_back" in said for said in read.values())
    print(f"{len(texts):,} reviews, {len(mentions):,} mention a return, {sent_back:,} read as sent back")
    for row in (*found.labels, found.together):
        print(f"{row.label:18} {row.labelled:5} precision {row.precision or 0:.2f} recall {row.recall or 0:.2f}")
    assert (len(texts), len(mentions)) == (23_486, 2056)
    assert sent_back > 0.7 * len(mentions)
    assert (found.together.recall or 0) >= 0.9


def test_a_review_that_says_not_received_of_a_delivered_order_is_found_in_portuguese() -> None:
    folder = data("olist") / "olist"
    with gzip.open(folder / "olist_orders_dataset.csv.gz", "rt", encoding="utf-8") as file:
        delivered = {row["order_id"] for row in csv.DictReader(file) if row["order_delivered_customer_date"]}
    said = low = 0
    with gzip.open(folder / "olist_order_reviews_dataset.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            text = f"{row['review_comment_title']}. {row['review_comment_message']}"
            if row["order_id"] in delivered and any(
                one.meaning == "not_received" for one in read_by_paper(text, ("contact",))
            ):
                said += 1
                low += int(row["review_score"]) <= 3
    print(f"{said} reviews of delivered orders say something was not received; {low} of them with three stars at most")
    assert said >= 150 and low / said > 0.6


@pytest.mark.slow
def test_a_model_reads_only_what_is_on_the_list_and_in_the_text(
    tower: Callable[..., Settings], ledger: Ledger, loopback: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Hi, ana@mail.example.com here: the shade is too small."

    def read(reply: dict[str, object], name: str) -> list[tuple[str, str]]:
        monkeypatch.setattr(loopback, "answer", lambda body: json.dumps(reply))
        found = read_by_model(ledger, tower(), b"k" * 32, name, f"{text} {name}", REASONS)
        return [(one.meaning, one.words) for one in found]

    assert read({"meaning": "size_too_small", "words": "too small"}, "a") == [("size_too_small", "too small")]
    assert read({"meaning": "approve_refund", "words": "too small"}, "b") == []
    assert read({"meaning": "defective", "words": "it exploded"}, "c") == []
    assert read({"meaning": "defective", "words": ""}, "d") == []
    assert read({"meaning": "none", "words": ""}, "e") == []
    assert "ana@mail" not in json.dumps(loopback.asked[-1])


@pytest.mark.slow
def test_the_same_table_is_there_for_a_model_that_is_configured(
    folder: Path,
    loopback: Provider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def answer(body: dict[str, object]) -> str:
        sent = json.loads(body["messages"][-1]["content"])  # type: ignore[index]
        read = [one for one in read_by_paper(sent["text"], ("contact", *REASONS)) if one.meaning in sent["meanings"]]
        return json.dumps(
            {"meaning": read[0].meaning, "words": read[0].words} if read else {"meaning": "none", "words": ""}
        )

    monkeypatch.setattr(loopback, "answer", answer)
    told = {"DATA": data("bitext_support"), "HOME": folder, "MODEL": "openai/reader", "MODEL_URL": loopback.url,
            "LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}"}  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(f"TOWER_{name}", str(value))
    data("womens_reviews")
    with pytest.raises(SystemExit) as ended:
        main(["model", "evaluate", "--json", "--limit", "20"])
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 4
    assert any("by openai/reader on 20" in name for name in found)
    assert all(rows[-1]["label"] == "together" for rows in found.values())
