-- The signals of the subscriptions lane: one row for each subscription that began by as_of, facts only.
-- A fact that can't be known is NULL, never false. watch_fulfilment.sql explains the words that are given.

WITH
-- What is still owed. An invoice's attempts and its code are as of its last attempt: where that is not seen,
-- they may be of later, and nobody can say whether it had failed by then.
owed AS (
    SELECT
        i.*,
        CASE
            WHEN i.attempts = 0 THEN false
            WHEN i.last_attempt_at IS NOT NULL THEN true
            WHEN i.attempts > 0 AND NOT tells('invoices.last_attempt_at') AND i.status_known THEN true
        END AS failed
    FROM invoices AS i
    WHERE i.paid_at IS NULL AND i.status <> 'draft'
        AND NOT (i.status IN ('paid', 'void', 'uncollectible') AND i.status_known)
),
-- The newest attempt tells how the method is; what is owed is told of all that failed.
failing AS (
    SELECT
        subscription_id,
        count(*) FILTER (failed) > 0 AS failed,
        count(*) FILTER (failed IS NULL) > 0 AS perhaps,
        count(*) FILTER (failed) AS failed_invoices,
        sum(amount) FILTER (failed) AS unpaid_amount,
        min(coalesce(due_at, created_at)) FILTER (failed) AS unpaid_since,
        arg_max(
            struct_pack(invoice_id, attempts, decline_code, next_attempt_at),
            (coalesce(last_attempt_at, created_at), invoice_id)
        ) FILTER (failed) AS newest
    FROM owed
    GROUP BY subscription_id
),
shipped AS (
    SELECT order_id, bool_or(handed_over_at IS NOT NULL) AS handed_over
    FROM fulfillments
    WHERE status <> 'cancelled' OR status_known IS NOT true
    GROUP BY order_id
),
held AS (
    SELECT order_id, bool_or(released_at IS NULL) AS on_hold FROM holds GROUP BY order_id
),
marked AS (
    SELECT subscription_id, count(*) AS contradictions, string_agg(DISTINCT rule, ', ' ORDER BY rule) AS contradiction_rules
    FROM (
        SELECT s.subscription_id, m.rule
        FROM marks AS m JOIN subscriptions AS s ON m."table" = 'subscriptions' AND m.source_id = s.source_id
        UNION ALL
        SELECT i.subscription_id, m.rule
        FROM marks AS m JOIN invoices AS i ON m."table" = 'invoices' AND m.source_id = i.source_id
    )
    GROUP BY subscription_id
)

SELECT
    s.subscription_id,
    s.next_order_id AS order_id,
    s.customer_id,
    s.currency,
    s.plan,
    CAST(s.amount AS BIGINT) AS amount,
    CASE WHEN s.status_known THEN s.status END AS status,
    CASE
        WHEN s.cancelled_at IS NOT NULL THEN false
        WHEN s.status IN ('cancelled', 'paused') THEN NOT s.status_known
        ELSE true
    END AS running,
    s.method_kind,
    s.method_country,
    s.method_expires_at,
    s.method_kind <> 'none' AS has_method,
    -- Only a card has an end on it.
    CASE WHEN s.method_kind <> 'card' THEN false ELSE s.method_expires_at <= as_of() END AS method_expired,
    CASE
        WHEN s.method_kind <> 'card' OR (s.next_charge_at IS NULL AND tells('subscriptions.next_charge_at')) THEN false
        ELSE s.method_expires_at <= s.next_charge_at
    END AS expires_before_charge,
    s.next_charge_at,
    hours_between(as_of(), s.next_charge_at) / 24 AS days_until_charge,
    CASE
        WHEN NOT has('invoices') THEN NULL
        WHEN f.failed THEN true
        WHEN f.perhaps THEN NULL
        ELSE false
    END AS failed,
    CAST(CASE WHEN has('invoices') THEN coalesce(f.failed_invoices, 0) END AS BIGINT) AS failed_invoices,
    f.newest.invoice_id AS invoice_id,
    CAST(f.unpaid_amount AS BIGINT) AS unpaid_amount,
    hours_between(f.unpaid_since, as_of()) AS hours_unpaid,
    CAST(f.newest.attempts AS BIGINT) AS attempts,
    f.newest.decline_code AS decline_code,
    f.newest.next_attempt_at AS next_attempt_at,
    CASE
        WHEN f.newest IS NULL THEN NULL
        WHEN f.newest.next_attempt_at IS NOT NULL THEN true
        WHEN tells('invoices.next_attempt_at') THEN false
    END AS retry_planned,
    s.next_ship_at,
    hours_between(as_of(), s.next_ship_at) AS hours_until_shipment,
    CASE
        WHEN f.newest IS NULL OR s.next_ship_at IS NULL THEN NULL
        WHEN f.newest.next_attempt_at IS NOT NULL THEN f.newest.next_attempt_at < s.next_ship_at
        WHEN tells('invoices.next_attempt_at') THEN false
    END AS retry_before_shipment,
    -- Whether there is something that could still be held back. No order yet is unknown: it may be made any time.
    CASE
        WHEN s.next_ship_at IS NULL AND s.next_order_id IS NULL AND tells('subscriptions.next_ship_at') THEN false
        WHEN p.handed_over THEN false
        WHEN o.cancelled_at IS NOT NULL THEN false
        WHEN o.order_id IS NULL OR NOT has('fulfillments') THEN NULL
        WHEN o.status IN ('cancelled', 'unavailable') THEN NOT o.status_known
        ELSE true
    END AS shipment_here,
    CASE WHEN has('holds') THEN coalesce(h.on_hold, false) END AS on_hold,
    CAST(coalesce(m.contradictions, 0) AS BIGINT) AS contradictions,
    m.contradiction_rules
FROM subscriptions AS s
LEFT JOIN failing AS f USING (subscription_id)
LEFT JOIN orders AS o ON o.order_id = s.next_order_id
LEFT JOIN shipped AS p ON p.order_id = s.next_order_id
LEFT JOIN held AS h ON h.order_id = s.next_order_id
LEFT JOIN marked AS m USING (subscription_id)
ORDER BY s.subscription_id
