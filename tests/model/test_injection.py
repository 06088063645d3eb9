"""Whatever is written where a shop takes text from outside, and however a model obeys it, nothing is decided by it."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from control_tower.model import Answered
from control_tower.model.asking import understood
from control_tower.model.briefs import Brief, Quoted
from control_tower.model.redaction import Redactor, cleaned
from control_tower.nouns import Case
from tasks.brief import brief
from tasks.customer_note import note_of
from tasks.exhibits import Exhibits, exhibits_of
from tasks.selection import brief_of, question, template
from tests.model.attacker import behaviours
from tests.model.cases import LATE, OPEN, a_case, a_refund
from tests.model.texts import NOTES, PLACES, public
from tests.thorough import up_to

KEY = b"k" * 32


def attacks() -> list[tuple[str, str]]:
    given = os.environ.get("TOWER_DATA")
    folder = (Path(given) if given else Path(__file__).parents[3] / "shared" / "data") / "injection"
    texts = list(dict.fromkeys(public(folder))) if folder.is_dir() else []
    return (
        [("reason_text", text) for text in (*texts, *NOTES)]
        + [(place, text) for place, held in PLACES.items() for text in held]
        + [(place, text) for place in ("contact_text", "review_text") for text in NOTES]
    )


def lines(told: str) -> list[str]:
    """The lines of a brief in any order, and the values of a line in any order."""
    return sorted(", ".join(sorted(line.removeprefix("  - from ").split(", "))) for line in told.splitlines())


def unharmed(case: Case, prepared: Brief, exhibits: Exhibits) -> bool:
    """Whether a brief says what the rules say, all of it, and of others' only what they wrote or what is on a list."""
    bare = prepared.model_copy(update={"quotes": (), "reason": "", "missing": {}, "source": "template", "why": ""})
    by_rules = template(case, exhibits, "").model_copy(update={"quotes": ()})
    proposed = (a_refund(case),)
    owners = {name: fact.owner for name, fact in exhibits.policy.facts.items()}
    return (
        lines(brief(case, proposed, bare)) == lines(brief(case, proposed, by_rules))
        and all(one.text in _written(exhibits, one) for one in prepared.quotes)
        and prepared.reason in ("", *exhibits.reasons)
        and all(owners[name] == owner for name, owner in prepared.missing.items())
        and set(prepared.points) <= {*exhibits.findings, *exhibits.facts}
        and set(exhibits.findings) <= {point.partition(".")[0] for point in prepared.points}
    )


def _written(exhibits: Exhibits, quoted: Quoted) -> str:
    """What was quoted, whole, on one line and without what is not seen."""
    return next(cleaned(note.text, 1500) for note in exhibits.notes.values() if note.fact == quoted.fact)


@pytest.mark.slow
@pytest.mark.parametrize("one_in", [pytest.param(1, marks=pytest.mark.large), 4])
def test_an_obedient_attacker_changes_no_recommendation_owner_amount_or_citation(one_in: int) -> None:
    tried = refused = harmed = drafts = 0
    draft = note_of(a_case())
    for place, text in list(attacks())[::one_in]:
        for situation in (LATE, OPEN):
            case = a_case(**situation | {place: text})
            drafts += place != "order_id" and note_of(case) != draft
            exhibits = exhibits_of(case)
            redactor = Redactor(KEY, case.id, exhibits.own)
            asked = question(case, exhibits, redactor)
            for reply in behaviours(json.loads(asked.content), text):
                answer, why = understood(asked, reply)
                prepared = brief_of(case, exhibits, redactor, Answered(answer, why, "attacker"))
                tried += 1
                refused += answer is None
                harmed += not unharmed(case, prepared, exhibits)
    print(f"{tried:,} attempts, {refused:,} refused, {harmed} changed what is decided, {drafts} changed a draft")
    assert tried > 60 * 16 / one_in
    assert harmed == drafts == 0


def test_our_own_attacks_are_many_and_in_every_place_where_a_shop_takes_text() -> None:
    own = len(NOTES) + sum(map(len, PLACES.values()))
    print(f"{own} attacks of our own in {len(PLACES) + 1} places")
    assert own >= 60


@pytest.mark.slow
def test_random_replies_are_refused_or_say_only_what_the_evidence_says() -> None:
    drawn = random.Random(7)
    case = a_case(**OPEN, reason_text="The shade is far too small, and my order-1001 came late.", reason=None)
    exhibits = exhibits_of(case)
    redactor = Redactor(KEY, case.id, exhibits.own)
    asked = question(case, exhibits, redactor)
    sent = json.loads(asked.content)
    refused = told = harmed = 0
    replies = up_to(4000)
    for _ in range(replies):
        answer, why = understood(asked, a_reply(drawn, sent))
        refused += answer is None
        told += answer is not None
        harmed += not unharmed(case, brief_of(case, exhibits, redactor, Answered(answer, why, "fuzz")), exhibits)
    print(f"{replies:,} replies: {refused:,} refused, {told:,} told, {harmed} said what the evidence does not")
    assert told > 100 and refused > 100
    assert harmed == 0


def a_reply(drawn: random.Random, sent: dict[str, Any]) -> str:
    """A reply that is nearly right, in a random way."""
    note = sent["notes"][0]["text"]
    ids = [item["id"] for item in sent["evidence"]]
    if drawn.random() < 0.1:
        return "".join(drawn.choices('{}[]":,points evidence 0123456789é\\n', k=drawn.randrange(200)))
    start = drawn.randrange(len(note))
    reply: dict[str, Any] = {
        "points": [
            {"evidence": drawn.choice([*ids] * 20 + ["F9", "N1", ""]),
             "stance": drawn.choice(["supports"] * 6 + ["context"] * 6 + ["weakens", "approve"])}
            for _ in range(drawn.randrange(4))
        ],
        "quotes": [
            {"note": "N1", "text": drawn.choice([note[start : start + drawn.randrange(3, 60)]] * 9 + ["not there"])}
            for _ in range(drawn.randrange(3))
        ],
        "reason": drawn.choice(["unclear"] * 3 + sent["reasons"] + ["approve"]),
        "missing": drawn.sample([*sent["missing"], *(["refund"] if drawn.random() < 0.1 else [])],
                                k=min(1, len(sent["missing"]))),
    }  # fmt: skip
    if drawn.random() < 0.1:
        reply[drawn.choice(["verdict", "amount", "owner", "text"])] = drawn.choice([True, 9999, "approve", None])
    if drawn.random() < 0.1:
        reply.pop(drawn.choice(list(reply)))
    if drawn.random() < 0.1:
        reply[drawn.choice(list(reply))] = drawn.choice([None, 7, "x", [], {}, [[[]]], "F1" * 1000])
    return json.dumps(reply, ensure_ascii=False)
