"""Every measure of a generated shop whose lanes have run, against plain SQL on the shop's and the ledger's own tables.

The queries share nothing with flows/measure.sql but the words of policies/measures.yaml.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from sqlalchemy import select

from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Action, Verdict
from control_tower.pause import resume
from control_tower.slack.tables import OutboxMessage
from control_tower.stores.shop import sqlite_file
from flows.measure import measure_shop
from flows.watch_fraud import watch_fraud
from flows.watch_fulfilment import watch_fulfilment
from flows.watch_returns import watch_returns
from policies.measures import measures
from tasks.measure import Measurement, window
from tasks.measured import Measured
from tests.flows.conftest import own_tower

pytestmark = pytest.mark.large  # a dozen orders, by hand, are in every suite
BERLIN = ZoneInfo("Europe/Berlin")
OF_EACH = 7
HELD_OUT = 0.3

RESHIPS = """
    SELECT e.order_id, micro(e.changed_at) AS at, 590 + 2500 * 10 / 60.0 + 0.5 * (
        SELECT sum(l.quantity * l.unit_amount) FROM order_lines l WHERE l.order_id = e.order_id) AS cost
    FROM book.effects e WHERE e.action = 'reship' AND e.state = 'confirmed'"""
DECIDED = """min(coalesce(micro(c.closed_at), :never), coalesce((
    SELECT min(micro(r.ruled_at)) FROM book.rulings r JOIN book.proposals p ON p.digest = r.proposal
    WHERE p.case_id = c.id), :never))"""
# What the policies promise of what came back, read off their pages: whose fault, how long it was held, its condition.
OWED = """
    SELECT return_id, paid * CASE
        WHEN ours AND held > 365 THEN 0
        WHEN NOT ours AND final_sale THEN 0
        WHEN NOT ours AND held > 30 AND NOT coalesce(holidays, 0) THEN 0
        WHEN held IS NULL THEN NULL
        WHEN condition IN ('not_the_item') THEN 0
        WHEN ours THEN CASE WHEN condition IS NOT NULL THEN 100 END
        ELSE CASE condition WHEN 'as_new' THEN 100 WHEN 'opened' THEN 85 WHEN 'used' THEN 50 WHEN 'damaged' THEN 0 END
    END / 100.0 AS owed
    FROM (
        SELECT r.return_id, r.quantity * l.unit_amount AS paid, l.final_sale, i.condition,
            r.reason IN ('defective', 'damaged_in_transit', 'missing_parts', 'wrong_item', 'not_as_described') AS ours,
            max(0, r.requested_at - f.delivered_at) / 86400e6 AS held,
            day(o.placed_at) BETWEEN '2025-11-01' AND '2025-12-24' AND day(r.requested_at) <= '2026-01-31'
                OR day(o.placed_at) BETWEEN '2026-11-01' AND '2026-12-24' AND day(r.requested_at) <= '2027-01-31'
            AS holidays
        FROM returns r
        LEFT JOIN order_lines l ON l.line_id = coalesce(r.line_id, (
            SELECT min(line_id) FROM order_lines n WHERE n.order_id = r.order_id AND n.sku = r.sku
        ), (
            SELECT n.line_id FROM order_lines n JOIN orders b ON b.order_id = n.order_id
            WHERE r.order_id IS NULL AND b.customer_id = r.customer_id AND n.sku = r.sku
                AND b.placed_at <= r.requested_at
            ORDER BY n.unit_amount > 0 DESC, b.placed_at DESC, n.line_id DESC LIMIT 1))
        LEFT JOIN orders o ON o.order_id = l.order_id
        LEFT JOIN fulfillments f ON f.order_id = l.order_id AND f.status <> 'cancelled'
        LEFT JOIN inspections i ON i.return_id = r.return_id
    )"""
REPAID = "(SELECT min(refunded_at) FROM refunds f WHERE f.return_id = r.return_id)"
NOTHING_OWED = f"coalesce((SELECT owed = 0 FROM ({OWED}) w WHERE w.return_id = r.return_id), 0)"

LEFT_OVER = """
    SELECT d.starts, s.sku, sum((
        SELECT i.available FROM inventory_levels i WHERE i.sku = s.sku AND i.warehouse_id = s.warehouse_id
            AND i.counted_at <= d.ends ORDER BY i.counted_at DESC LIMIT 1)) AS left_over
    FROM days d, (SELECT DISTINCT sku, warehouse_id FROM inventory_levels) s
    WHERE d.starts BETWEEN :since AND :now AND d.ends >= (SELECT min(counted_at) FROM inventory_levels)
    GROUP BY d.starts, s.sku"""

SHARES = {
    "stuck_orders": """
        SELECT count(*), avg(f.handed_over_at IS NULL OR f.handed_over_at > p.due_at)
        FROM orders o JOIN promises p ON p.order_id = o.order_id AND p.kind = 'ship_by'
        LEFT JOIN fulfillments f ON f.order_id = o.order_id AND f.status <> 'cancelled'
        WHERE o.approved_at IS NOT NULL AND p.due_at BETWEEN :since AND :now
            AND (o.cancelled_at IS NULL OR o.cancelled_at > p.due_at)""",
    "late_shipments": """
        SELECT count(*), avg(f.handed_over_at > p.due_at) FROM fulfillments f
        JOIN promises p ON p.order_id = f.order_id AND p.kind = 'ship_by'
        WHERE f.status <> 'cancelled' AND f.handed_over_at BETWEEN :since AND :now""",
    "late_shipment_contacts": """
        SELECT count(*), avg(EXISTS (
            SELECT 1 FROM support_contacts k WHERE k.order_id = f.order_id AND k.topic = 'delivery'
                AND k.contacted_at > p.due_at AND (f.delivered_at IS NULL OR k.contacted_at <= f.delivered_at)))
        FROM fulfillments f JOIN promises p ON p.order_id = f.order_id AND p.kind = 'deliver_by'
        WHERE f.status <> 'cancelled' AND f.handed_over_at BETWEEN :since AND :now""",
    "cancellations": """
        SELECT count(*), avg(o.status IN ('cancelled', 'unavailable') AND NOT EXISTS (
            SELECT 1 FROM fulfillments f WHERE f.order_id = o.order_id AND f.status <> 'cancelled'
                AND f.handed_over_at IS NOT NULL))
        FROM orders o WHERE o.placed_at BETWEEN :since AND :now""",
    "stockout_days": f"SELECT count(*), avg(left_over <= 0) FROM ({LEFT_OVER}) WHERE left_over IS NOT NULL",
    "stockout_demand": f"""
        SELECT count(*), sum((left_over <= 0) * sold) * 1.0 / sum(sold) FROM ({LEFT_OVER}) o
        JOIN (SELECT sku, sum(quantity) AS sold FROM order_lines GROUP BY sku) d ON d.sku = o.sku
        WHERE left_over IS NOT NULL""",
    "oversold_lines": """
        SELECT count(*), avg((
            SELECT available FROM inventory_levels i WHERE i.sku = l.sku AND i.warehouse_id = l.warehouse_id
                AND i.counted_at <= o.placed_at ORDER BY i.counted_at DESC LIMIT 1
        ) < (
            SELECT sum(m.quantity) FROM order_lines m JOIN orders n ON n.order_id = m.order_id
            WHERE m.sku = l.sku AND m.warehouse_id = l.warehouse_id
                AND (n.placed_at, m.line_id) <= (o.placed_at, l.line_id) AND n.placed_at >= (
                    SELECT max(counted_at) FROM inventory_levels i WHERE i.sku = l.sku
                        AND i.warehouse_id = l.warehouse_id AND i.counted_at <= o.placed_at)
        )) FROM order_lines l JOIN orders o ON o.order_id = l.order_id
        WHERE o.placed_at BETWEEN :since AND :now AND EXISTS (
            SELECT 1 FROM inventory_levels i WHERE i.sku = l.sku AND i.warehouse_id = l.warehouse_id
                AND i.counted_at <= o.placed_at)""",
    "fraud_before_cut_off": f"""
        SELECT count(*), avg(decided <= due) FROM (
            SELECT {DECIDED} AS decided, (
                SELECT min(p.due_at) FROM promises p, json_each(c.body, '$.orders') o
                WHERE p.order_id = o.value AND p.kind = 'ship_by') AS due
            FROM book.cases c WHERE c.lane = 'fraud' AND micro(c.opened_at) BETWEEN :since AND :now
        ) WHERE due IS NOT NULL AND (decided < :never OR due <= :now)""",
    "chargebacks_visa": """
        SELECT (SELECT count(*) FROM payments WHERE method NOT IN ('gift_card', 'bank_transfer')
                AND paid_at BETWEEN :since AND :now),
            (SELECT count(*) FROM disputes WHERE opened_at BETWEEN :since AND :now) * 1.0
            / (SELECT count(*) FROM payments WHERE method NOT IN ('gift_card', 'bank_transfer')
                AND paid_at BETWEEN :since AND :now)""",
    "chargebacks_mastercard": """
        SELECT settled, disputed * 1.0 / settled FROM
            (SELECT count(*) AS settled FROM payments
             WHERE method NOT IN ('gift_card', 'bank_transfer') AND month_later(paid_at) BETWEEN :since AND :now),
            (SELECT count(*) AS disputed FROM disputes WHERE opened_at BETWEEN :since AND :now)""",
    "contact_after_exception": """
        SELECT count(*), avg(EXISTS (
            SELECT 1 FROM support_contacts k, json_each(c.body, '$.orders') o
            WHERE k.order_id = o.value AND k.contacted_at > micro(c.opened_at)
                AND k.contacted_at <= coalesce(micro(c.closed_at), :now)))
        FROM book.cases c
        WHERE micro(c.opened_at) BETWEEN :since AND :now AND json_array_length(c.body, '$.orders') > 0""",
    "overrides": """
        SELECT count(*), avg(verdict <> 'approve' OR amount IS NOT NULL) FROM book.rulings
        WHERE micro(ruled_at) BETWEEN :since AND :now""",
    "expiries": """
        SELECT count(*), avg(standing = 'expired') FROM book.proposals
        WHERE standing <> 'waiting' AND micro(opened_at) BETWEEN :since AND :now""",
}
LASTING = {
    "exception_time": """
        SELECT coalesce(micro(closed_at), :now) - micro(opened_at), closed_at IS NOT NULL FROM book.cases
        WHERE micro(opened_at) BETWEEN :since AND :now""",
    "detection_lag": """
        SELECT micro(c.opened_at) - min(p.due_at), 1
        FROM book.cases c, json_each(c.body, '$.orders') o, json_each(c.body, '$.kinds') k
        JOIN promises p ON p.order_id = o.value AND p.due_at < micro(c.opened_at)
        WHERE c.lane = 'fulfilment' AND micro(c.opened_at) BETWEEN :since AND :now AND (
            p.kind = 'ship_by' AND k.value = 'stuck_order'
            OR p.kind = 'deliver_by' AND k.value IN ('lost_shipment', 'late_delivery')
                AND instr(c.body, '"stuck_order"') = 0)
        GROUP BY c.id""",
    "return_receipt": """
        SELECT coalesce(received_at, closed_at, :now) - requested_at, received_at IS NOT NULL FROM returns
        WHERE requested_at BETWEEN :since AND :now""",
    "return_inspection": """
        SELECT coalesce(i.inspected_at, r.closed_at, :now) - r.received_at, i.inspected_at IS NOT NULL
        FROM returns r LEFT JOIN inspections i ON i.return_id = r.return_id
        WHERE r.received_at BETWEEN :since AND :now""",
    "return_refund": f"""
        SELECT coalesce({REPAID}, :now) - i.inspected_at, {REPAID} IS NOT NULL
        FROM returns r JOIN inspections i ON i.return_id = r.return_id
        WHERE i.inspected_at BETWEEN :since AND :now AND r.status NOT IN ('rejected', 'cancelled')
            AND ({REPAID} >= i.inspected_at OR {REPAID} IS NULL AND NOT {NOTHING_OWED})""",
    "return_processing": f"""
        SELECT coalesce({REPAID}, :now) - r.requested_at, {REPAID} IS NOT NULL FROM returns r
        WHERE r.requested_at BETWEEN :since AND :now AND r.status NOT IN ('rejected', 'cancelled')
            AND ({REPAID} IS NOT NULL OR NOT {NOTHING_OWED})""",
    "fraud_review_time": f"""
        SELECT min({DECIDED}, :now) - micro(c.opened_at), {DECIDED} < :never FROM book.cases c
        WHERE c.lane = 'fraud' AND micro(c.opened_at) BETWEEN :since AND :now""",
    "time_to_rule": """
        SELECT coalesce(min(micro(r.ruled_at)), :now) - micro(p.opened_at), count(r.ruled_at) > 0
        FROM book.proposals p LEFT JOIN book.rulings r ON r.proposal = p.digest
        WHERE micro(p.opened_at) BETWEEN :since AND :now
        GROUP BY p.digest HAVING count(r.ruled_at) > 0 OR p.standing IN ('waiting', 'expired')""",
}
SUMS = {
    "reshipment_cost": f"""
        SELECT count(*), sum(coalesce((SELECT sum(cost) FROM ({RESHIPS}) e WHERE e.order_id = o.order_id), 0))
        FROM orders o WHERE o.approved_at BETWEEN :since AND :now""",
    "refund_leakage": f"""
        WITH of_order AS (
            SELECT f.*, coalesce(f.order_id, r.order_id) AS bought, r.return_id IS NOT NULL AS known, r.received_at
            FROM refunds f LEFT JOIN returns r ON r.return_id = f.return_id)
        SELECT count(*), sum(min(amount, max(0,
            coalesce((SELECT sum(e.amount) FROM of_order e
                WHERE e.bought = f.bought AND (e.refunded_at, e.refund_id) <= (f.refunded_at, f.refund_id))
                - (SELECT sum(p.amount) FROM payments p WHERE p.order_id = f.bought AND p.paid_at IS NOT NULL), 0),
            amount * EXISTS (SELECT 1 FROM refunds e WHERE e.return_id = f.return_id AND e.amount = f.amount
                AND (e.refunded_at, e.refund_id) < (f.refunded_at, f.refund_id)),
            amount * (known AND (received_at IS NULL OR received_at > refunded_at)),
            coalesce((SELECT sum(e.amount) FROM refunds e WHERE e.return_id = f.return_id
                AND (e.refunded_at, e.refund_id) <= (f.refunded_at, f.refund_id))
                - (SELECT owed FROM ({OWED}) w WHERE w.return_id = f.return_id), 0))))
        FROM of_order f WHERE refunded_at BETWEEN :since AND :now""",
}
LOST = {
    "gross_margin_impact": f"""
        SELECT substr(c.id, 1, 8), coalesce((SELECT sum(x.amount) FROM json_each(c.body, '$.orders') o JOIN (
            SELECT order_id, refunded_at AS at, amount FROM refunds
            UNION ALL SELECT order_id, at, cost FROM ({RESHIPS})
            UNION ALL SELECT d.order_id, d.opened_at, sum(p.amount)
                FROM disputes d JOIN payments p ON p.order_id = d.order_id GROUP BY d.dispute_id
        ) x ON x.order_id = o.value AND x.at > micro(c.opened_at)), 0)
        FROM book.cases c
        WHERE micro(c.opened_at) BETWEEN :since AND :now AND json_array_length(c.body, '$.orders') > 0""",
}


@dataclass
class Plain:
    """Both databases in one plain connection, and what the tower measured of them."""

    tower: Any
    found: Measurement
    tables: sqlite3.Connection

    def told(self, name: str) -> Measured:
        (told,) = (each for each in self.found.together if each.measure == name)
        return told

    def rows(self, query: str) -> list[Any]:
        moments = {"since": micro(window(self.found.as_of)), "now": micro(self.found.as_of), "never": 2**60}
        given = {name: moment for name, moment in moments.items() if f":{name}" in query}
        return self.tables.execute(query, given).fetchall()


def micro(moment: datetime | str | None) -> int | None:
    """Microseconds since 1970, as the shop keeps them, of what the ledger keeps as text in UTC."""
    if moment is None:
        return None
    told = datetime.fromisoformat(moment).replace(tzinfo=UTC) if isinstance(moment, str) else moment
    return (told - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def in_berlin(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1e6, BERLIN)


def month_later(moment: int | None) -> int | None:
    return None if moment is None else micro(pd.Timestamp(moment, unit="us", tz="UTC") + pd.DateOffset(months=1))


def days_before(moment: datetime, many: int) -> list[tuple[int | None, int | None]]:
    """The shop's days before a moment, each as where it begins and where the next does."""
    today = moment.astimezone(BERLIN).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [micro(today - timedelta(days=back)) for back in range(many, -1, -1)]
    return list(pairwise(starts))


def opened(tower: Any, found: Measurement) -> sqlite3.Connection:
    tables = sqlite3.connect(sqlite_file(tower.settings.shop))
    tables.execute("ATTACH ? AS book", (str(sqlite_file(tower.settings.ledger)),))
    for name, function in (("micro", micro), ("month_later", month_later)):
        tables.create_function(name, 1, function)
    tables.create_function("day", 1, lambda moment: moment and f"{in_berlin(moment):%Y-%m-%d}")
    tables.execute("CREATE TEMP TABLE days (starts INTEGER, ends INTEGER)")
    tables.executemany("INSERT INTO days VALUES (?, ?)", days_before(found.as_of, 200))
    return tables


def rule_on_some(tower: Any) -> None:
    """Two people rule on some proposals of every action; every fourth is rejected, and a worker does what follows."""
    some = [proposal for action in Action for proposal in tower.waiting(action)[:OF_EACH]]
    for n, proposal in enumerate(some):
        verdict = Verdict.reject if n % 4 == 3 else Verdict.approve
        tower.rule(proposal, verdict, name="ana" if n % 3 else "ben")
        resume(str(find_proposal(tower.ledger, proposal.digest).flow_run_id))
    tower.work()


def as_if_it_had_gone_on_for_weeks(tower: Any) -> None:
    """Spread the book over forty days: what was opened today is as old as that, was ruled on later, and has closed."""

    def back(text: str, days: float) -> str:
        return f"{datetime.fromisoformat(text) - timedelta(days=days):%Y-%m-%d %H:%M:%S.%f}"

    with sqlite3.connect(sqlite_file(tower.settings.ledger)) as book:
        for n, (case, opened_at) in enumerate(book.execute("SELECT id, opened_at FROM cases ORDER BY id").fetchall()):
            age = 1 + n * 39 / 210
            closed_at = None if n % 4 == 3 else back(opened_at, age * (1 - (1 + n % 5) / 6))
            book.execute(
                "UPDATE cases SET opened_at = ?, closed_at = ? WHERE id = ?", (back(opened_at, age), closed_at, case)
            )
            for m, (proposal, at) in enumerate(
                book.execute("SELECT digest, opened_at FROM proposals WHERE case_id = ?", (case,)).fetchall()
            ):
                book.execute("UPDATE proposals SET opened_at = ? WHERE digest = ?", (back(at, age), proposal))
                ruled_at = back(at, age * (1 - (1 + (n + m) % 7) / 9))
                book.execute("UPDATE rulings SET ruled_at = ? WHERE proposal = ?", (ruled_at, proposal))
                book.execute("UPDATE effects SET changed_at = ? WHERE key = ?", (ruled_at, proposal))
        left = book.execute("SELECT digest FROM proposals WHERE standing = 'waiting' ORDER BY digest").fetchall()
        for n, (proposal,) in enumerate(left):
            standing = ("expired", "withdrawn", "waiting", "waiting")[n % 4]
            book.execute("UPDATE proposals SET standing = ? WHERE digest = ?", (standing, proposal))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[Plain]:
    """A shop of half a year whose lanes have run; people have ruled, hands have acted, and some cases are held out."""
    with own_tower(tmp_path_factory.mktemp("generated"), deployed) as tower, pytest.MonkeyPatch.context() as patch:
        tower.fill(2000, days=180, seed=1759, as_of=datetime.now(UTC).replace(microsecond=0))
        for watch in (watch_fulfilment, watch_returns, watch_fraud):
            watch()
        rule_on_some(tower)
        as_if_it_had_gone_on_for_weeks(tower)
        paper = measures()
        holdout = paper.holdout.model_copy(update={"share": HELD_OUT})
        patch.setattr("tasks.book.measures", lambda: paper.model_copy(update={"holdout": holdout}))
        found = measure_shop(announce=True)
        yield Plain(tower, found, opened(tower, found))


def quantile(lasting: Sequence[tuple[float, bool]], share: float) -> float | None:
    """Kaplan and Meier 1958, as a textbook has it: the first moment after which no more than a share is left."""
    left, at_risk = 1.0, len(lasting)
    for hours in sorted({hours for hours, _ in lasting}):
        ended = sum(over for each, over in lasting if each == hours)
        left *= 1 - ended / at_risk
        if left <= share + 1e-12:
            return hours
        at_risk -= sum(each == hours for each, _ in lasting)
    return None


def test_no_measure_on_paper_is_left_without_a_plain_computation() -> None:
    plain = [*SHARES, *LASTING, *SUMS, *LOST]
    assert sorted(plain) == sorted(each.id for each in measures().measures)


@pytest.mark.parametrize("name", SHARES)
def test_a_share_is_what_plain_sql_says(generated: Plain, name: str) -> None:
    ((n, value),) = generated.rows(SHARES[name])
    told = generated.told(name)
    assert (told.n, told.value) == (n, pytest.approx(value))


@pytest.mark.parametrize("name", LASTING)
def test_a_duration_is_what_kaplan_and_meier_make_of_plain_rows(generated: Plain, name: str) -> None:
    rows = [(micros / 3.6e9, bool(ended)) for micros, ended in generated.rows(LASTING[name])]
    told = generated.told(name)
    assert (told.n, told.open) == (len(rows), sum(not ended for _, ended in rows))
    assert (told.value, told.p90) == (pytest.approx(quantile(rows, 0.5)), pytest.approx(quantile(rows, 0.1)))


@pytest.mark.parametrize("name", SUMS)
def test_money_is_what_plain_sql_adds_up_to(generated: Plain, name: str) -> None:
    ((n, value),) = generated.rows(SUMS[name])
    told = generated.told(name)
    assert (told.n, told.currency, told.value) == (n, "EUR", pytest.approx(value))


@pytest.mark.parametrize("name", LOST)
def test_the_margin_is_what_plain_rows_of_both_arms_differ_by(generated: Plain, name: str) -> None:
    lost = [(int(id, 16) < HELD_OUT * 16**8, amount) for id, amount in generated.rows(LOST[name])]
    tower, holdout = ([amount for held, amount in lost if held is arm] for arm in (False, True))
    told = generated.told(name)
    assert (told.n, told.over) == (len(tower), len(holdout))
    assert told.value == pytest.approx((mean(holdout) - mean(tower)) * len(tower))


def test_what_is_compared_is_not_nothing(generated: Plain) -> None:
    empty = [each.measure for each in generated.found.together if not each.n or each.value is None]
    assert empty == []
    acted = {each.measure for each in generated.found.together if each.value}
    assert acted >= {"reshipment_cost", "refund_leakage", "overrides", "expiries", "gross_margin_impact"}


def test_the_weeks_add_up_to_the_window(generated: Plain) -> None:
    for name in ("stuck_orders", "cancellations", "refund_leakage", "reshipment_cost"):
        weeks = [each for each in generated.found.weeks if each.measure == name]
        assert sum(each.n for each in weeks) == generated.told(name).n
        if generated.told(name).currency:
            assert sum(each.value or 0 for each in weeks) == pytest.approx(generated.told(name).value)


def test_its_headline_is_told_once_a_week_however_often_it_is_run(generated: Plain) -> None:
    measure_shop(as_of=generated.found.as_of, announce=True)
    with generated.tower.ledger.read() as session:
        rows = session.scalars(select(OutboxMessage).where(OutboxMessage.key.like("measures:%"))).all()
    assert [row.key for row in rows] == [f"measures:shop:{generated.found.as_of:%G-W%V}"]
    assert "Stuck orders" in rows[0].text and "n = " in rows[0].text
