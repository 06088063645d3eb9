"""Exhibits: the evidence of a case as items with ids, as a person, a model and a check all name them.

A finding is `F1`, a fact that it rests on `F1.days_held`, a note `N1`. What may leave the house is decided by
`policies/disclosure.yaml`; the rest of a case has no exhibit and can't be pointed at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from control_tower.errors import PolicyError
from control_tower.nouns import Answer, Case, Told, digest_of, told_once
from policies import Policy
from policies.disclosure import Disclosure, disclosure
from tasks.shops import version_of

FINDINGS = 20
NOTES = 5
STANCES = {Answer.yes: "supports", Answer.no: "weakens", Answer.unknown: "context"}


@dataclass(frozen=True)
class Note:
    """A text from outside, as it is in the record."""

    id: str
    subject: str
    fact: str
    written_by: str
    text: str


@dataclass(frozen=True)
class Exhibits:
    """What can be pointed at, quoted and asked for."""

    findings: Mapping[str, Told]
    facts: Mapping[str, tuple[str, JsonValue]]
    notes: Mapping[str, Note]
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    policy: Policy
    own: Mapping[str, str]
    longest_note: int

    @property
    def stances(self) -> dict[str, tuple[str, ...]]:
        """The stances that the rules leave open, by id: a finding has its own, its facts share it or are context."""
        found = {id: (STANCES[told.finding.answer],) for id, told in self.findings.items()}
        return found | {id: tuple({*found[id.partition(".")[0]], "context"}) for id in self.facts}

    @property
    def digest(self) -> str:
        """Digest of all of it: what a prepared brief was made from."""
        told = {id: one.finding.model_dump(mode="json") for id, one in self.findings.items()}
        notes = {id: [note.subject, note.fact, note.text] for id, note in self.notes.items()}
        return digest_of([self.policy.reference, told, dict(self.facts), notes, self.reasons, self.missing])


def exhibits_of(case: Case, read: dict[str, tuple[Policy, Disclosure]] | None = None) -> Exhibits:
    """The exhibits of a case under the policy that judged it.

    Args:
        read: what was read for other cases by the same policy, and is not read again; is added to.

    Raises:
        PolicyError: that version is gone.
    """
    read = {} if read is None else read
    key = f"{case.shop}: {case.risk.policy}"  # of one name, what a shop reads may still be its own
    if key not in read:
        found = version_of(case)
        if not isinstance(found, Policy):
            raise PolicyError(f"{found.reference} judges nothing", where=case.id)
        read[key] = found, disclosure()
    policy, rules = read[key]
    findings = {f"F{number}": told for number, told in enumerate(told_once(case.findings)[:FINDINGS], 1)}
    facts = {
        f"{id}.{name}": (name, value)
        for id, told in findings.items()
        for name, value in rules.disclosed(policy, told.finding.values).items()
    }
    notes = _notes(case, policy, rules)
    reason = policy.facts.get("reason")
    return Exhibits(
        findings=findings,
        facts=facts,
        notes=notes,
        reasons=reason.one_of if reason and notes else (),
        missing=_missing(case, policy),
        policy=policy,
        own=_own(case, policy, rules),
        longest_note=rules.longest_note,
    )


def _notes(case: Case, policy: Policy, rules: Disclosure) -> dict[str, Note]:
    found = [
        (str(record.get(policy.subject, "")), note.fact, note.written_by, str(record[note.fact]))
        for record in case.evidence.facts
        for note in rules.notes
        if record.get(note.fact)
    ]
    # Words that stand in another note of the same subject are not told twice.
    whole = [one for one in found if not any(one[3] in other[3] != one[3] and one[0] == other[0] for other in found)]
    once = list(dict.fromkeys(whole))[:NOTES]
    return {f"N{number}": Note(f"N{number}", *one) for number, one in enumerate(once, 1)}


def _missing(case: Case, policy: Policy) -> tuple[str, ...]:
    """What somebody has and the case has not: asked for by a finding, or unknown beside what a finding rests on."""
    asked = {name for finding in case.findings for name in (*finding.missing, *finding.ask)}
    read = {name for finding in case.findings for name in finding.values}
    unknown = {name for record in case.evidence.facts for name in read if name in record and record[name] is None}
    return tuple(sorted(name for name in asked | unknown if name in policy.facts))


def _own(case: Case, policy: Policy, rules: Disclosure) -> dict[str, str]:
    own: dict[str, str] = {}
    for number, record in enumerate(case.evidence.facts):
        for name, value in rules.own_values(policy, record).items():
            own[name if not number else f"{name}_{number}"] = value
    return own
