-- The signals of the returns lane: one row for each return that was asked for by as_of, facts only.
-- A fact that can't be known is NULL, never false. watch_fulfilment.sql explains the words that are given;
-- binomial_tail(count, of, share) is the chance of at least so many, of so many, each with that share.

WITH
bought AS (
    SELECT
        l.line_id, l.order_id, l.sku, l.quantity, l.unit_amount, l.final_sale, l.category,
        o.customer_id, o.currency, o.placed_at
    FROM order_lines AS l
    JOIN orders AS o USING (order_id)
),
-- A return that names no line is of its order's line of that product; one that names no order is of the
-- customer's latest earlier purchase of it; of several lines at one moment, the last. What was given away was
-- not paid for, and is a price to go by only where nothing else is on file.
by_order AS (
    SELECT order_id, sku, min(line_id) AS line_id FROM bought GROUP BY order_id, sku
),
by_customer AS (
    SELECT customer_id, sku, unit_amount > 0 AS priced, placed_at, max(line_id) AS line_id
    FROM bought
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id, sku, unit_amount > 0, placed_at
),
matched AS (
    SELECT
        r.*,
        coalesce(r.line_id, o.line_id, CASE WHEN r.order_id IS NULL THEN coalesce(c.line_id, g.line_id) END) AS of_line_id
    FROM returns AS r
    LEFT JOIN by_order AS o ON o.order_id = r.order_id AND o.sku = r.sku
    ASOF LEFT JOIN (FROM by_customer WHERE priced) AS c
        ON c.customer_id = r.customer_id AND c.sku = r.sku AND r.requested_at >= c.placed_at
    ASOF LEFT JOIN (FROM by_customer WHERE NOT priced) AS g
        ON g.customer_id = r.customer_id AND g.sku = r.sku AND r.requested_at >= g.placed_at
),
asked AS (
    SELECT
        m.* EXCLUDE (order_id, line_id, customer_id),
        coalesce(m.order_id, b.order_id) AS order_id,
        b.line_id,
        coalesce(m.customer_id, b.customer_id) AS customer_id,
        b.final_sale, b.category, b.unit_amount, b.currency, b.placed_at AS bought_at
    FROM matched AS m
    LEFT JOIN bought AS b ON b.line_id = m.of_line_id
),
-- Of an order's parcels, the last that had arrived when the return was asked for; before any had, the first that did.
delivered AS (
    SELECT
        a.return_id,
        coalesce(max(f.delivered_at) FILTER (WHERE f.delivered_at <= a.requested_at), min(f.delivered_at)) AS delivered_at
    FROM asked AS a
    JOIN fulfillments AS f USING (order_id)
    WHERE f.status <> 'cancelled' OR f.status_known IS NOT true
    GROUP BY a.return_id
),
looked_at AS (
    SELECT
        return_id,
        min(inspected_at) AS inspected_at,
        arg_max(condition, (inspected_at, inspection_id)) AS condition,
        arg_max(disposition, (inspected_at, inspection_id)) AS disposition
    FROM inspections
    GROUP BY return_id
),
-- Two refunds of one return that are the same amount, or of one order that are the same amount within a day.
-- A refund that is paid in parts is none of that, as long as the parts differ and stay within the price.
alike AS (
    SELECT DISTINCT unnest([one, other]) AS refund_id
    FROM (
        SELECT a.refund_id AS one, b.refund_id AS other
        FROM refunds AS a
        JOIN refunds AS b
            ON a.return_id = b.return_id AND a.amount = b.amount AND a.currency = b.currency AND a.refund_id < b.refund_id
        UNION ALL
        SELECT a.refund_id, b.refund_id
        FROM refunds AS a
        JOIN refunds AS b
            ON a.order_id = b.order_id AND a.amount = b.amount AND a.currency = b.currency AND a.refund_id < b.refund_id
            AND abs(epoch_us(a.refunded_at) - epoch_us(b.refunded_at)) <= 86400000000
        WHERE a.return_id IS NULL OR b.return_id IS NULL
    )
),
repaid AS (
    SELECT
        f.return_id,
        sum(f.amount) AS refunded_amount,
        count(*) AS refund_count,
        min(f.refunded_at) AS first_refunded_at,
        arg_max(f.method, (f.refunded_at, f.refund_id)) AS method_paid,
        bool_or(s.refund_id IS NOT NULL) AS alike
    FROM refunds AS f
    LEFT JOIN alike AS s USING (refund_id)
    WHERE f.return_id IS NOT NULL
    GROUP BY f.return_id
),
-- A refund that names no return may be of any return of its order that was asked for by then.
unsaid AS (
    SELECT order_id, max(refunded_at) AS last_refunded_at
    FROM refunds
    WHERE return_id IS NULL AND order_id IS NOT NULL
    GROUP BY order_id
),
paid AS (
    SELECT order_id, sum(amount) AS order_paid_amount FROM payments GROUP BY order_id
),
order_repaid AS (
    -- A refund that names no order is of the order that its return was matched to.
    SELECT coalesce(f.order_id, a.order_id) AS order_id, sum(f.amount) AS order_refunded_amount
    FROM refunds AS f
    LEFT JOIN asked AS a USING (return_id)
    GROUP BY coalesce(f.order_id, a.order_id)
),
-- Whether it is known what was refunded for a return: a refund names it, or none of its order leaves unsaid what it
-- repays since the return was asked for.
accounted AS (
    SELECT
        a.return_id,
        has('refunds') AND (
            f.return_id IS NOT NULL
            OR ((a.order_id IS NOT NULL OR tells('refunds.return_id'))
                AND (u.order_id IS NULL OR (u.last_refunded_at < a.requested_at) IS true))
        ) AS known
    FROM asked AS a
    LEFT JOIN repaid AS f USING (return_id)
    LEFT JOIN unsaid AS u USING (order_id)
),
-- What was known of the customer before the return was asked for: running counts, read as of that moment.
orders_so_far AS (
    SELECT
        customer_id, placed_at,
        count(*) OVER past AS orders,
        sum(spent) OVER past AS spent
    FROM (
        SELECT o.customer_id, o.placed_at, coalesce(o.total_amount, l.total) AS spent
        FROM orders AS o
        LEFT JOIN (SELECT order_id, sum(quantity * unit_amount) AS total FROM order_lines GROUP BY order_id) AS l USING (order_id)
        WHERE o.customer_id IS NOT NULL
    )
    WINDOW past AS (PARTITION BY customer_id ORDER BY placed_at RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
returns_so_far AS (
    SELECT
        return_id,
        count(*) OVER (
            PARTITION BY customer_id ORDER BY requested_at RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING
        ) AS returns
    FROM asked
    WHERE customer_id IS NOT NULL AND requested_at IS NOT NULL
),
-- A refusal counts from when it was made; where nothing dates it, from when its return was asked for.
refusals_so_far AS (
    SELECT customer_id, refused_at, count(*) OVER (PARTITION BY customer_id ORDER BY refused_at) AS refusals
    FROM (
        SELECT customer_id, greatest(requested_at, closed_at) AS refused_at
        FROM asked
        WHERE customer_id IS NOT NULL AND status = 'rejected' AND status_known
    )
),
lines_of AS (
    SELECT customer_id, count(*) AS lines FROM bought WHERE customer_id IS NOT NULL GROUP BY customer_id
),
sent_back AS (
    SELECT customer_id, count(*) AS returns, count(DISTINCT line_id) AS lines FROM asked GROUP BY customer_id
),
-- An order came back whole when every piece of every line did.
whole_orders AS (
    SELECT customer_id, count(*) AS orders
    FROM (
        SELECT b.order_id, any_value(b.customer_id) AS customer_id
        FROM bought AS b
        LEFT JOIN (SELECT line_id, sum(quantity) AS quantity FROM asked GROUP BY line_id) AS a USING (line_id)
        GROUP BY b.order_id
        HAVING bool_and(coalesce(a.quantity, 0) >= b.quantity)
    )
    GROUP BY customer_id
),
-- A product's recent returns for a reason, against its own past. A unit sold can come back for 45 days (30 of
-- the window and a fortnight under way), so what is compared is returns for each day that a unit could.
spans AS (
    SELECT
        as_of() - INTERVAL 14 DAY AS recent_from,
        as_of() - INTERVAL 194 DAY AS past_from
),
exposed AS (
    SELECT
        sku,
        sum(quantity * greatest(epoch_us(least(as_of(), placed_at + INTERVAL 45 DAY)) - epoch_us(greatest(recent_from, placed_at)), 0)) AS recently,
        sum(quantity * greatest(epoch_us(least(recent_from, placed_at + INTERVAL 45 DAY)) - epoch_us(greatest(past_from, placed_at)), 0)) AS before
    FROM bought, spans
    WHERE placed_at >= past_from - INTERVAL 45 DAY
    GROUP BY sku
),
reasons AS (
    SELECT
        a.sku,
        a.reason,
        count(*) FILTER (WHERE a.requested_at >= recent_from) AS recently,
        count(*) AS in_all
    FROM asked AS a, spans
    WHERE a.reason IS NOT NULL AND a.requested_at >= past_from AND a.requested_at < as_of()
    GROUP BY a.sku, a.reason
),
tested AS (
    SELECT
        r.sku, r.reason, r.recently,
        (r.in_all - r.recently) * e.recently / e.before AS expected,
        binomial_tail(r.recently, r.in_all, e.recently / (e.recently + e.before)) AS p
    FROM reasons AS r
    JOIN exposed AS e USING (sku)
    WHERE e.before > 0 AND e.recently > 0
),
-- Benjamini and Hochberg: of the spikes that are found, no more than this share is chance.
spikes AS (
    SELECT sku, reason, recently, expected, min(q) OVER (ORDER BY place DESC) AS q
    FROM (
        SELECT *, least(p * count(*) OVER () / place, 1.0) AS q
        FROM (SELECT *, row_number() OVER (ORDER BY p, sku, reason) AS place FROM tested)
    )
),
marked AS (
    SELECT return_id, count(*) AS contradictions, string_agg(DISTINCT rule, ', ' ORDER BY rule) AS contradiction_rules
    FROM (
        SELECT r.return_id, m.rule FROM marks AS m JOIN returns AS r ON m."table" = 'returns' AND m.source_id = r.source_id
        UNION ALL
        SELECT i.return_id, m.rule FROM marks AS m JOIN inspections AS i ON m."table" = 'inspections' AND m.source_id = i.source_id
        UNION ALL
        SELECT f.return_id, m.rule FROM marks AS m JOIN refunds AS f ON m."table" = 'refunds' AND m.source_id = f.source_id
    )
    GROUP BY return_id
),
-- What the customer last wrote once the return was asked for.
words AS (
    SELECT
        a.return_id,
        arg_max(k.text, (k.contacted_at, k.contact_id)) AS contact_text
    FROM asked AS a
    JOIN support_contacts AS k ON k.order_id = a.order_id AND k.contacted_at >= a.requested_at AND k.text IS NOT NULL
    GROUP BY a.return_id
),
reviewed AS (
    SELECT
        order_id,
        arg_max(concat_ws('. ', title, text), (written_at, review_id)) FILTER (WHERE coalesce(title, text) IS NOT NULL) AS review_text
    FROM reviews
    WHERE order_id IS NOT NULL
    GROUP BY order_id
),
told AS (
    SELECT count(received_at) > 0 AS of_arrivals, count(photos) > 0 AS of_photos FROM returns
)

SELECT
    a.return_id,
    a.order_id,
    a.line_id,
    a.customer_id,
    a.currency,
    a.sku,
    a.category,
    CAST(a.quantity AS BIGINT) AS quantity,
    CASE WHEN a.status_known THEN a.status END AS status,
    a.reason,
    a.reason_text,
    x.contact_text,
    z.review_text,
    -- No photo is "none" where the source tells of photos, and unknown where it does not.
    CASE WHEN t.of_photos THEN coalesce(a.photos, '') <> '' END AS has_photos,
    a.gift,
    a.final_sale,
    a.requested_at,
    a.bought_at,
    d.delivered_at,
    day_of(a.bought_at) AS bought_on,
    day_of(d.delivered_at) AS delivered_on,
    day_of(a.requested_at) AS requested_on,
    -- What is asked back before it arrives was held for no days at all.
    CASE
        WHEN NOT has('fulfillments') THEN hours_between(a.bought_at, a.requested_at) / 24
        WHEN d.delivered_at IS NULL THEN NULL
        WHEN d.delivered_at > a.requested_at THEN 0
        ELSE hours_between(d.delivered_at, a.requested_at) / 24
    END AS days_held,
    CASE WHEN has('fulfillments') THEN 'delivery' ELSE 'purchase' END AS held_since,
    hours_between(a.requested_at, as_of()) AS hours_since_requested,
    CASE
        WHEN a.received_at IS NOT NULL OR (a.status IN ('received', 'inspected') AND a.status_known) THEN true
        WHEN t.of_arrivals THEN false
    END AS received,
    CAST(open_days(a.received_at) AS DOUBLE) AS business_days_since_received,
    CASE WHEN has('inspections') THEN i.inspected_at IS NOT NULL END AS inspected,
    CAST(open_days(i.inspected_at) AS DOUBLE) AS business_days_since_inspected,
    i.condition,
    i.disposition,
    CAST(a.quantity * a.unit_amount AS BIGINT) AS paid_amount,
    CAST(y.order_paid_amount AS BIGINT) AS order_paid_amount,
    CAST(coalesce(q.order_refunded_amount, 0) AS BIGINT) AS order_refunded_amount,
    CAST(y.order_paid_amount - coalesce(q.order_refunded_amount, 0) AS BIGINT) AS order_refundable_amount,
    CASE WHEN v.known THEN f.return_id IS NOT NULL END AS refunded,
    CAST(CASE WHEN v.known THEN coalesce(f.refunded_amount, 0) END AS BIGINT) AS refunded_amount,
    CAST(CASE WHEN v.known THEN coalesce(f.refund_count, 0) END AS BIGINT) AS refund_count,
    CASE
        WHEN NOT v.known THEN NULL
        WHEN f.return_id IS NULL THEN false
        WHEN a.received_at IS NOT NULL THEN f.first_refunded_at < a.received_at
        WHEN NOT received THEN true
    END AS first_refund_before_received,
    CASE
        WHEN NOT v.known THEN NULL
        WHEN f.return_id IS NULL THEN false
        WHEN f.alike THEN true
        WHEN f.refund_count < 2 THEN false
        ELSE f.refunded_amount > a.quantity * a.unit_amount
    END AS repeated_refund,
    a.method_wanted,
    f.method_paid,
    CAST(CASE WHEN a.customer_id IS NOT NULL AND a.requested_at IS NOT NULL THEN coalesce(o.orders, 0) END AS BIGINT) AS customer_orders,
    CAST(s.returns AS BIGINT) AS customer_returns,
    CAST(CASE WHEN a.customer_id IS NOT NULL AND a.requested_at IS NOT NULL THEN coalesce(o.spent, 0) END AS BIGINT) AS customer_spent_amount,
    b.lines / l.lines AS customer_return_share,
    CAST(CASE WHEN a.customer_id IS NOT NULL THEN coalesce(w.orders, 0) END AS BIGINT) AS customer_full_returns,
    CAST(b.returns AS BIGINT) AS customer_returns_total,
    CAST(CASE WHEN a.customer_id IS NOT NULL THEN coalesce(n.refusals, 0) END AS BIGINT) AS prior_refusals,
    CAST(k.recently AS BIGINT) AS spike_count,
    k.expected AS spike_expected,
    -- A return from before the recent days is no part of the question; without a date nobody knows whether it is.
    CASE WHEN a.requested_at >= recent_from AND a.requested_at < as_of() THEN k.q WHEN a.requested_at IS NOT NULL THEN 1.0 END AS spike_q,
    CAST(coalesce(m.contradictions, 0) AS BIGINT) AS contradictions,
    m.contradiction_rules
FROM asked AS a
CROSS JOIN spans
CROSS JOIN told AS t
LEFT JOIN delivered AS d USING (return_id)
LEFT JOIN looked_at AS i USING (return_id)
LEFT JOIN repaid AS f USING (return_id)
LEFT JOIN paid AS y USING (order_id)
LEFT JOIN order_repaid AS q USING (order_id)
ASOF LEFT JOIN orders_so_far AS o ON o.customer_id = a.customer_id AND a.requested_at > o.placed_at
ASOF LEFT JOIN refusals_so_far AS n ON n.customer_id = a.customer_id AND a.requested_at > n.refused_at
LEFT JOIN returns_so_far AS s ON s.return_id = a.return_id
LEFT JOIN lines_of AS l ON l.customer_id = a.customer_id
LEFT JOIN sent_back AS b ON b.customer_id = a.customer_id
LEFT JOIN whole_orders AS w ON w.customer_id = a.customer_id
LEFT JOIN spikes AS k
    ON k.sku = a.sku AND k.reason = a.reason AND a.requested_at >= recent_from AND a.requested_at < as_of()
LEFT JOIN accounted AS v ON v.return_id = a.return_id
LEFT JOIN marked AS m ON m.return_id = a.return_id
LEFT JOIN words AS x ON x.return_id = a.return_id
LEFT JOIN reviewed AS z ON z.order_id = a.order_id
ORDER BY a.return_id
