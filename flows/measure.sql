-- The rows that measures are made of: one section for each measure of policies/measures.yaml, one row for each unit.
-- Columns: unit; at, by which it falls in a window and a week; over and under, for a share or ratio; hours and ended, for
-- a duration; amount and currency, for money; arm, for a difference; and what it can be told by: lane, team, carrier,
-- warehouse, product, approver. What a section does not give is null. Evidence and book are as they were at as_of().
-- Costs: label(currency), hour(currency), reship_minutes(), goods_share() are the costs of that file.

CREATE VIEW ship_by AS SELECT order_id, min(due_at) AS due_at FROM promises WHERE kind = 'ship_by' GROUP BY order_id;
CREATE VIEW deliver_by AS SELECT order_id, min(due_at) AS due_at FROM promises WHERE kind = 'deliver_by' GROUP BY order_id;
CREATE VIEW first_parcel AS
    SELECT order_id, min(handed_over_at) AS handed_over_at, min(delivered_at) AS delivered_at,
        arg_min(carrier, fulfillment_id) AS carrier, arg_min(warehouse_id, fulfillment_id) AS warehouse_id
    FROM fulfillments WHERE status <> 'cancelled' OR status_known IS NOT true GROUP BY order_id;
CREATE VIEW first_line AS
    SELECT order_id, arg_min(sku, line_id) AS sku, arg_min(warehouse_id, line_id) AS warehouse_id
    FROM order_lines GROUP BY order_id;
CREATE VIEW refunded_returns AS
    SELECT return_id, min(refunded_at) AS refunded_at FROM refunds WHERE return_id IS NOT NULL GROUP BY return_id;
CREATE VIEW card_payments AS
    SELECT * FROM payments WHERE paid_at IS NOT NULL
        AND coalesce(method, 'card') NOT IN (
            'gift_card', 'voucher', 'boleto', 'bank_transfer', 'invoice', 'store_credit'
        );
CREATE TABLE asking AS
    SELECT order_id, contacted_at FROM support_contacts
    WHERE topic = 'delivery' OR words_for('track_order', text) IS NOT NULL OR words_for('not_received', text) IS NOT NULL;
CREATE VIEW told_cases AS
    SELECT c.id, c.lane, c.team, c.currency, c.opened_at, c.closed_at, c.held_out,
        string_split(c.kinds, '|') AS kinds,
        least(r.ruled_at, c.closed_at) AS decided_at,
        x.carrier, coalesce(x.warehouse_id, l.warehouse_id) AS warehouse, l.sku AS product
    FROM cases AS c
    LEFT JOIN (SELECT id, min(order_id) AS order_id FROM case_orders GROUP BY id) AS o ON o.id = c.id
    LEFT JOIN first_parcel AS x ON x.order_id = o.order_id
    LEFT JOIN first_line AS l ON l.order_id = o.order_id
    LEFT JOIN (
        SELECT case_id, min(ruled_at) AS ruled_at FROM rulings JOIN proposals ON digest = proposal GROUP BY case_id
    ) AS r ON r.case_id = c.id;
CREATE VIEW stock_days AS
    WITH days AS (
        SELECT CAST(unnest(generate_series(day_of(since()), day_of(as_of()) - 1, INTERVAL 1 DAY)) AS DATE) AS day
    )
    SELECT sku, day, sum(available) AS available
    FROM (
        SELECT d.day, p.sku, i.available
        FROM (SELECT day, start_of(day + 1) AS over_at FROM days) AS d
        CROSS JOIN (SELECT DISTINCT sku, warehouse_id FROM inventory_levels) AS p
        ASOF JOIN inventory_levels AS i
            ON i.sku = p.sku AND i.warehouse_id = p.warehouse_id AND d.over_at >= i.counted_at
    )
    GROUP BY sku, day;
CREATE VIEW reships AS
    SELECT e.order_id, e.changed_at AS sent_at, o.currency,
        label(o.currency) + hour(o.currency) * reship_minutes() / 60 + goods_share() * coalesce(v.amount, 0) AS cost
    FROM effects AS e
    JOIN orders AS o USING (order_id)
    LEFT JOIN (
        SELECT order_id, sum(quantity * unit_amount) AS amount FROM order_lines GROUP BY order_id
    ) AS v USING (order_id)
    WHERE e.action = 'reship' AND e.state = 'confirmed';

-- measure: stuck_orders
SELECT o.order_id AS unit, p.due_at AS at, 1 AS under,
    coalesce(f.handed_over_at > p.due_at, true) AS over,
    f.carrier, coalesce(f.warehouse_id, l.warehouse_id) AS warehouse, l.sku AS product
FROM orders AS o
JOIN ship_by AS p USING (order_id)
LEFT JOIN first_parcel AS f USING (order_id)
LEFT JOIN first_line AS l USING (order_id)
WHERE o.approved_at IS NOT NULL AND p.due_at <= as_of()
    AND NOT coalesce(o.cancelled_at <= p.due_at, false)
    AND NOT (o.status IN ('cancelled', 'unavailable') AND o.cancelled_at IS NULL AND o.status_known IS true)

-- measure: late_shipments
SELECT o.order_id AS unit, f.handed_over_at AS at, 1 AS under, f.handed_over_at > p.due_at AS over,
    f.carrier, f.warehouse_id AS warehouse, l.sku AS product
FROM first_parcel AS f
JOIN orders AS o USING (order_id)
JOIN ship_by AS p USING (order_id)
LEFT JOIN first_line AS l USING (order_id)
WHERE f.handed_over_at IS NOT NULL

-- measure: late_shipment_contacts
SELECT o.order_id AS unit, f.handed_over_at AS at, 1 AS under, bool_or(k.order_id IS NOT NULL) AS over,
    any_value(f.carrier) AS carrier, any_value(f.warehouse_id) AS warehouse, any_value(l.sku) AS product
FROM first_parcel AS f
JOIN orders AS o USING (order_id)
JOIN deliver_by AS p USING (order_id)
LEFT JOIN first_line AS l USING (order_id)
LEFT JOIN asking AS k
    ON k.order_id = o.order_id AND k.contacted_at > p.due_at AND k.contacted_at <= coalesce(f.delivered_at, as_of())
WHERE f.handed_over_at IS NOT NULL
GROUP BY o.order_id, f.handed_over_at

-- measure: exception_time
SELECT id AS unit, opened_at AS at, hours_between(opened_at, coalesce(closed_at, as_of())) AS hours,
    closed_at IS NOT NULL AS ended, lane, team, carrier, warehouse, product
FROM told_cases

-- measure: detection_lag
SELECT c.id AS unit, c.opened_at AS at, hours_between(min(p.due_at), c.opened_at) AS hours, true AS ended,
    c.lane, c.team, c.carrier, c.warehouse, c.product
FROM told_cases AS c
JOIN case_orders AS o ON o.id = c.id
JOIN promises AS p ON p.order_id = o.order_id
    AND p.kind = CASE
        WHEN list_contains(c.kinds, 'stuck_order') THEN 'ship_by'
        WHEN list_contains(c.kinds, 'lost_shipment') OR list_contains(c.kinds, 'late_delivery') THEN 'deliver_by'
    END
WHERE c.lane = 'fulfilment' AND p.due_at < c.opened_at
GROUP BY c.id, c.opened_at, c.lane, c.team, c.carrier, c.warehouse, c.product

-- measure: return_receipt
SELECT return_id AS unit, requested_at AS at, hours_between(requested_at, coalesce(received_at, closed_at, as_of())) AS hours,
    received_at IS NOT NULL AS ended, sku AS product
FROM returns WHERE requested_at IS NOT NULL

-- measure: return_inspection
SELECT r.return_id AS unit, r.received_at AS at,
    hours_between(r.received_at, coalesce(min(i.inspected_at), any_value(r.closed_at), as_of())) AS hours,
    min(i.inspected_at) IS NOT NULL AS ended, any_value(r.sku) AS product
FROM returns AS r LEFT JOIN inspections AS i USING (return_id)
WHERE r.received_at IS NOT NULL GROUP BY r.return_id, r.received_at

-- measure: return_refund
SELECT r.return_id AS unit, i.inspected_at AS at,
    hours_between(i.inspected_at, coalesce(f.refunded_at, as_of())) AS hours,
    f.refunded_at IS NOT NULL AS ended, r.sku AS product
FROM returns AS r
JOIN (SELECT return_id, min(inspected_at) AS inspected_at FROM inspections GROUP BY return_id) AS i USING (return_id)
LEFT JOIN refunded_returns AS f USING (return_id)
WHERE coalesce(r.status, '') NOT IN ('rejected', 'cancelled') AND coalesce(f.refunded_at >= i.inspected_at, true)

-- measure: return_processing
SELECT r.return_id AS unit, r.requested_at AS at, hours_between(r.requested_at, coalesce(f.refunded_at, as_of())) AS hours,
    f.refunded_at IS NOT NULL AS ended, r.sku AS product
FROM returns AS r LEFT JOIN refunded_returns AS f USING (return_id)
WHERE r.requested_at IS NOT NULL AND coalesce(r.status, '') NOT IN ('rejected', 'cancelled')

-- measure: reshipment_cost
SELECT o.order_id AS unit, o.approved_at AS at, o.currency,
    CASE WHEN label(o.currency) IS NOT NULL THEN coalesce(e.cost, 0) END AS amount,
    f.carrier, coalesce(f.warehouse_id, l.warehouse_id) AS warehouse, l.sku AS product
FROM orders AS o
LEFT JOIN (SELECT order_id, sum(cost) AS cost FROM reships GROUP BY order_id) AS e USING (order_id)
LEFT JOIN first_parcel AS f USING (order_id)
LEFT JOIN first_line AS l USING (order_id)
WHERE o.approved_at IS NOT NULL

-- measure: refund_leakage
SELECT r.refund_id AS unit, r.refunded_at AS at, r.currency, l.sku AS product,
    CAST(least(r.amount, greatest(
        0,
        r.so_far - coalesce(y.paid, r.so_far),
        CASE WHEN r.again THEN r.amount ELSE 0 END,
        CASE WHEN t.return_id IS NOT NULL AND t.received_at IS NULL AND has('inspections') THEN r.amount ELSE 0 END,
        CASE WHEN e.entitled_amount IS NOT NULL THEN r.of_return_so_far - e.entitled_amount ELSE 0 END
    )) AS BIGINT) AS amount
FROM (
    SELECT *,
        sum(amount) OVER (PARTITION BY of_order ORDER BY refunded_at, refund_id) AS so_far,
        sum(amount) OVER (PARTITION BY return_id ORDER BY refunded_at, refund_id) AS of_return_so_far,
        -- the same again, of the same order and the same return
        coalesce(amount = lag(amount) OVER (PARTITION BY of_order, return_id ORDER BY refunded_at, refund_id), false)
            AND return_id IS NOT NULL AS again
    FROM (
        SELECT f.*, coalesce(f.order_id, a.order_id) AS of_order
        FROM refunds AS f LEFT JOIN returns AS a USING (return_id)
    )
) AS r
LEFT JOIN (SELECT order_id, sum(amount) AS paid FROM payments GROUP BY order_id) AS y ON y.order_id = r.of_order
LEFT JOIN returns AS t ON t.return_id = r.return_id
LEFT JOIN entitled AS e ON e.return_id = r.return_id
LEFT JOIN first_line AS l ON l.order_id = r.of_order

-- measure: cancellations
SELECT o.order_id AS unit, o.placed_at AS at, 1 AS under,
    o.status IN ('cancelled', 'unavailable') AND o.status_known IS true AND f.handed_over_at IS NULL AS over,
    coalesce(f.warehouse_id, l.warehouse_id) AS warehouse, l.sku AS product
FROM orders AS o
LEFT JOIN first_parcel AS f USING (order_id)
LEFT JOIN first_line AS l USING (order_id)

-- measure: stockout_days
SELECT concat(sku, ' ', day) AS unit, start_of(day) AS at, 1 AS under, available <= 0 AS over, sku AS product
FROM stock_days

-- measure: stockout_demand
SELECT concat(d.sku, ' ', d.day) AS unit, start_of(d.day) AS at, s.a_day AS under,
    CASE WHEN d.available <= 0 THEN s.a_day ELSE 0 END AS over, d.sku AS product
FROM stock_days AS d
JOIN (
    SELECT sku, sum(quantity) / (SELECT greatest(date_diff('day', min(placed_at), as_of()), 1) FROM orders) AS a_day
    FROM order_lines JOIN orders USING (order_id) GROUP BY sku
) AS s USING (sku)

-- measure: oversold_lines
SELECT line_id AS unit, placed_at AS at, 1 AS under, available - sold < 0 AS over, sku AS product, warehouse_id AS warehouse
FROM (
    SELECT s.line_id, s.placed_at, s.sku, s.warehouse_id, i.available,
        sum(s.quantity) OVER (PARTITION BY i.level_id ORDER BY s.placed_at, s.line_id) AS sold
    FROM (SELECT l.*, o.placed_at FROM order_lines AS l JOIN orders AS o USING (order_id)) AS s
    ASOF JOIN inventory_levels AS i
        ON i.sku = s.sku AND i.warehouse_id = s.warehouse_id AND s.placed_at >= i.counted_at
)

-- measure: fraud_review_time
SELECT c.id AS unit, c.opened_at AS at, hours_between(c.opened_at, coalesce(c.decided_at, as_of())) AS hours,
    c.decided_at IS NOT NULL AS ended, c.lane, c.team, c.warehouse, c.product
FROM told_cases AS c WHERE c.lane = 'fraud'

-- measure: fraud_before_cut_off
SELECT c.id AS unit, c.opened_at AS at, 1 AS under, c.decided_at <= min(p.due_at) AS over, c.lane, c.team, c.warehouse, c.product
FROM told_cases AS c
JOIN case_orders AS o ON o.id = c.id
JOIN ship_by AS p ON p.order_id = o.order_id
WHERE c.lane = 'fraud' AND (c.decided_at IS NOT NULL OR p.due_at <= as_of())
GROUP BY c.id, c.opened_at, c.decided_at, c.lane, c.team, c.warehouse, c.product

-- measure: chargebacks_visa
SELECT payment_id AS unit, paid_at AS at, 1 AS under, 0 AS over FROM card_payments
UNION ALL
SELECT dispute_id, opened_at, 0, 1 FROM disputes

-- measure: chargebacks_mastercard
SELECT payment_id AS unit, paid_at + INTERVAL 1 MONTH AS at, 1 AS under, 0 AS over FROM card_payments
UNION ALL
SELECT dispute_id, opened_at, 0, 1 FROM disputes

-- measure: contact_after_exception
SELECT c.id AS unit, c.opened_at AS at, 1 AS under, bool_or(k.order_id IS NOT NULL) AS over,
    c.lane, c.team, c.carrier, c.warehouse, c.product
FROM told_cases AS c
JOIN case_orders AS o ON o.id = c.id
LEFT JOIN support_contacts AS k
    ON k.order_id = o.order_id AND k.contacted_at > c.opened_at AND k.contacted_at <= coalesce(c.closed_at, as_of())
GROUP BY ALL

-- measure: gross_margin_impact
SELECT c.id AS unit, c.opened_at AS at, any_value(c.currency) AS currency,
    CASE WHEN any_value(c.held_out) THEN 'holdout' ELSE 'tower' END AS arm, sum(coalesce(x.amount, 0)) AS amount,
    any_value(c.lane) AS lane, any_value(c.team) AS team
FROM told_cases AS c
JOIN case_orders AS o ON o.id = c.id
LEFT JOIN (
    SELECT order_id, refunded_at AS lost_at, amount FROM refunds WHERE order_id IS NOT NULL
    UNION ALL
    SELECT order_id, sent_at, cost FROM reships
    UNION ALL
    SELECT d.order_id, d.opened_at, coalesce(d.amount, y.amount)
    FROM disputes AS d
    LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM payments GROUP BY order_id) AS y USING (order_id)
) AS x ON x.order_id = o.order_id AND x.lost_at > c.opened_at
WHERE c.currency IS NOT NULL
GROUP BY c.id, c.opened_at

-- measure: time_to_rule
SELECT p.digest AS unit, p.opened_at AS at, hours_between(p.opened_at, coalesce(r.ruled_at, as_of())) AS hours,
    r.ruled_at IS NOT NULL AS ended, c.lane, c.team, r.approver
FROM proposals AS p
LEFT JOIN (SELECT proposal, min(ruled_at) AS ruled_at, arg_min(approver, ruled_at) AS approver FROM rulings GROUP BY proposal) AS r
    ON r.proposal = p.digest
LEFT JOIN told_cases AS c ON c.id = p.case_id
WHERE r.ruled_at IS NOT NULL OR p.standing IN ('waiting', 'expired')

-- measure: overrides
SELECT concat(r.proposal, ' ', r.round) AS unit, r.ruled_at AS at, 1 AS under, r.verdict <> 'approve' OR r.amount IS NOT NULL AS over,
    c.lane, c.team, r.approver
FROM rulings AS r
LEFT JOIN proposals AS p ON p.digest = r.proposal
LEFT JOIN told_cases AS c ON c.id = p.case_id

-- measure: expiries
SELECT p.digest AS unit, p.opened_at AS at, 1 AS under, p.standing = 'expired' AS over, c.lane, c.team
FROM proposals AS p
LEFT JOIN told_cases AS c ON c.id = p.case_id
WHERE p.standing IN ('expired', 'approved', 'rejected', 'done', 'refused', 'by hand')
