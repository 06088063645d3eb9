-- The signals of the fraud lane: one row for each order that was placed before as_of, facts only. They prepare
-- a review and judge nobody. A fact that can't be known is NULL, never false. watch_fulfilment.sql explains the
-- words that are given. Nothing at or after as_of is read, and what is counted for an order is counted in
-- [placed_at - window, placed_at), so that neither the order itself nor any later one is part of its own evidence.

WITH
-- Of what was written down about an order, the last counts, column by column.
told AS (
    SELECT
        order_id,
        arg_max(email_hash, (recorded_at, signal_id)) AS email_hash,
        arg_max(card_fingerprint, (recorded_at, signal_id)) AS card_fingerprint,
        arg_max(device_id, (recorded_at, signal_id)) AS device_id,
        arg_max(ip_hash, (recorded_at, signal_id)) AS ip_hash,
        arg_max(ip_country, (recorded_at, signal_id)) AS ip_country,
        arg_max(billing_hash, (recorded_at, signal_id)) AS billing_hash,
        arg_max(billing_country, (recorded_at, signal_id)) AS billing_country,
        arg_max(shipping_hash, (recorded_at, signal_id)) AS shipping_hash,
        arg_max(shipping_country, (recorded_at, signal_id)) AS shipping_country,
        arg_max(avs, (recorded_at, signal_id)) AS avs,
        arg_max(cvv, (recorded_at, signal_id)) AS cvv,
        arg_max(payment_attempts, (recorded_at, signal_id)) AS payment_attempts,
        arg_max(account_created_at, (recorded_at, signal_id)) AS account_created_at,
        arg_max(provider_level, (recorded_at, signal_id)) AS provider_level
    FROM risk_signals
    WHERE recorded_at < as_of()
    GROUP BY order_id
),
sold AS (
    SELECT order_id, sum(quantity * unit_amount) AS order_amount FROM order_lines GROUP BY order_id
),
placed AS (
    SELECT
        o.order_id, o.customer_id, o.currency, o.placed_at, o.cancelled_at, o.status, o.status_known,
        coalesce(o.total_amount, s.order_amount) AS order_amount,
        t.* EXCLUDE (order_id),
        t.order_id IS NOT NULL AS told
    FROM orders AS o
    LEFT JOIN told AS t USING (order_id)
    LEFT JOIN sold AS s USING (order_id)
    WHERE o.placed_at < as_of()
),
-- Who placed an order, by each thing that another order may share.
identified AS (
    SELECT order_id, placed_at, 'customer' AS shares, customer_id AS value FROM placed WHERE customer_id IS NOT NULL
    UNION ALL
    SELECT order_id, placed_at, 'email', email_hash FROM placed WHERE email_hash IS NOT NULL
    UNION ALL
    SELECT order_id, placed_at, 'card', card_fingerprint FROM placed WHERE card_fingerprint IS NOT NULL
    UNION ALL
    SELECT order_id, placed_at, 'device', device_id FROM placed WHERE device_id IS NOT NULL
    UNION ALL
    SELECT order_id, placed_at, 'ip', ip_hash FROM placed WHERE ip_hash IS NOT NULL
    UNION ALL
    SELECT order_id, placed_at, 'address', shipping_hash FROM placed WHERE shipping_hash IS NOT NULL
),
-- Only what two orders share needs windows: of a million orders, few do.
shared AS (
    SELECT i.*
    FROM identified AS i
    SEMI JOIN (SELECT shares, value FROM identified GROUP BY shares, value HAVING count(*) > 1) AS s
        ON s.shares = i.shares AND s.value = i.value
),
counted AS (
    SELECT
        order_id,
        shares,
        count(*) OVER minute AS in_minute,
        count(*) OVER hour AS in_hour,
        count(*) OVER day AS in_day
    FROM shared
    WINDOW
        minute AS (PARTITION BY shares, value ORDER BY placed_at RANGE BETWEEN INTERVAL 1 MINUTE PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING),
        hour AS (PARTITION BY shares, value ORDER BY placed_at RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING),
        day AS (PARTITION BY shares, value ORDER BY placed_at RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING)
),
velocity AS (
    SELECT
        order_id,
        max(in_hour) FILTER (WHERE shares = 'customer') AS by_customer_hour,
        max(in_hour) FILTER (WHERE shares = 'email') AS by_email_hour,
        max(in_minute) FILTER (WHERE shares = 'card') AS by_card_minute,
        max(in_day) FILTER (WHERE shares = 'device') AS by_device_day,
        max(in_day) FILTER (WHERE shares = 'ip') AS by_ip_day,
        max(in_day) FILTER (WHERE shares = 'address') AS by_address_day
    FROM counted
    GROUP BY order_id
),
cards AS (
    SELECT
        order_id,
        count(DISTINCT card_fingerprint) OVER (
            PARTITION BY customer_id ORDER BY placed_at
            RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING
        ) AS in_hour
    FROM placed
    SEMI JOIN (SELECT order_id FROM shared WHERE shares = 'customer') AS s USING (order_id)
),
-- The same mail address and the same total within a day before.
again AS (
    SELECT
        order_id,
        count(*) OVER (
            PARTITION BY email_hash, order_amount, currency ORDER BY placed_at
            RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING
        ) AS in_day
    FROM placed
    SEMI JOIN (SELECT order_id FROM shared WHERE shares = 'email') AS s USING (order_id)
    WHERE order_amount IS NOT NULL
),
-- A burst is looked at as of now, not as of each order: its first orders are part of it. A run of orders that
-- share something ends where ten minutes pass without one; fewer than five are no burst by anybody's rule.
runs AS (
    SELECT order_id, shares, value, placed_at, sum(fresh) OVER (PARTITION BY shares, value ORDER BY placed_at, order_id) AS run
    FROM (
        SELECT *, CASE WHEN placed_at - lag(placed_at) OVER (PARTITION BY shares, value ORDER BY placed_at, order_id) <= INTERVAL 10 MINUTE THEN 0 ELSE 1 END AS fresh
        FROM shared
    )
),
crowds AS (
    SELECT shares, value, run, since, row_number() OVER (ORDER BY since, shares, value) AS crowd
    FROM (SELECT shares, value, run, min(placed_at) AS since FROM runs GROUP BY shares, value, run HAVING count(*) >= 5)
),
of_crowds AS (
    SELECT r.order_id, c.crowd FROM runs AS r JOIN crowds AS c USING (shares, value, run)
),
-- Crowds with an order in common are one: the number of the first is handed on, thrice, which joins a device
-- with its cards, and those with their addresses.
handed_on_1 AS (
    SELECT order_id, crowd, min(first) OVER (PARTITION BY crowd) AS first
    FROM (SELECT *, min(crowd) OVER (PARTITION BY order_id) AS first FROM of_crowds)
),
handed_on_2 AS (
    SELECT order_id, crowd, min(first) OVER (PARTITION BY crowd) AS first
    FROM (SELECT order_id, crowd, min(first) OVER (PARTITION BY order_id) AS first FROM handed_on_1)
),
joined AS (
    SELECT order_id, min(first) AS first FROM handed_on_2 GROUP BY order_id
),
bursts AS (
    SELECT
        j.order_id,
        count(*) OVER (PARTITION BY j.first) AS orders,
        c.shares || ' ' || c.value || ' since ' || strftime(timezone('UTC', c.since), '%Y-%m-%dT%H:%M:%SZ') AS identity
    FROM joined AS j
    JOIN crowds AS c ON c.crowd = j.first
),
-- Earlier orders whose payment was disputed as not the cardholder's own, before as_of. A network address is
-- shared by strangers, and is no link to a dispute.
disputed AS (
    SELECT i.shares, i.value, i.placed_at, count(*) OVER (PARTITION BY i.shares, i.value ORDER BY i.placed_at RANGE UNBOUNDED PRECEDING) AS orders
    FROM identified AS i
    SEMI JOIN (
        SELECT order_id FROM disputes WHERE opened_at < as_of() AND reason IN ('fraudulent', 'unrecognized')
    ) AS d ON d.order_id = i.order_id
    WHERE i.shares <> 'ip'
),
linked AS (
    SELECT i.order_id, max(d.orders) AS disputes
    FROM (SELECT s.* FROM shared AS s SEMI JOIN disputed AS d ON d.shares = s.shares AND d.value = s.value) AS i
    ASOF JOIN disputed AS d ON d.shares = i.shares AND d.value = i.value AND i.placed_at > d.placed_at
    GROUP BY i.order_id
),
redirected AS (
    SELECT c.order_id, count(*) AS changes
    FROM address_changes AS c
    JOIN placed AS p USING (order_id)
    WHERE c.changed_at < as_of() AND c.changed_at > p.placed_at AND c.from_hash IS DISTINCT FROM c.to_hash
    GROUP BY c.order_id
),
contacted AS (
    SELECT
        order_id,
        count(*) AS contacts,
        count(*) FILTER (WHERE matches_order = false) AS mismatched,
        count(*) FILTER (WHERE matches_order IS NULL) AS unasked
    FROM support_contacts
    WHERE contacted_at < as_of() AND order_id IS NOT NULL
    GROUP BY order_id
),
shipped AS (
    SELECT
        order_id,
        bool_or(handed_over_at IS NOT NULL) AS handed_over,
        bool_or(delivered_at IS NOT NULL OR (status = 'delivered' AND status_known)) AS delivered,
        bool_or(status = 'delivered' AND status_known IS NULL) AS maybe_delivered
    FROM fulfillments
    WHERE status <> 'cancelled' OR status_known IS NOT true
    GROUP BY order_id
),
held AS (
    SELECT order_id, bool_or(released_at IS NULL) AS on_hold FROM holds WHERE placed_at < as_of() GROUP BY order_id
)

SELECT
    p.order_id,
    p.customer_id,
    p.currency,
    CAST(p.order_amount AS BIGINT) AS order_amount,
    p.placed_at,
    hours_between(p.placed_at, as_of()) AS hours_since_placed,
    CASE
        WHEN p.cancelled_at IS NOT NULL OR (p.status IN ('cancelled', 'unavailable', 'delivered') AND p.status_known) THEN false
        WHEN s.delivered THEN false
        WHEN s.maybe_delivered OR (p.status IN ('cancelled', 'unavailable', 'delivered') AND p.status_known IS NULL) THEN NULL
        WHEN has('fulfillments') THEN true
    END AS reviewable,
    CASE WHEN has('fulfillments') THEN coalesce(s.handed_over, false) END AS handed_over,
    CASE WHEN has('holds') THEN coalesce(h.on_hold, false) END AS on_hold,
    p.email_hash,
    p.card_fingerprint,
    p.device_id,
    p.ip_hash,
    p.shipping_hash,
    -- A guest has no account, and so no other orders by it.
    CAST(CASE WHEN p.customer_id IS NOT NULL THEN coalesce(v.by_customer_hour, 0) WHEN p.told THEN 0 END AS BIGINT) AS orders_by_customer_hour,
    CAST(CASE WHEN p.email_hash IS NOT NULL THEN coalesce(v.by_email_hour, 0) END AS BIGINT) AS orders_by_email_hour,
    CAST(CASE WHEN p.card_fingerprint IS NOT NULL THEN coalesce(v.by_card_minute, 0) WHEN p.avs = 'not_applicable' THEN 0 END AS BIGINT) AS orders_by_card_minute,
    CAST(CASE WHEN p.customer_id IS NOT NULL THEN coalesce(c.in_hour, 0) WHEN p.told THEN 0 END AS BIGINT) AS cards_by_customer_hour,
    CAST(CASE WHEN p.device_id IS NOT NULL THEN coalesce(v.by_device_day, 0) END AS BIGINT) AS orders_by_device_day,
    CAST(CASE WHEN p.ip_hash IS NOT NULL THEN coalesce(v.by_ip_day, 0) END AS BIGINT) AS orders_by_ip_day,
    CAST(CASE WHEN p.shipping_hash IS NOT NULL THEN coalesce(v.by_address_day, 0) END AS BIGINT) AS orders_by_address_day,
    CAST(CASE WHEN p.told THEN coalesce(b.orders, 0) END AS BIGINT) AS burst_orders,
    b.identity AS burst_identity,
    CAST(CASE WHEN p.email_hash IS NOT NULL AND p.order_amount IS NOT NULL THEN coalesce(a.in_day, 0) END AS BIGINT) AS same_orders_day,
    CASE WHEN p.account_created_at < p.placed_at THEN hours_between(p.account_created_at, p.placed_at) / 24 END AS account_age_days,
    p.ip_country,
    p.billing_country,
    p.shipping_country,
    p.billing_hash = p.shipping_hash AS same_address,
    CASE WHEN p.avs <> 'unavailable' THEN p.avs END AS avs,
    CASE WHEN p.cvv <> 'unavailable' THEN p.cvv END AS cvv,
    CAST(p.payment_attempts AS BIGINT) AS payment_attempts,
    p.provider_level,
    CAST(CASE WHEN has('address_changes') THEN coalesce(r.changes, 0) END AS BIGINT) AS address_changes,
    CAST(CASE
        WHEN NOT has('support_contacts') THEN NULL
        WHEN k.mismatched > 0 THEN k.mismatched
        WHEN k.unasked > 0 THEN NULL
        ELSE 0
    END AS BIGINT) AS mismatched_contacts,
    CAST(CASE WHEN has('support_contacts') THEN coalesce(k.contacts, 0) END AS BIGINT) AS contacts,
    CAST(CASE WHEN has('disputes') AND p.told THEN coalesce(l.disputes, 0) END AS BIGINT) AS linked_disputes
FROM placed AS p
LEFT JOIN velocity AS v USING (order_id)
LEFT JOIN cards AS c USING (order_id)
LEFT JOIN again AS a USING (order_id)
LEFT JOIN bursts AS b USING (order_id)
LEFT JOIN linked AS l USING (order_id)
LEFT JOIN redirected AS r USING (order_id)
LEFT JOIN contacted AS k USING (order_id)
LEFT JOIN shipped AS s USING (order_id)
LEFT JOIN held AS h USING (order_id)
ORDER BY p.order_id
