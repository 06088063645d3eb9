-- The signals of the fulfilment lane: one row for each order that was placed by as_of, facts only.
-- A fact that can't be known is NULL, never false. Tables are the accepted evidence, visible rows only;
-- a table that the source lacks is empty, and has('table') is then false; of a column that no row of the source can
-- have, tells('table.column') is false, and that it is empty says nothing.
-- as_of() is the moment; day_of(t) is the calendar day in the shop's time zone; open_days counts business days.

WITH
promised AS (
    SELECT
        order_id,
        min(due_at) FILTER (WHERE kind = 'ship_by') AS ship_by,
        min(due_at) FILTER (WHERE kind = 'deliver_by') AS deliver_by,
        bool_or(by_day) FILTER (WHERE kind = 'deliver_by') AS deliver_by_day
    FROM promises
    GROUP BY order_id
),
sold AS (
    SELECT
        order_id,
        min(seller_id) AS seller_id,
        min(warehouse_id) AS warehouse_id,
        sum(quantity * unit_amount) AS order_amount
    FROM order_lines
    GROUP BY order_id
),
paid AS (
    SELECT order_id, sum(amount) AS paid_amount FROM payments GROUP BY order_id
),
repaid AS (
    SELECT order_id, sum(amount) AS refunded_amount FROM refunds GROUP BY order_id
),
scanned AS (
    SELECT
        fulfillment_id,
        min(occurred_at) FILTER (WHERE code NOT IN ('pre_transit', 'unknown')) AS first_scan_at,
        -- What a carrier said in words that nobody understands may have been a scan, and may not.
        bool_or(code = 'unknown') AS maybe_scanned,
        max(occurred_at) AS last_scan_at,
        min(occurred_at) FILTER (WHERE code = 'delivered') AS delivered_scan_at,
        max(occurred_at) FILTER (WHERE code IN ('pre_transit', 'in_transit', 'out_for_delivery')) AS moving_scan_at
    FROM shipment_events
    GROUP BY fulfillment_id
),
parcels AS (
    SELECT
        f.*,
        s.first_scan_at,
        s.maybe_scanned,
        s.last_scan_at,
        coalesce(f.delivered_at, s.delivered_scan_at) AS arrived_at,
        coalesce(s.moving_scan_at > s.delivered_scan_at, false) AS out_of_order,
        -- A status counts where nothing dates it; NULL when it may or may not have held by then.
        CASE WHEN f.status = 'delivered' THEN f.status_known ELSE false END AS said_delivered,
        -- Where a source never dates a hand-over, a parcel that moves was handed over, and of others nobody knows.
        CASE
            WHEN f.handed_over_at IS NOT NULL THEN true
            WHEN tells('fulfillments.handed_over_at') THEN false
            WHEN f.status IN ('in_transit', 'delivered') AND f.status_known THEN true
        END AS left_us
    FROM fulfillments AS f
    LEFT JOIN scanned AS s USING (fulfillment_id)
    WHERE f.status <> 'cancelled' OR f.status_known IS NOT true
),
-- The newest parcel of an order speaks for it: after a reship, the one on its way.
shipped AS (
    SELECT
        order_id,
        CASE WHEN bool_or(left_us) THEN true WHEN bool_or(left_us IS NULL) THEN NULL ELSE false END AS ever_handed_over,
        min(handed_over_at) AS first_handed_over_at,
        max(arrived_at) AS arrived_at,
        bool_or(said_delivered) AS said_delivered,
        bool_or(said_delivered IS NULL) AS maybe_delivered,
        bool_or(out_of_order) AS out_of_order,
        arg_max(struct_pack(
            fulfillment_id, carrier, service, warehouse_id, label_created_at, handed_over_at, first_scan_at, last_scan_at,
            maybe_scanned, left_us, tracking_code
        ), (coalesce(label_created_at, handed_over_at, TIMESTAMPTZ '1970-01-01'), fulfillment_id)) AS newest
    FROM parcels
    GROUP BY order_id
),
unsent AS (
    SELECT
        o.order_id,
        has('fulfillments') AND NOT (o.status IN ('shipped', 'delivered') AND coalesce(o.status_known, true)) AS no_parcel
    FROM orders AS o
    ANTI JOIN shipped AS s USING (order_id)
),
held AS (
    SELECT
        h.order_id,
        bool_or(h.released_at IS NULL) AS on_hold,
        bool_or(h.placed_at <= s.first_handed_over_at AND coalesce(h.released_at > s.first_handed_over_at, true)) AS shipped_on_hold
    FROM holds AS h
    LEFT JOIN shipped AS s USING (order_id)
    GROUP BY h.order_id
),
marked AS (
    SELECT order_id, count(*) AS contradictions, string_agg(DISTINCT rule, ', ' ORDER BY rule) AS contradiction_rules
    FROM marks
    -- What customers write is no record of ours: that it does not fit makes no contradiction.
    WHERE "table" NOT IN ('support_contacts', 'reviews')
    GROUP BY order_id
),
written AS (
    SELECT order_id, contact_id AS id, contacted_at AS written_at, text, 'to support' AS told, text AS contact_text, NULL AS review_text
    FROM support_contacts
    WHERE order_id IS NOT NULL AND text IS NOT NULL
    UNION ALL
    SELECT order_id, review_id, written_at, words, 'in a review', NULL, words
    FROM (SELECT *, concat_ws('. ', title, text) AS words FROM reviews WHERE order_id IS NOT NULL)
    WHERE words <> ''
),
words AS (
    SELECT
        order_id,
        arg_max(contact_text, (written_at, id)) FILTER (WHERE contact_text IS NOT NULL) AS contact_text,
        arg_max(review_text, (written_at, id)) FILTER (WHERE review_text IS NOT NULL) AS review_text
    FROM written
    GROUP BY order_id
),
-- What says "not received" counts if it is no older than the day of the delivery: before, it was true.
missed AS (
    SELECT order_id, arg_max(struct_pack(told, said), (written_at, id)) AS newest
    FROM (
        SELECT w.*, words_for('not_received', text) AS said
        FROM written AS w
        JOIN shipped AS s USING (order_id)
        WHERE day_of(w.written_at) >= day_of(s.arrived_at)
    )
    WHERE said IS NOT NULL
    GROUP BY order_id
)

SELECT
    o.order_id,
    o.customer_id,
    o.currency,
    CASE WHEN o.status_known THEN o.status END AS status,
    o.placed_at,
    CASE
        WHEN o.approved_at IS NOT NULL THEN true
        WHEN tells('orders.approved_at') THEN false
        WHEN o.status_known AND o.status IN ('approved', 'processing', 'shipped', 'delivered') THEN true
        WHEN o.status_known AND o.status = 'created' THEN false
    END AS approved,
    CASE
        WHEN o.status NOT IN ('cancelled', 'unavailable') AND o.cancelled_at IS NULL THEN false
        WHEN o.cancelled_at IS NOT NULL THEN true
        ELSE o.status_known
    END AS cancelled,
    CASE WHEN o.status IN ('cancelled', 'unavailable') AND o.status_known THEN o.status END AS cancelled_reason,
    -- No parcel at all is "not handed over" where the source tells of parcels, and unknown where it does not, or
    -- where it calls the order shipped and has no parcel of it.
    CASE WHEN s.order_id IS NOT NULL THEN s.ever_handed_over WHEN n.no_parcel THEN false END AS handed_over,
    CASE WHEN has('fulfillments') THEN s.arrived_at IS NOT NULL END AS delivered,
    CASE
        WHEN NOT has('fulfillments') THEN NULL
        WHEN s.arrived_at IS NOT NULL OR s.said_delivered THEN true
        WHEN s.maybe_delivered THEN NULL
        ELSE false
    END AS delivered_reported,
    p.ship_by,
    p.deliver_by,
    hours_between(p.ship_by, as_of()) AS hours_past_ship_by,
    hours_between(p.deliver_by, as_of()) AS hours_past_deliver_by,
    hours_between(o.placed_at, as_of()) AS hours_since_placed,
    hours_between(s.newest.handed_over_at, as_of()) AS hours_since_handed_over,
    CASE WHEN p.deliver_by_day
        -- A promise of a day is kept as the end of that day.
        THEN date_diff('day', day_of(p.deliver_by - INTERVAL 1 MICROSECOND), day_of(s.arrived_at))
        ELSE date_diff('day', day_of(p.deliver_by), day_of(s.arrived_at))
    END AS days_late,
    CASE WHEN s.order_id IS NOT NULL THEN s.newest.label_created_at IS NOT NULL WHEN n.no_parcel THEN false END AS labelled,
    CASE WHEN s.order_id IS NOT NULL THEN s.newest.left_us WHEN n.no_parcel THEN false END AS on_its_way,
    CASE
        WHEN NOT has('shipment_events') THEN NULL
        WHEN s.newest.first_scan_at IS NOT NULL THEN true
        WHEN s.newest.maybe_scanned THEN NULL
        -- Nobody can scan a parcel that has no code.
        WHEN s.newest IS NULL OR s.newest.tracking_code IS NOT NULL THEN false
    END AS first_scan,
    open_days(s.newest.label_created_at) AS business_days_since_label,
    open_days(s.newest.last_scan_at) AS business_days_since_last_scan,
    s.newest.carrier AS carrier,
    s.newest.service AS service,
    coalesce(s.newest.warehouse_id, l.warehouse_id) AS warehouse_id,
    l.seller_id,
    CAST(day_of(s.newest.label_created_at) AS VARCHAR) AS label_day,
    s.newest.fulfillment_id AS fulfillment_id,
    CAST(y.paid_amount AS BIGINT) AS paid_amount,
    CAST(coalesce(r.refunded_amount, 0) AS BIGINT) AS refunded_amount,
    CAST(y.paid_amount - coalesce(r.refunded_amount, 0) AS BIGINT) AS refundable_amount,
    CAST(coalesce(o.total_amount, l.order_amount) AS BIGINT) AS order_amount,
    CASE WHEN has('holds') THEN coalesce(h.on_hold, false) END AS on_hold,
    CASE WHEN has('holds') THEN coalesce(h.shipped_on_hold, false) END AS shipped_on_hold,
    CASE WHEN has('shipment_events') THEN coalesce(s.out_of_order, false) END AS scans_out_of_order,
    CAST(coalesce(m.contradictions, 0) AS BIGINT) AS contradictions,
    m.contradiction_rules,
    CASE
        WHEN NOT (tells('support_contacts.text') AND has('support_contacts') OR has('reviews')) THEN NULL
        WHEN s.arrived_at IS NULL AND coalesce(s.said_delivered, false) THEN NULL
        ELSE d.order_id IS NOT NULL
    END AS said_not_received,
    d.newest.said AS said_words,
    d.newest.told AS said_to,
    w.contact_text,
    w.review_text
FROM orders AS o
LEFT JOIN promised AS p USING (order_id)
LEFT JOIN sold AS l USING (order_id)
LEFT JOIN paid AS y USING (order_id)
LEFT JOIN repaid AS r USING (order_id)
LEFT JOIN shipped AS s USING (order_id)
LEFT JOIN unsent AS n USING (order_id)
LEFT JOIN held AS h USING (order_id)
LEFT JOIN marked AS m USING (order_id)
LEFT JOIN words AS w USING (order_id)
LEFT JOIN missed AS d USING (order_id)
ORDER BY o.order_id
