-- The signals of the inventory lane: one row for each product, and one for each open order of it that its stock
-- can't keep. Facts only; a fact that can't be known is NULL, never false, so a product of which nobody counted
-- the stock is unknown. watch_fulfilment.sql and watch_returns.sql explain the words that are given;
-- gamma_quantile(chance, shape) is the value below which a gamma of that shape, and scale 1, lies with that chance.

WITH
spans AS (
    SELECT
        day_of(as_of()) AS today,
        as_of() - INTERVAL 14 DAY AS recent_from,
        as_of() - INTERVAL 70 DAY AS past_from
),
skus AS (
    SELECT sku FROM order_lines
    UNION SELECT sku FROM inventory_levels
    UNION SELECT sku FROM purchase_orders
    UNION SELECT sku FROM campaigns
    UNION SELECT sku FROM product_signals
    UNION SELECT sku FROM product_states
),
gone AS (
    SELECT
        order_id,
        bool_or(handed_over_at IS NOT NULL OR delivered_at IS NOT NULL
            OR (status IN ('in_transit', 'delivered') AND status_known IS true)) AS gone,
        bool_or(status IN ('in_transit', 'delivered') AND status_known IS NULL) AS perhaps
    FROM fulfillments
    WHERE status <> 'cancelled' OR status_known IS NOT true
    GROUP BY order_id
),
placed AS (
    SELECT
        o.order_id, o.currency, o.placed_at, day_of(o.placed_at) AS day,
        CASE
            WHEN o.cancelled_at IS NOT NULL THEN true
            WHEN o.status IN ('cancelled', 'unavailable') THEN o.status_known
            ELSE false
        END AS cancelled,
        -- An order waits for its goods from its approval until they are handed over.
        CASE
            WHEN o.approved_at IS NULL OR o.cancelled_at IS NOT NULL THEN false
            WHEN o.status IN ('cancelled', 'unavailable', 'shipped', 'delivered') AND o.status_known THEN false
            WHEN g.gone THEN false
            WHEN NOT has('fulfillments') OR g.perhaps OR (o.status <> 'approved' AND o.status_known IS NULL) THEN NULL
            ELSE true
        END AS waits
    FROM orders AS o
    LEFT JOIN gone AS g USING (order_id)
),
sold AS (
    SELECT
        l.sku, l.order_id, p.day, p.placed_at, p.cancelled, p.waits,
        sum(l.quantity) AS units,
        arg_max(l.unit_amount, l.line_id) AS unit_amount,
        any_value(p.currency) AS currency
    FROM order_lines AS l
    JOIN placed AS p USING (order_id)
    GROUP BY ALL
),
priced AS (
    SELECT
        sku,
        arg_max(unit_amount, (placed_at, order_id)) AS unit_amount,
        arg_max(currency, (placed_at, order_id)) AS currency,
        min(day) AS first_day,
        CASE WHEN bool_or(waits IS NULL) THEN NULL ELSE coalesce(sum(units) FILTER (WHERE waits), 0) END AS awaiting_units
    FROM sold
    GROUP BY sku
),

-- Demand: units a day over the 56 whole days before today, of what was ordered and not cancelled.
by_day AS (
    SELECT sku, date_diff('day', day, today) AS days_ago, sum(units) AS units
    FROM sold, spans
    WHERE cancelled IS NOT true AND day < today AND day >= today - 56
    GROUP BY sku, day, today
),
-- Newest sale first: Teunter, Syntetos and Babai's estimate smooths the chance of a sale on each day, and the
-- size of a sale at each sale, both by a tenth. What smoothing never reached counts as the plain mean.
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY sku ORDER BY days_ago) - 1 AS sales_ago FROM by_day
),
told AS (
    SELECT
        sku,
        sum(units) AS units,
        count(*) AS demand_days,
        sum(units * units) AS squares,
        sum(0.1 * power(0.9, days_ago - 1)) AS chance_part,
        sum(units * 0.1 * power(0.9, sales_ago)) AS size_part
    FROM ranked
    GROUP BY sku
),
known_for AS (
    SELECT date_diff('day', min(day), any_value(today)) AS days FROM placed, spans
),
history AS (
    SELECT
        s.sku,
        nullif(least(56, date_diff('day', p.first_day, today), k.days), 0) AS days,
        coalesce(t.units, 0) AS units,
        coalesce(t.demand_days, 0) AS demand_days,
        t.squares, t.chance_part, t.size_part
    FROM skus AS s
    CROSS JOIN spans
    CROSS JOIN known_for AS k
    LEFT JOIN priced AS p USING (sku)
    LEFT JOIN told AS t USING (sku)
),
-- How many times more a day's units scatter than a Poisson count would; never less than once.
scattered AS (
    SELECT
        *,
        greatest(1, CASE WHEN units > 0 AND days > 1
            THEN (squares - units * units / days) / (days - 1) / (units / days) ELSE 1 END) AS scatter,
        -- The squared coefficient of variation of the days on which any was sold.
        CASE WHEN demand_days > 1
            THEN (squares / demand_days - power(units / demand_days, 2)) / power(units / demand_days, 2) ELSE 0 END AS cv2
    FROM history
),
-- Syntetos and Boylan: a product that sells less often than on three days of four, or in sizes that jump, is
-- intermittent. Its speed is what is smoothed; of the others it is the mean.
paced AS (
    SELECT
        *,
        days IS NOT NULL AND (demand_days = 0 OR days / demand_days > 1.32 OR cv2 > 0.49) AS intermittent,
        CASE
            WHEN demand_days = 0 OR days / demand_days > 1.32 THEN CASE WHEN cv2 > 0.49 THEN 'lumpy' ELSE 'intermittent' END
            ELSE CASE WHEN cv2 > 0.49 THEN 'erratic' ELSE 'smooth' END
        END AS class
    FROM scattered
),
-- Both ends hold the true speed nine times of ten, as of a Poisson count whose scatter is what was seen: the
-- exact interval of the counts, stretched. What is smoothed lies within them, or moves the end it passes.
speeds AS (
    SELECT
        sku, days, units, demand_days,
        CASE WHEN days IS NOT NULL THEN intermittent END AS intermittent,
        CASE WHEN days IS NOT NULL THEN class END AS class,
        velocity,
        CASE
            WHEN velocity IS NULL THEN NULL
            WHEN units = 0 THEN 0.0
            ELSE least(velocity, scatter * gamma_quantile(0.05, greatest(units / scatter, 1e-9)) / days)
        END AS low,
        CASE WHEN velocity IS NOT NULL
            THEN greatest(velocity, scatter * gamma_quantile(0.95, units / scatter + 1) / days) END AS high
    FROM (
        SELECT
            *,
            CASE
                WHEN days IS NULL THEN NULL
                WHEN demand_days = 0 THEN 0.0
                WHEN intermittent THEN
                    (chance_part + power(0.9, days) * demand_days / days)
                    * (size_part + power(0.9, demand_days) * units / demand_days)
                ELSE units / days
            END AS velocity
        FROM paced
    )
),

-- Stock: the newest look at each product in each warehouse, and all of them together.
looks AS (
    SELECT * FROM inventory_levels
    QUALIFY row_number() OVER (PARTITION BY sku, warehouse_id ORDER BY counted_at DESC, level_id DESC) = 1
),
-- A sum of which a part is not known is not known.
stock AS (
    SELECT
        *,
        CASE WHEN available IS NOT NULL AND safety_stock IS NOT NULL THEN greatest(available - safety_stock, 0) END AS spare,
        CASE WHEN on_hand IS NOT NULL THEN greatest(on_hand, 0) END AS there
    FROM (
    SELECT
        sku,
        if(count(available) = count(*), sum(available), NULL) AS available,
        if(count(available + committed) = count(*), sum(available + committed), NULL) AS on_hand,
        if(count(safety_stock) = count(*), sum(safety_stock), NULL) AS safety_stock,
        if(count(lead_days) = count(*), max(lead_days), NULL) AS lead_days,
        if(count(storefront_available) = count(*), sum(storefront_available), NULL) AS storefront_available,
        if(count(warehouse_count) = count(*), sum(warehouse_count), NULL) AS warehouse_count,
        if(count(storefront_available + committed - warehouse_count) = count(*),
            sum(abs(storefront_available + committed - warehouse_count)), NULL) AS mismatch_units,
        arg_max(
            warehouse_id, (abs(coalesce(storefront_available + committed - warehouse_count, 0)), warehouse_id)
        ) AS warehouse_id
    FROM looks
    GROUP BY sku
    )
),

-- Orders of suppliers that are still to come: NULL where a status may or may not have held by then.
to_come AS (
    SELECT
        *,
        CASE
            WHEN received_at IS NOT NULL OR cancelled_at IS NOT NULL THEN false
            WHEN status IN ('received', 'cancelled') THEN NOT status_known
            ELSE true
        END AS open
    FROM purchase_orders
),
inbound AS (
    SELECT
        sku,
        bool_or(open IS NULL) AS perhaps,
        min(expected_at) FILTER (WHERE open AND expected_at > as_of()) AS next_at,
        arg_min(quantity, (expected_at, po_id)) FILTER (WHERE open AND expected_at > as_of()) AS next_units,
        min(expected_at) FILTER (WHERE open AND expected_at <= as_of()) AS late_since,
        sum(quantity) FILTER (WHERE open AND expected_at <= as_of()) AS late_units,
        arg_min(po_id, (expected_at, po_id)) FILTER (WHERE open AND expected_at <= as_of()) AS late_po_id,
        bool_or(open AND expected_at IS NULL) AS undated
    FROM to_come
    GROUP BY sku
),

-- Questions about availability: the last fortnight against the eight weeks before it, of the same product.
-- Each day of both spans counts the same, so of all questions the recent ones have the recent days' share.
questions AS (
    SELECT
        sku,
        coalesce(sum(count) FILTER (WHERE kind = 'availability_question' AND counted_at > recent_from), 0) AS recently,
        coalesce(sum(count) FILTER (WHERE kind = 'availability_question' AND counted_at > past_from), 0) AS in_all,
        coalesce(sum(count) FILTER (WHERE kind = 'preorder_cancellation' AND counted_at > recent_from), 0) AS cancellations,
        coalesce(sum(count) FILTER (WHERE kind = 'view' AND counted_at > recent_from), 0) AS views,
        coalesce(sum(count) FILTER (WHERE kind = 'add_to_cart' AND counted_at > recent_from), 0) AS carts,
        least(56.0, hours_between(min(counted_at), any_value(recent_from)) / 24) AS days_before
    FROM product_signals, spans
    GROUP BY sku
),
tested AS (
    SELECT
        sku,
        (in_all - recently) * 14 / days_before AS expected,
        binomial_tail(CAST(recently AS BIGINT), CAST(in_all AS BIGINT), 14 / (14 + days_before)) AS p
    FROM questions
    WHERE days_before > 0 AND in_all > 0
),
-- Benjamini and Hochberg: of the rises that are found, no more than this share is chance.
rises AS (
    SELECT sku, expected, min(q) OVER (ORDER BY place DESC) AS q
    FROM (
        SELECT *, least(p * count(*) OVER () / place, 1.0) AS q
        FROM (SELECT *, row_number() OVER (ORDER BY p, sku) AS place FROM tested)
    )
),
promoted AS (
    SELECT sku, min(name) AS name, max(ends_at) AS until
    FROM campaigns
    WHERE starts_at <= as_of() AND ends_at > as_of()
    GROUP BY sku
),
shown AS (
    SELECT * FROM product_states QUALIFY row_number() OVER (PARTITION BY sku ORDER BY set_at DESC, state_id DESC) = 1
),

products AS (
    SELECT
        k.sku,
        p.currency,
        CAST(p.unit_amount AS BIGINT) AS unit_amount,
        CAST(v.units AS BIGINT) AS units_sold,
        CAST(v.demand_days AS BIGINT) AS demand_days,
        CAST(v.days AS BIGINT) AS history_days,
        v.class AS demand_class,
        v.intermittent,
        v.velocity,
        v.low AS velocity_low,
        v.high AS velocity_high,
        CAST(s.available AS BIGINT) AS available,
        CAST(s.on_hand AS BIGINT) AS on_hand,
        CAST(s.safety_stock AS BIGINT) AS safety_stock,
        -- least() and greatest() pass over what is not known, so they are only asked of what is. A thousand days
        -- of cover are as good as for ever.
        CASE WHEN s.spare IS NOT NULL AND v.velocity IS NOT NULL THEN least(1000.0, s.spare / greatest(v.velocity, 1e-9)) END AS cover_days,
        CASE WHEN s.spare IS NOT NULL AND v.high IS NOT NULL THEN least(1000.0, s.spare / greatest(v.high, 1e-9)) END AS cover_days_low,
        CASE WHEN s.spare IS NOT NULL AND v.low IS NOT NULL THEN least(1000.0, s.spare / greatest(v.low, 1e-9)) END AS cover_days_high,
        CAST(s.lead_days AS BIGINT) AS lead_days,
        -- With nothing on its way, what is ordered now is the next to come.
        CASE
            WHEN NOT has('purchase_orders') OR i.perhaps OR (i.undated AND i.next_at IS NULL) THEN NULL
            WHEN i.next_at IS NOT NULL THEN hours_between(as_of(), i.next_at) / 24
            ELSE CAST(s.lead_days AS DOUBLE)
        END AS days_to_inbound,
        CASE
            WHEN NOT has('purchase_orders') THEN NULL
            WHEN i.next_at IS NOT NULL THEN true
            WHEN i.perhaps OR i.undated THEN NULL
            ELSE false
        END AS inbound_ordered,
        CAST(i.next_units AS BIGINT) AS inbound_units,
        CAST(CASE
            WHEN NOT has('purchase_orders') THEN NULL
            WHEN i.late_since IS NOT NULL THEN open_days(i.late_since)
            WHEN i.perhaps OR i.undated THEN NULL
            ELSE 0
        END AS DOUBLE) AS business_days_overdue,
        CAST(coalesce(i.late_units, 0) AS BIGINT) AS late_units,
        i.late_po_id,
        CAST(CASE WHEN p.sku IS NULL THEN 0 ELSE p.awaiting_units END AS BIGINT) AS awaiting_units,
        CAST(CASE
            WHEN s.there IS NULL OR (p.sku IS NOT NULL AND p.awaiting_units IS NULL) THEN NULL
            ELSE greatest(coalesce(p.awaiting_units, 0) - s.there, 0)
        END AS BIGINT) AS beyond_units,
        CAST(s.storefront_available AS BIGINT) AS storefront_available,
        CAST(s.warehouse_count AS BIGINT) AS warehouse_count,
        CAST(s.mismatch_units AS BIGINT) AS mismatch_units,
        s.warehouse_id,
        CASE WHEN has('campaigns') THEN c.sku IS NOT NULL END AS promoted,
        c.name AS campaign,
        c.until AS promoted_until,
        CAST(CASE WHEN has('product_signals') THEN coalesce(u.recently, 0) END AS BIGINT) AS question_count,
        r.expected AS question_expected,
        CASE
            WHEN NOT has('product_signals') THEN NULL
            WHEN coalesce(u.recently, 0) = 0 THEN 1.0  -- nobody asks, so nobody asks more often
            ELSE r.q
        END AS question_q,
        CAST(CASE WHEN has('product_signals') THEN coalesce(u.cancellations, 0) END AS BIGINT) AS preorder_cancellations,
        CAST(CASE WHEN has('product_signals') THEN coalesce(u.views, 0) END AS BIGINT) AS views,
        CAST(CASE WHEN has('product_signals') THEN coalesce(u.carts, 0) END AS BIGINT) AS add_to_carts,
        h.recommended,
        CAST(h.ranking AS BIGINT) AS ranking,
        h.message,
        h.ads,
        h.backorder
    FROM skus AS k
    LEFT JOIN priced AS p USING (sku)
    LEFT JOIN speeds AS v USING (sku)
    LEFT JOIN stock AS s USING (sku)
    LEFT JOIN inbound AS i USING (sku)
    LEFT JOIN questions AS u USING (sku)
    LEFT JOIN rises AS r USING (sku)
    LEFT JOIN promoted AS c USING (sku)
    LEFT JOIN shown AS h USING (sku)
),

-- Who came first is served first. What an order lacks is there in time when enough of it arrives by its ship-by.
queued AS (
    SELECT
        w.sku, w.order_id, w.units, w.unit_amount,
        sum(w.units) OVER (PARTITION BY w.sku ORDER BY w.placed_at, w.order_id) - s.there AS lacking
    FROM sold AS w
    JOIN stock AS s USING (sku)
    WHERE w.waits
),
due AS (
    SELECT order_id, min(due_at) AS ship_by FROM promises WHERE kind = 'ship_by' GROUP BY order_id
),
held AS (
    SELECT order_id, bool_or(released_at IS NULL) AS on_hold FROM holds GROUP BY order_id
),
arriving AS (
    SELECT
        q.sku, q.order_id,
        coalesce(sum(t.quantity), 0) AS ever,
        coalesce(sum(t.quantity) FILTER (WHERE t.expected_at <= d.ship_by), 0) AS in_time
    FROM queued AS q
    LEFT JOIN due AS d USING (order_id)
    LEFT JOIN to_come AS t ON t.sku = q.sku AND t.open IS NOT false AND (t.expected_at > as_of() OR t.expected_at IS NULL)
    WHERE q.lacking > 0
    GROUP BY q.sku, q.order_id
),
lacking AS (
    SELECT
        q.sku, q.order_id, q.unit_amount,
        least(q.units, q.lacking) AS units,
        CASE
            WHEN NOT has('purchase_orders') THEN NULL
            WHEN a.ever < q.lacking THEN false
            WHEN a.in_time >= q.lacking AND NOT coalesce(i.perhaps, false) THEN true
            WHEN d.ship_by IS NULL OR i.perhaps OR i.undated THEN NULL
            ELSE false
        END AS in_time
    FROM queued AS q
    JOIN arriving AS a USING (sku, order_id)
    LEFT JOIN due AS d ON d.order_id = q.order_id
    LEFT JOIN inbound AS i ON i.sku = q.sku
    WHERE q.lacking > 0
)

SELECT
    sku AS promise_id,
    CAST(NULL AS VARCHAR) AS order_id,
    false AS of_order,
    'all open orders' AS whose,
    p.* EXCLUDE (beyond_units),
    beyond_units AS short_units,
    TRY_CAST(CAST(beyond_units AS HUGEINT) * unit_amount AS BIGINT) AS short_amount,
    -- An estimate is told in two figures: more are not known, and would change with every day.
    TRY_CAST(CASE
        WHEN velocity * unit_amount * 7 < 100 THEN round(velocity * unit_amount * 7)
        ELSE round(velocity * unit_amount * 7, 1 - CAST(floor(log10(velocity * unit_amount * 7)) AS INTEGER))
    END AS BIGINT) AS week_amount,
    TRY_CAST(CAST(mismatch_units AS HUGEINT) * unit_amount AS BIGINT) AS mismatch_amount,
    CAST(NULL AS BOOLEAN) AS on_hold,
    CAST(NULL AS BOOLEAN) AS first_of_order
FROM products AS p
UNION ALL BY NAME
SELECT
    l.sku || ' of order ' || l.order_id AS promise_id,
    l.order_id,
    true AS of_order,
    'order ' || l.order_id AS whose,
    p.* EXCLUDE (beyond_units),
    CAST(CASE WHEN l.in_time IS NOT NULL THEN l.units END AS BIGINT) AS short_units,
    TRY_CAST(CASE WHEN l.in_time IS NOT NULL THEN l.units * l.unit_amount END AS BIGINT) AS short_amount,
    CASE WHEN has('holds') THEN coalesce(h.on_hold, false) END AS on_hold,
    -- One order is held once, whichever of its products are lacking: the first that is known to, and that may not
    -- be sold on backorder, speaks for it.
    row_number() OVER (
        PARTITION BY l.order_id
        ORDER BY l.in_time IS NOT NULL AND p.backorder IS NOT DISTINCT FROM 'deny' DESC, l.sku
    ) = 1 AS first_of_order
FROM lacking AS l
JOIN products AS p ON p.sku = l.sku
LEFT JOIN held AS h ON h.order_id = l.order_id
WHERE l.in_time IS NOT true
ORDER BY promise_id
