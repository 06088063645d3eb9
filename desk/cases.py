"""`tower queue`, `tower case`, `tower effects`, `tower outbox`: reading the book."""

from __future__ import annotations

from control_tower.keeping.step import open_archive
from control_tower.ledger import open_ledger
from control_tower.ledger.cases import queue
from control_tower.ledger.dossiers import Dossier, dossier
from control_tower.ledger.effects import alarms, list_effects
from control_tower.ledger.proposals import left_to_people, waiting_proposals
from control_tower.ledger.tables import CaseRow, ProposalRow
from control_tower.nouns import Case, Effect, Money, Proposal
from control_tower.settings import settings
from control_tower.stores.protocol import HANDS
from desk.show import as_json, out, printable, table
from tasks.brief import brief
from tasks.customer_note import note_of
from tasks.prepare import brief_for


def _money(row: CaseRow) -> str:
    return str(Money(amount=row.amount, currency=row.currency)) if row.amount is not None and row.currency else "-"


def _proposal(row: ProposalRow) -> Proposal:
    return Proposal.model_validate(row.body)


def show_queue(limit: int, *, json: bool, shop: str) -> None:
    """Open cases by priority, of one shop where it is named, with the proposals that wait, or are left to a person."""
    ledger = open_ledger(settings().ledger)
    cases = queue(ledger, shop=shop)
    mine = {case.id for case in cases}
    waiting = [row for row in waiting_proposals(ledger) if not shop or row.case_id in mine]
    by_case: dict[str, list[ProposalRow]] = {}
    for row in (*waiting, *left_to_people(ledger)):
        by_case.setdefault(row.case_id, []).append(row)
    if json:
        as_json(
            {
                "open": len(cases),
                "waiting": len(waiting),
                "cases": [
                    case.model_dump(mode="json", exclude={"body", "material"})
                    | {"proposals": [_waiting(row) for row in by_case.get(case.id, [])]}
                    for case in cases[:limit]
                ],
            }
        )
        return
    several = len({case.shop for case in cases}) > 1
    table(
        f"{len(cases)} open cases, {len(waiting)} proposals waiting (showing {min(limit, len(cases))})",
        ("case", *(["shop"] if several else []), "severity", "team", "what", "at risk", "due (UTC)", "proposed"),
        [
            (
                case.id,
                *([case.shop] if several else []),
                case.severity,
                f"{case.team} {case.owner}".strip(),
                case.title,
                _money(case),
                f"{case.due_at:%Y-%m-%d %H:%M}",
                "\n".join(_asked(row) for row in by_case.get(case.id, [])[:5]) or "-",
            )
            for case in cases[:limit]
        ],
        right=("at risk",),
    )
    if waiting:
        out.print("tower approve ID --as NAME   or   tower reject ID --as NAME --reason WHY", highlight=False)


def _asked(row: ProposalRow) -> str:
    left = " by hand" if row.standing == "by hand" else ""
    return f"{_proposal(row).action} {row.digest[:12]}{left}"


def _waiting(row: ProposalRow) -> dict[str, object]:
    proposal = _proposal(row)
    return {
        "id": row.digest[:12],
        "digest": row.digest,
        "action": proposal.action.value,
        "order": proposal.order_id,
        "amount": proposal.money.amount if proposal.money else None,
        "currency": proposal.money.currency if proposal.money else None,
        "flow_run": row.flow_run_id,
        "standing": row.standing,
    }


def show_case(handle: str, *, json: bool) -> None:
    """All the book holds on one case."""
    ledger = open_ledger(settings().ledger)
    held = dossier(ledger, handle)
    prepared = brief_for(ledger, held.case)
    note = note_of(held.case)
    if json:
        as_json(
            {
                "case": held.case.model_dump(mode="json"),
                "brief": prepared.model_dump(mode="json"),
                "picture": _picture(held.case),
                "customer_note": note,
                "standing": held.row.standing,
                "closed_reason": held.row.closed_reason,
                "proposals": [_waiting(row) for row in held.proposals],
                "rulings": [row.model_dump(mode="json") for row in held.rulings.values()],
                "effects": [row.model_dump(mode="json") for row in held.effects.values()],
                "history": [row.model_dump(mode="json") for row in held.events],
            }
        )
        return
    from rich.markdown import Markdown

    waiting = tuple(_proposal(row) for row in held.proposals if row.standing == "waiting")
    out.print(Markdown(printable(brief(held.case, waiting, prepared))))
    _show_links(held.case)
    if note:
        out.print("If the customer asks, and for no other reason than any delay:", highlight=False)
        out.print(note, markup=False, highlight=False)
    _show_standing(held)


def _picture(case: Case) -> str:
    """Where the picture of its links is kept; nothing where it has none."""
    digest = case.evidence.picture
    return open_archive(settings().artifacts).path("pictures", digest, "svg") if digest else ""


def _show_links(case: Case) -> None:
    """What its orders share with others, as a tree: what is shared, who shares it, and whom that leads to."""
    if not case.evidence.links:
        return
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(f"What its orders shared with others as of {case.evidence.as_of:%Y-%m-%d %H:%M} UTC"))
    for hop in (1, 2):
        for one in (one for one in case.evidence.links if one.hop == hop):
            words = f"{'and from there ' if hop == 2 else ''}{one.shares} {one.value}, by {one.orders:,} orders"
            branch = tree.add(Text(printable(words)))
            for label, names in (("from", one.own), ("to", one.others)):
                if names:
                    branch.add(Text(printable(f"{label} {', '.join(names)}")))
    out.print(tree)
    out.print(f"drawn in {_picture(case)}", markup=False, highlight=False, soft_wrap=True)


def _show_standing(held: Dossier) -> None:
    standing = held.row.standing + (f": {held.row.closed_reason}" if held.row.closed_reason else "")
    out.print(f"case {held.row.id} is {standing}", markup=False, highlight=False)
    if held.proposals:
        rows = []
        for row in held.proposals:
            ruling, effect = held.rulings.get(row.digest), held.effects.get(row.digest)
            rows.append(
                (
                    row.digest[:12],
                    _proposal(row).action,
                    f"{row.standing} {row.detail}".strip(),
                    f"{ruling.verdict} by {ruling.approver}: {ruling.reason}" if ruling else "-",
                    f"{effect.state} {effect.store_reference} {effect.detail}".strip() if effect else "-",
                    row.flow_run_id or "-",
                )
            )
        table("Proposals", ("id", "action", "standing", "ruling", "effect", "flow run"), rows)
    table(
        "History",
        ("at (UTC)", "what", "detail"),
        [(f"{row.at:%Y-%m-%d %H:%M:%S}", f"{row.subject.split(':')[0]} {row.what}", row.detail) for row in held.events],
    )


def show_effects(*, json: bool, shop: str) -> None:
    """Every effect; of one shop, where it is named."""
    ledger = open_ledger(settings().ledger)
    found = list_effects(ledger, shop)
    if json:
        as_json([effect.model_dump(mode="json") for effect in found])
        return
    table(
        "Effects",
        ("proposal", "action", "undo", "order", "amount", "state", "store reference", "detail"),
        [
            (
                *_what(e),
                e.order_id,
                e.money or "-",
                e.state,
                e.store_reference,
                e.detail,
            )
            for e in found
        ],
        right=("amount",),
    )
    mine = {effect.key for effect in found}
    for key, what in ((key, what) for key, what in alarms(ledger) if key in mine):
        out.print(printable(f"alarm: {key[:12]}: {what}"), style="red", markup=False, highlight=False)


def _what(effect: Effect) -> tuple[str, str, str]:
    return effect.key[:12], effect.action, HANDS[effect.action].undo


def show_outbox(*, json: bool) -> None:
    """What was said, or waits to be said."""
    from sqlalchemy import select
    from sqlmodel import col

    from control_tower.slack.outbox import Outbox
    from control_tower.slack.tables import OutboxMessage

    ledger = open_ledger(settings().ledger)
    Outbox(ledger.engine)  # makes its table, where no lane has spoken yet
    with ledger.read() as session:
        rows = list(session.scalars(select(OutboxMessage).order_by(col(OutboxMessage.updated_at))))
    if json:
        as_json([row.model_dump(mode="json", exclude={"blocks"}) for row in rows])
        return
    table(
        f"{len(rows)} messages",
        ("key", "state", "what it says"),
        [(row.key, row.state, row.text.splitlines()[0][:100]) for row in rows[-50:]],
    )
