"""What preparing a case costs without the provider: questions made, replies checked, briefs rendered, texts read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from control_tower.model import Answered
from control_tower.model.asking import understood
from control_tower.model.redaction import Redactor
from policies.disclosure import Disclosure
from policies.document import Policy
from tasks.brief import brief
from tasks.exhibits import exhibits_of
from tasks.reading import read_by_paper
from tasks.selection import brief_of, question
from tests.model.attacker import honest
from tests.model.cases import LATE, a_case

ROUNDS = 500
TEXT = "Ana here, ana@mail.example.com: it is way too small, and the colour is not the one in the picture. "


def rate(what: str, do: Callable[[], object]) -> None:
    """Print how often a second something can be done."""
    begun = time.perf_counter()
    for _ in range(ROUNDS):
        do()
    print(f"{what:28} {ROUNDS / (time.perf_counter() - begun):10,.0f} a second")


def main() -> None:
    """Print each rate."""
    case = a_case(**LATE, reason_text=TEXT * 10)
    read: dict[str, tuple[Policy, Disclosure]] = {}
    exhibits = exhibits_of(case, read)
    redactor = Redactor(b"k" * 32, case.id, exhibits.own)
    asked = question(case, exhibits, redactor)
    reply = json.dumps(honest(json.loads(asked.content)))
    answer, why = understood(asked, reply)
    prepared = brief_of(case, exhibits, redactor, Answered(answer, why, "bench"))
    rate("exhibits of a case", lambda: exhibits_of(case, read))
    rate("question, redacted", lambda: question(case, exhibits, Redactor(b"k" * 32, case.id, exhibits.own)))
    rate("reply checked", lambda: understood(asked, reply))
    rate("brief rendered", lambda: brief(case, (), prepared))
    rate("text of 100 letters read", lambda: read_by_paper(TEXT, ("return_reason", "contact")))


if __name__ == "__main__":
    main()
