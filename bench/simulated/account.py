"""The account of a simulated week: what the ledger, the shop, Slack and Prefect say, held against each other.

Each check gives how many things it looked at and what is wrong with them. It reads tables as they are, in SQL of its
own; what is true of the shop comes from `truth`, and the measures from `measured`.
"""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from simulated.measured import measures_add_up
from simulated.truth import COMPARED, found, moment, spans

if TYPE_CHECKING:
    from simulated.week import Week

Counted = tuple[int, list[str]]
SHOWN = 20
RESTS = ("done", "rejected", "void", "withdrawn", "expired", "refused", "by hand")
BORN = {
    "orders": "SELECT count(*) FROM orders WHERE placed_at <= ?",
    "order_lines": "SELECT count(*) FROM order_lines JOIN orders USING (order_id) WHERE placed_at <= ?",
    "payments": "SELECT count(*) FROM payments WHERE paid_at <= ?",
    "promises": "SELECT count(*) FROM promises WHERE made_at <= ?",
    "fulfillments": "SELECT count(*) FROM fulfillments WHERE label_created_at <= ?",
    "shipment_events": "SELECT count(*) FROM shipment_events WHERE occurred_at <= ?",
    "holds": "SELECT count(*) FROM holds WHERE placed_at <= ?",
    "refunds": "SELECT count(*) FROM refunds WHERE refunded_at <= ?",
    "returns": "SELECT count(*) FROM returns WHERE requested_at <= ?",
    "inspections": "SELECT count(*) FROM inspections WHERE inspected_at <= ?",
}


class Books:
    """The ledger's, the shop's and Prefect's tables, as plain rows."""

    def __init__(self, week: Week) -> None:
        self.week, self.house = week, week.house
        self.effects = self._ledger("SELECT key, action, state, amount, currency, order_id FROM effects")
        self.rulings = self._ledger("SELECT proposal, verdict, covered, amount, via FROM rulings")
        self.proposals = self._ledger("SELECT digest, standing, body, detail, flow_run_id FROM proposals")
        self.cases = self._ledger("SELECT id, lane, standing, body, opened_at, closed_at FROM cases")
        self.looks = self._ledger("SELECT run, lane, as_of, at, accepted, quarantined, breach FROM looks")
        first = self._ledger("SELECT subject, detail FROM events WHERE what = 'opened'")
        self.opened_as = {each["subject"].partition(":")[2]: each["detail"] for each in first}
        self.journal = self.shop("SELECT key, action, reference, order_id, amount, currency FROM journal")
        completed = self.house.rows("SELECT id FROM flow_run WHERE state_type = 'COMPLETED'")
        self.completed = {str(run) for (run,) in completed}

    def _ledger(self, sql: str) -> list[dict[str, Any]]:
        with self.house.connection("ledger") as connection:
            cursor = connection.execute(sql)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def shop(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the shop."""
        with closing(sqlite3.connect(self.week.shop.path)) as book:
            book.row_factory = sqlite3.Row
            return [dict(row) for row in book.execute(sql, values)]


def account(week: Week, seconds: int) -> dict[str, Any]:
    """Every check, in words and in a table; `wrong` is what does not add up."""
    books = Books(week)
    said: dict[str, dict[str, Any]] = {}
    for name, check in CHECKS.items():
        try:
            number, wrong = check(books)
        except Exception:  # noqa: BLE001 - a check that can't be made has failed
            number, wrong = 0, [traceback.format_exc()[-1500:]]
        said[name] = {"looked at": number, "wrong": len(wrong), "examples": wrong[:SHOWN]}
    lines = [f"{name:<62} {each['looked at']:>8} {each['wrong']:>6}" for name, each in said.items()]
    return {
        "size": {"orders": len(week.plan), "days": week.size.days, "hours": week.hours, "seed": week.size.seed},
        "seconds": seconds,
        "seconds_an_hour": sorted(round(each, 1) for each in week.took),
        "happened": happened(books),
        "people": dict(sorted(week.people.did.items())),
        "restless": week.restless,
        "notes": week.notes,
        "checks": said,
        "wrong": [name for name, each in said.items() if each["wrong"]],
        "table": "\n".join([f"{'check':<62} {'n':>8} {'wrong':>6}", *lines]),
    }


def happened(books: Books) -> dict[str, Any]:
    """What the week came to, in numbers."""
    house = books.house
    runs = house.rows(
        "SELECT d.name || ' ' || r.state_name, count(*) FROM flow_run AS r"
        " JOIN deployment AS d ON d.id = r.deployment_id GROUP BY 1 ORDER BY 1"
    )
    return {
        "rows of the shop": books.week.shop.rows,
        "cases": len(books.cases),
        "proposals": dict(Counter(each["standing"] for each in books.proposals)),
        "rulings": dict(Counter(f"{each['verdict']} by {each['via']}" for each in books.rulings)),
        "effects": dict(Counter(f"{each['action']} {each['state']}" for each in books.effects)),
        "looks": dict(Counter(each["lane"] for each in books.looks)),
        "breaches": [each["breach"] for each in books.looks if each["breach"]],
        "messages in Slack": len(books.week.slack.workspace.messages),
        "workers killed": house.killed,
        "workers that ended by themselves": house.ended_itself,
        "runs": dict(runs),
    }


def effects_are_had_once(books: Books) -> Counted:
    """Every confirmed effect has one record in the store and one ruling that covers it."""
    wrong, confirmed = [], [each for each in books.effects if each["state"] == "confirmed"]
    for effect in confirmed:
        stored = [each for each in books.journal if each["key"] == effect["key"]]
        ruled = [each for each in books.rulings if each["proposal"] == effect["key"] and each["verdict"] == "approve"]
        if len(stored) != 1 or len(ruled) != 1:
            wrong.append(f"{effect}: {len(stored)} store records, {len(ruled)} approvals")
            continue
        allowed = ruled[0]["amount"] if ruled[0]["amount"] is not None else ruled[0]["covered"]["amount"]
        same = (effect["amount"], effect["order_id"], effect["action"]) == (
            stored[0]["amount"], stored[0]["order_id"], stored[0]["action"],
        )  # fmt: skip
        if not same or allowed != effect["amount"]:
            wrong.append(f"{effect}: the store has {stored[0]}, the ruling allows {allowed}")
    return len(confirmed), wrong


def nothing_without_an_effect(books: Books) -> Counted:
    """No record in the store is under a key of which the ledger knows no confirmed effect."""
    known = {each["key"] for each in books.effects if each["state"] == "confirmed"}
    return len(books.journal), [str(each) for each in books.journal if each["key"] not in known]


def sums_agree(books: Books) -> Counted:
    """Refunds by currency: the ledger, the shop's journal and the shop's refunds say the same."""
    ledger, journal, refunds = Counter[str](), Counter[str](), Counter[str]()
    for each in books.effects:
        if each["action"] == "refund" and each["state"] == "confirmed":
            ledger[each["currency"]] += each["amount"]
    for each in books.journal:
        if each["action"] == "refund":
            journal[each["currency"]] += each["amount"]
    ours = books.shop("SELECT currency, amount FROM refunds WHERE refund_id LIKE 'refund-%'")
    for each in ours:
        refunds[each["currency"]] += each["amount"]
    return sum(ledger.values()), [] if ledger == journal == refunds else [f"{ledger} {journal} {refunds}"]


def nobody_is_paid_too_much(books: Books) -> Counted:
    """No order got back more than was paid, whoever paid it back."""
    rows = books.shop(
        "SELECT order_id, sum(amount) AS back,"
        " (SELECT sum(amount) FROM payments p WHERE p.order_id = r.order_id) AS paid FROM refunds r GROUP BY order_id"
    )
    return len(rows), [str(each) for each in rows if each["back"] > (each["paid"] or 0)]


def approvals_come_to_an_end(books: Books) -> Counted:
    """Every ruling was carried out, or ended with a reason."""
    standing = {each["digest"]: each for each in books.proposals}
    wrong = []
    for ruling in books.rulings:
        asked = standing[ruling["proposal"]]
        ended = asked["standing"] in RESTS and (asked["standing"] in ("done", "rejected") or asked["detail"])
        if not ended and asked["standing"] != "waiting":  # asked once more
            wrong.append(f"{asked['digest'][:12]} is {asked['standing']}: {asked['detail']}")
    return len(books.rulings), wrong


def queues_are_empty(books: Books) -> Counted:
    """Nothing that is due waits: no run, no message, no click, no effect in doubt."""
    house = books.house
    left = house.left() | books.week.drained
    left["effects in doubt"] = sum(each["state"] in ("intended", "sent", "unknown") for each in books.effects)
    left["runs that hang"] = house.count(
        "SELECT count(*) FROM flow_run WHERE state_type IN ('RUNNING', 'PENDING', 'CANCELLING') OR state_name = 'Late'"
    )
    waiting = {each["flow_run_id"] for each in books.proposals if each["standing"] == "waiting"}
    paused = {str(run) for (run,) in house.rows("SELECT id FROM flow_run WHERE state_type = 'PAUSED'")}
    wrong = [f"{where}: {number}" for where, number in left.items() if number]
    wrong += [f"proposal waits without a paused run: {run}" for run in waiting - paused]
    wrong += [f"run is paused about nothing that waits: {run}" for run in paused - waiting]
    return len(waiting), wrong


def exceptions_had_cases(books: Books) -> Counted:
    """What lasted across a look that ended well had a case; and at the last look both agree, kind by kind."""
    shop = books.week.shop
    looks = [each for each in books.looks if each["lane"] == "fulfilment" and each["run"] in books.completed]
    times = sorted(each["as_of"] for each in looks)
    had = {order for each in books.cases if each["lane"] == "fulfilment" for order in each["body"]["orders"]}
    wrong, number = [], 0
    for kind, one in spans(shop).items():
        due = set().union(*(one.at(moment(at)) for at in times))
        number += len(due)
        wrong += [f"{kind} of {shop.ids[at]} never had a case" for at in due if shop.ids[at] not in had]
    return number, wrong + list(_at_the_last_look(books, times[-1]))


def _at_the_last_look(books: Books, last: Any) -> Iterator[str]:
    shop = books.week.shop
    is_open = [each["body"] for each in books.cases if each["lane"] == "fulfilment" and each["standing"] == "open"]
    told = {(order, kind) for order, kind in found(is_open) if kind in COMPARED}
    true = {(shop.ids[at], kind) for kind, one in spans(shop).items() for at in one.at(moment(last))}
    yield from (f"{kind} of {order} is true, and no open case says so" for order, kind in true - told)
    yield from (f"an open case says {kind} of {order}, which is not true" for order, kind in told - true)


def no_case_without_cause(books: Books) -> Counted:
    """Every case of the fulfilment lane was about something true when it was opened."""
    shop, all_spans = books.week.shop, spans(books.week.shop)
    cases = [each for each in books.cases if each["lane"] == "fulfilment"]
    wrong = []
    for case in cases:
        at, orders = moment(case["opened_at"]), {shop.number[order] for order in case["body"]["orders"]}
        kinds = kinds_in(books.opened_as[case["id"]])  # what it is about now may be something else
        true = any(orders & one.at(at) for one in all_spans.values())
        later = any((one.since[list(orders)] < one.until[list(orders)]).any() for one in all_spans.values())
        if not true and not (later and not kinds <= set(COMPARED)):
            wrong.append(f"{case['id']} {sorted(kinds)} of {case['body']['orders'][:3]} opened {case['opened_at']}")
    return len(cases), wrong


def kinds_in(title: str) -> set[str]:
    """The kinds that a case's title names."""
    return {kind.replace(" ", "_") for kind in title.partition(" · ")[0].split(", ")}


def messages_are_said_once(books: Books) -> Counted:
    """Each message is in Slack once, and says what the outbox last wanted it to say; no case is untold."""
    from control_tower.ledger import open_ledger
    from control_tower.settings import settings
    from control_tower.slack.untold import untold

    shown = books.week.slack.workspace.messages
    times = Counter(one["metadata"]["event_payload"]["key"] for one in shown)
    wrong = [f"{key} was said {number} times" for key, number in times.items() if number > 1]
    text = {one["metadata"]["event_payload"]["key"]: one["text"] for one in shown}
    for row in books._ledger("SELECT key, text, state, revision, delivered_revision FROM outbox"):
        if row["state"] != "delivered" or row["revision"] != row["delivered_revision"]:
            wrong.append(f"{row['key']} is {row['state']}")
        elif text.get(row["key"]) != row["text"]:
            wrong.append(f"{row['key']} says something else in Slack")
    ledger = open_ledger(settings().ledger)
    for lane in {each["lane"] for each in books.cases}:
        wrong += [f"case {case} is not told as it stands" for case in untold(ledger, lane, "shop")]
    return len(shown), wrong


def rows_add_up(books: Books) -> Counted:
    """Rows in = accepted + quarantined: of each table in each look, as many as the shop had by then.

    While a look reads, hands may add a row: as many as there were when it began, or when it had ended.
    """
    wrong, number = [], 0
    for look in (each for each in books.looks if not each["breach"]):
        began, ended = (int(moment(look[when]).astype("int64")) for when in ("as_of", "at"))
        for table, accepted in look["accepted"].items():
            if table in BORN:
                least, most = (books.shop(BORN[table], when)[0]["count(*)"] for when in (began, ended))
                number += least
                if not least <= accepted + look["quarantined"].get(table, 0) <= most:
                    wrong.append(f"{look['lane']} {look['as_of']} {table}: {least} there, {accepted} accepted")
    return number, wrong


def audit_verifies(books: Books) -> Counted:
    """`tower audit verify` walks every chain and the journal, and finds no break."""
    from desk.audit import verify

    with contextlib.redirect_stdout(io.StringIO()) as said:
        verify(None, json=True)
    return len(json.loads(said.getvalue())["verified"]), []


def no_lane_was_stopped(books: Books) -> Counted:
    """No contract broke, no breaker tripped, no lane fell."""
    wrong = [f"{each['lane']} {each['as_of']}: {each['breach']}" for each in books.looks if each["breach"]]
    wrong += [str(each) for each in books._ledger("SELECT lane, why FROM breakers")]
    wrong += [str(each) for each in books._ledger("SELECT lane, rung, why FROM rungs")]
    return len(books.looks), wrong


CHECKS: dict[str, Callable[[Books], Counted]] = {
    "effects confirmed: one store record, one ruling that covers it": effects_are_had_once,
    "store records under our keys, each with its effect": nothing_without_an_effect,
    "refunds in minor units: ledger, journal, shop agree": sums_agree,
    "orders refunded, none above what was paid": nobody_is_paid_too_much,
    "rulings carried out or ended with a reason": approvals_come_to_an_end,
    "proposals that wait, each with its paused run; queues empty": queues_are_empty,
    "exceptions that lasted across a look had a case": exceptions_had_cases,
    "cases of fulfilment, each with a cause": no_case_without_cause,
    "messages in Slack, each once, as last wanted": messages_are_said_once,
    "rows read: accepted and quarantined are all there were": rows_add_up,
    "looks, none of them stopped; no lane fell": no_lane_was_stopped,
    "chains and journal that tower audit verify walked": audit_verifies,
    "measures that equal the shop's truth": measures_add_up,
}
