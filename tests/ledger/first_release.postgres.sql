-- A ledger of the first release on PostgreSQL: an invented shop's refunds, written by that release's own code.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.journal_approvers() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'approvers', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.name) ELSE json_build_array(NEW.name) END, pg_current_xact_id()::text; RETURN NULL; END $$;
CREATE FUNCTION public.journal_breakers() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'breakers', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.id) ELSE json_build_array(NEW.id) END, pg_current_xact_id()::text; RETURN NULL; END $$;
CREATE FUNCTION public.journal_cases() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'cases', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.id) ELSE json_build_array(NEW.id) END, pg_current_xact_id()::text; RETURN NULL; END $$;
CREATE FUNCTION public.journal_chains() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'chains', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.run) ELSE json_build_array(NEW.run) END, pg_current_xact_id()::text; RETURN NULL; END $$;
CREATE FUNCTION public.journal_effects() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'effects', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.key) ELSE json_build_array(NEW.key) END, pg_current_xact_id()::text; RETURN NULL; END $$;
CREATE FUNCTION public.journal_events() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'events', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.id) ELSE json_build_array(NEW.id) END, pg_current_xact_id()::text; RETURN NULL; END $$;
CREATE FUNCTION public.journal_model_calls() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'model_calls', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.id) ELSE json_build_array(NEW.id) END, pg_current_xact_id()::text; RETURN NULL; END $$;
CREATE FUNCTION public.journal_proposals() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'proposals', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.digest) ELSE json_build_array(NEW.digest) END, pg_current_xact_id()::text; RETURN NULL; END $$;
CREATE FUNCTION public.journal_rulings() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'rulings', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.proposal, OLD.round) ELSE json_build_array(NEW.proposal, NEW.round) END, pg_current_xact_id()::text; RETURN NULL; END $$;
CREATE FUNCTION public.journal_votes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO touched (of, key, by) SELECT 'votes', CASE TG_OP WHEN 'DELETE' THEN json_build_array(OLD.proposal, OLD.round, OLD.approver) ELSE json_build_array(NEW.proposal, NEW.round, NEW.approver) END, pg_current_xact_id()::text; RETURN NULL; END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.approvers (
    name character varying NOT NULL,
    email character varying NOT NULL,
    roles json NOT NULL,
    customers json NOT NULL,
    token_hash character varying NOT NULL,
    token_expires_at timestamp with time zone NOT NULL,
    code_secret character varying NOT NULL,
    code_count integer NOT NULL,
    wrong_codes integer NOT NULL,
    locked_until timestamp with time zone,
    enrolled_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);
CREATE TABLE public.breakers (
    id integer NOT NULL,
    lane character varying NOT NULL,
    why character varying NOT NULL,
    tripped_by character varying NOT NULL,
    tripped_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    closed_by character varying NOT NULL,
    closed_why character varying NOT NULL
);
CREATE SEQUENCE public.breakers_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.breakers_id_seq OWNED BY public.breakers.id;
CREATE TABLE public.briefs (
    case_id character varying NOT NULL,
    evidence character varying NOT NULL,
    body json NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.cases (
    id character varying NOT NULL,
    lane character varying NOT NULL,
    shop character varying NOT NULL,
    pivot character varying NOT NULL,
    title character varying NOT NULL,
    standing character varying NOT NULL,
    material character varying NOT NULL,
    severity character varying NOT NULL,
    team character varying NOT NULL,
    owner character varying NOT NULL,
    amount integer,
    currency character varying,
    priority double precision NOT NULL,
    due_at timestamp with time zone NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    seen_as_of timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    closed_reason character varying NOT NULL,
    body json NOT NULL
);
CREATE TABLE public.chains (
    run character varying NOT NULL,
    length integer NOT NULL,
    head character varying NOT NULL
);
CREATE TABLE public.effects (
    key character varying NOT NULL,
    action character varying NOT NULL,
    order_id character varying NOT NULL,
    amount integer,
    currency character varying,
    state character varying NOT NULL,
    store_reference character varying NOT NULL,
    prior json NOT NULL,
    detail character varying NOT NULL,
    holder character varying NOT NULL,
    lane character varying NOT NULL,
    shop character varying NOT NULL,
    customer character varying NOT NULL,
    approver character varying NOT NULL,
    intended_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.events (
    id integer NOT NULL,
    subject character varying NOT NULL,
    what character varying NOT NULL,
    detail character varying NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.events_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.events_id_seq OWNED BY public.events.id;
CREATE TABLE public.journal (
    number integer NOT NULL,
    of character varying NOT NULL,
    key character varying NOT NULL,
    digest character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    code character varying NOT NULL
);
CREATE TABLE public.journal_head (
    id integer NOT NULL,
    number integer NOT NULL,
    code character varying NOT NULL
);
CREATE SEQUENCE public.journal_head_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.journal_head_id_seq OWNED BY public.journal_head.id;
CREATE SEQUENCE public.journal_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.journal_number_seq OWNED BY public.journal.number;
CREATE TABLE public.model_calls (
    id integer NOT NULL,
    key character varying NOT NULL,
    lane character varying NOT NULL,
    case_id character varying NOT NULL,
    prompt character varying NOT NULL,
    model character varying NOT NULL,
    evidence character varying NOT NULL,
    sent json NOT NULL,
    received character varying NOT NULL,
    outcome character varying NOT NULL,
    tokens_in integer,
    tokens_out integer,
    cost integer NOT NULL,
    milliseconds integer NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.model_calls_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.model_calls_id_seq OWNED BY public.model_calls.id;
CREATE TABLE public.outbox (
    key character varying NOT NULL,
    revision character varying NOT NULL,
    text character varying NOT NULL,
    blocks json NOT NULL,
    thread character varying,
    state character varying NOT NULL,
    channel_id character varying,
    thread_ts character varying,
    ts character varying,
    delivered_revision character varying,
    attempts integer NOT NULL,
    holder character varying NOT NULL,
    held_until timestamp with time zone,
    sent_at timestamp with time zone,
    next_try_at timestamp with time zone,
    last_error character varying NOT NULL,
    place integer NOT NULL,
    queued_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.proposals (
    digest character varying NOT NULL,
    case_id character varying NOT NULL,
    order_id character varying NOT NULL,
    standing character varying NOT NULL,
    detail character varying NOT NULL,
    flow_run_id character varying,
    undoes character varying NOT NULL,
    round integer NOT NULL,
    reminded integer NOT NULL,
    escalated_to character varying NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    body json NOT NULL
);
CREATE TABLE public.rulings (
    proposal character varying NOT NULL,
    round integer NOT NULL,
    verdict character varying NOT NULL,
    approver character varying NOT NULL,
    reason character varying NOT NULL,
    reason_code character varying NOT NULL,
    via character varying NOT NULL,
    ruled_at timestamp with time zone NOT NULL,
    amount integer,
    role character varying NOT NULL,
    on_behalf_of character varying NOT NULL,
    seconded_by character varying NOT NULL,
    authority character varying NOT NULL,
    covered json NOT NULL
);
CREATE TABLE public.slack_inbox (
    key character varying NOT NULL,
    kind character varying NOT NULL,
    body json NOT NULL,
    state character varying NOT NULL,
    outcome character varying NOT NULL,
    answer json,
    holder character varying NOT NULL,
    held_until timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone
);
CREATE TABLE public.slack_users (
    team character varying NOT NULL,
    "user" character varying NOT NULL,
    approver character varying NOT NULL
);
CREATE TABLE public.touched (
    id integer NOT NULL,
    of character varying NOT NULL,
    key character varying NOT NULL,
    by character varying NOT NULL
);
CREATE SEQUENCE public.touched_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.touched_id_seq OWNED BY public.touched.id;
CREATE TABLE public.votes (
    proposal character varying NOT NULL,
    round integer NOT NULL,
    approver character varying NOT NULL,
    amount integer,
    role character varying NOT NULL,
    on_behalf_of character varying NOT NULL,
    reason character varying NOT NULL,
    reason_code character varying NOT NULL,
    via character varying NOT NULL,
    at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.breakers ALTER COLUMN id SET DEFAULT nextval('public.breakers_id_seq'::regclass);
ALTER TABLE ONLY public.events ALTER COLUMN id SET DEFAULT nextval('public.events_id_seq'::regclass);
ALTER TABLE ONLY public.journal ALTER COLUMN number SET DEFAULT nextval('public.journal_number_seq'::regclass);
ALTER TABLE ONLY public.journal_head ALTER COLUMN id SET DEFAULT nextval('public.journal_head_id_seq'::regclass);
ALTER TABLE ONLY public.model_calls ALTER COLUMN id SET DEFAULT nextval('public.model_calls_id_seq'::regclass);
ALTER TABLE ONLY public.touched ALTER COLUMN id SET DEFAULT nextval('public.touched_id_seq'::regclass);
INSERT INTO public.approvers VALUES ('ana', '', '["finance"]', '[]', '20073aa9ce82bc15849d163106dce0cd9c21296812ca249c0e3c5ccb9e660308', '2027-05-01 09:30:00+00', 'gAAAAABrDIt4keQob77MeJYODFses0LxtF1Hf-ksnazzP3mayalJpZueSSKnT7_5WcEw5I7VHF8RuUou9kwjztDkhsH8Sk70wcjUy7NpwJmwTe6vVfTyCuuFFGzpAZCVhhFH4GRgB3FF', 0, 0, NULL, '2026-11-02 09:30:00+00', NULL);
INSERT INTO public.breakers VALUES (1, 'fulfilment', 'three refunds were refused', '', '2026-11-02 09:30:00+00', NULL, '', '');
INSERT INTO public.briefs VALUES ('case-R-1', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', '{"summary": "inspected and not repaid"}', '2026-11-02 09:30:00+00');
INSERT INTO public.cases VALUES ('case-R-1', 'returns', 'main', 'order:order-1001', 'late refund · order-1001', 'open', 'ef36f446387ec44b0d9c9ade96807537ed707a21c35d5fc8ba020ab5b07c273f', 'sev2', 'returns-desk', '', 5000, 'EUR', 1, '2026-03-02 09:30:00+00', '2026-11-02 09:30:00+00', '2026-03-02 09:30:00+00', NULL, '', '{"id": "case-R-1", "lane": "returns", "shop": "main", "pivot": "order:order-1001", "kinds": ["late_refund"], "about": "return", "subjects": ["R-1"], "orders": ["order-1001"], "team": "returns-desk", "owner": "", "findings": [{"kind": "late_refund", "subject": "R-1", "answer": "yes", "sentence": "Inspected 6 business days ago (as_new); owed EUR 50.00 by return_policy@1 1.1 and refund_policy@1 2.1, and not repaid.", "values": {"business_days_since_inspected": 6, "condition": "as_new", "entitled_amount": 5000, "inspected": true, "received": true, "refund_days": 5.0, "refund_percent_clause": "refund_policy@1 2.1", "refunded_amount": 0, "return_outcome": "refund", "return_outcome_clause": "return_policy@1 1.1", "status": "inspected"}, "missing": [], "ask": {}}], "advice": [], "evidence": {"as_of": "2026-03-02T09:30:00Z", "facts": [{"return_id": "R-1", "order_id": "order-1001", "line_id": "1001-1", "customer_id": "customer-7", "currency": "EUR", "sku": "lamp", "category": null, "quantity": 1, "status": "inspected", "reason": "unwanted", "reason_text": null, "contact_text": null, "review_text": null, "has_photos": false, "gift": false, "final_sale": false, "bought_on": "2026-03-02", "delivered_on": "2026-03-05", "requested_on": "2026-03-15", "requested_at": "2026-03-15T10:00:00Z", "days_held": 10, "held_since": "delivery", "hours_since_requested": 120, "received": true, "business_days_since_received": 3, "inspected": true, "business_days_since_inspected": 6, "condition": "as_new", "disposition": "restock", "paid_amount": 5000, "order_paid_amount": 8000, "order_refunded_amount": 0, "order_refundable_amount": 8000, "refunded": false, "refunded_amount": 0, "refund_count": 0, "first_refund_before_received": false, "repeated_refund": false, "method_wanted": "original", "method_paid": null, "customer_orders": 2, "customer_returns": 0, "customer_spent_amount": 12000, "customer_return_share": 0.2, "customer_full_returns": 0, "customer_returns_total": 1, "prior_refusals": 0, "spike_count": 1, "spike_expected": 1.0, "spike_q": 1.0, "contradictions": 0, "contradiction_rules": null, "return_window": "open", "return_window_clause": "return_policy@1 1.1", "return_window_today": "open", "fault": "customers", "return_outcome": "refund", "fault_clause": "return_policy@1 1.2", "fault_today": "customers", "return_outcome_clause": "return_policy@1 1.1", "return_outcome_today": "refund", "refund_percent": 100, "refund_method": "original", "restocking_percent": 0.0, "refund_percent_clause": "refund_policy@1 2.1", "refund_percent_today": 100, "refund_method_clause": "refund_policy@1 4.2", "refund_method_today": "original", "entitled_amount": 5000}], "tables": {}, "links": [], "picture": ""}, "risk": {"severity": "sev2", "score": 60, "money": {"amount": 5000, "currency": "EUR"}, "due_at": "2026-03-02T09:30:00Z", "priority": 1.0, "policy": "returns@1"}}');
INSERT INTO public.cases VALUES ('case-R-2', 'returns', 'main', 'order:order-1001', 'late refund · order-1001', 'open', 'e1ec72824afe2b172e2bcfbd4fbdbe5f66e8d2feca46980b5b98c282b126398f', 'sev2', 'returns-desk', '', 5000, 'EUR', 1, '2026-03-02 09:30:00+00', '2026-11-02 09:30:00+00', '2026-03-02 09:30:00+00', NULL, '', '{"id": "case-R-2", "lane": "returns", "shop": "main", "pivot": "order:order-1001", "kinds": ["late_refund"], "about": "return", "subjects": ["R-2"], "orders": ["order-1001"], "team": "returns-desk", "owner": "", "findings": [{"kind": "late_refund", "subject": "R-2", "answer": "yes", "sentence": "Inspected 6 business days ago (as_new); owed EUR 50.00 by return_policy@1 1.1 and refund_policy@1 2.1, and not repaid.", "values": {"business_days_since_inspected": 6, "condition": "as_new", "entitled_amount": 5000, "inspected": true, "received": true, "refund_days": 5.0, "refund_percent_clause": "refund_policy@1 2.1", "refunded_amount": 0, "return_outcome": "refund", "return_outcome_clause": "return_policy@1 1.1", "status": "inspected"}, "missing": [], "ask": {}}], "advice": [], "evidence": {"as_of": "2026-03-02T09:30:00Z", "facts": [{"return_id": "R-2", "order_id": "order-1001", "line_id": "1001-1", "customer_id": "customer-7", "currency": "EUR", "sku": "lamp", "category": null, "quantity": 1, "status": "inspected", "reason": "unwanted", "reason_text": null, "contact_text": null, "review_text": null, "has_photos": false, "gift": false, "final_sale": false, "bought_on": "2026-03-02", "delivered_on": "2026-03-05", "requested_on": "2026-03-15", "requested_at": "2026-03-15T10:00:00Z", "days_held": 10, "held_since": "delivery", "hours_since_requested": 120, "received": true, "business_days_since_received": 3, "inspected": true, "business_days_since_inspected": 6, "condition": "as_new", "disposition": "restock", "paid_amount": 5000, "order_paid_amount": 8000, "order_refunded_amount": 0, "order_refundable_amount": 8000, "refunded": false, "refunded_amount": 0, "refund_count": 0, "first_refund_before_received": false, "repeated_refund": false, "method_wanted": "original", "method_paid": null, "customer_orders": 2, "customer_returns": 0, "customer_spent_amount": 12000, "customer_return_share": 0.2, "customer_full_returns": 0, "customer_returns_total": 1, "prior_refusals": 0, "spike_count": 1, "spike_expected": 1.0, "spike_q": 1.0, "contradictions": 0, "contradiction_rules": null, "return_window": "open", "return_window_clause": "return_policy@1 1.1", "return_window_today": "open", "fault": "customers", "return_outcome": "refund", "fault_clause": "return_policy@1 1.2", "fault_today": "customers", "return_outcome_clause": "return_policy@1 1.1", "return_outcome_today": "refund", "refund_percent": 100, "refund_method": "original", "restocking_percent": 0.0, "refund_percent_clause": "refund_policy@1 2.1", "refund_percent_today": 100, "refund_method_clause": "refund_policy@1 4.2", "refund_method_today": "original", "entitled_amount": 5000}], "tables": {}, "links": [], "picture": ""}, "risk": {"severity": "sev2", "score": 60, "money": {"amount": 5000, "currency": "EUR"}, "due_at": "2026-03-02T09:30:00Z", "priority": 1.0, "policy": "returns@1"}}');
INSERT INTO public.chains VALUES ('run-1', 3, '1111111111111111111111111111111111111111111111111111111111111111');
INSERT INTO public.chains VALUES ('run-2', 4, '2222222222222222222222222222222222222222222222222222222222222222');
INSERT INTO public.chains VALUES ('run-3', 5, '3333333333333333333333333333333333333333333333333333333333333333');
INSERT INTO public.effects VALUES ('8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', 'refund', '1001', 1101, 'EUR', 'confirmed', 'refund-1001', '{}', '', 'me', 'fulfilment', 'shop', '', 'ana', '2026-11-02 09:30:00+00', '2026-11-02 09:30:00+00');
INSERT INTO public.effects VALUES ('8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', 'refund', '1002', 1102, 'EUR', 'confirmed', 'refund-1002', '{}', '', 'me', 'fulfilment', 'shop', '', 'ana', '2026-11-02 09:30:00+00', '2026-11-02 09:30:00+00');
INSERT INTO public.effects VALUES ('cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', 'refund', '1003', 1103, 'EUR', 'confirmed', 'refund-1003', '{}', '', 'me', 'fulfilment', 'shop', '', 'ana', '2026-11-02 09:30:00+00', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (1, 'case:case-R-1', 'opened', 'late refund · order-1001', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (2, 'case:case-R-2', 'opened', 'late refund · order-1001', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (3, 'approver:ana', 'enrolled', 'finance', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (4, 'proposal:8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', 'ruled', 'approve by ana via command: ', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (5, 'case:a0064c86a582fa64', 'ruled', 'approve by ana via command: ', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (6, 'effect:8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', 'intended', 'refund', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (7, 'effect:8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', 'confirmed', '', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (8, 'proposal:8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', 'ruled', 'approve by ana via command: ', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (9, 'case:6cff804597a8b9d9', 'ruled', 'approve by ana via command: ', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (10, 'effect:8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', 'intended', 'refund', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (11, 'effect:8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', 'confirmed', '', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (12, 'proposal:cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', 'ruled', 'approve by ana via command: ', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (13, 'case:3269eee5d2f67f12', 'ruled', 'approve by ana via command: ', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (14, 'effect:cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', 'intended', 'refund', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (15, 'effect:cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', 'confirmed', '', '2026-11-02 09:30:00+00');
INSERT INTO public.events VALUES (16, 'approver:ana', 'slack', 'T0INVENTED/U0INVENTED', '2026-11-02 09:30:00+00');
INSERT INTO public.journal VALUES (1, 'cases', 'case-R-1', '92dc6e82c5c17e80c7b94365e3a7509848e1bec44b76d08f947479dae46116d9', '2026-11-29 20:30:48.552985+00', 'd7983d07109f2ac4ca7fd61ca7735b01d3d236396dd8bf7d36719557ab5024fb');
INSERT INTO public.journal VALUES (2, 'cases', 'case-R-2', '2750be2b5a483cf16df1ebf4fded6e4ae33ae69214ff99ed333ebbb78a034787', '2026-11-29 20:30:48.552985+00', 'f3f91f9b1d5f5fadc91d8628c6bd7505029bbf779f56e3d36b0396eba2e3bfbd');
INSERT INTO public.journal VALUES (3, 'events', '1', '6a1c27edbdfaf24f28904e5d7370f4ac0cb9fd655d5185111d08ff248136676b', '2026-11-29 20:30:48.552985+00', 'c5e36c06c80a3413ceca671512392401054d65cbd89a0826346896d81bc5b47c');
INSERT INTO public.journal VALUES (4, 'events', '2', 'e59427f56b049beb673309a1b948ec318c2e43ac0e73f5169b0302b24f3d6561', '2026-11-29 20:30:48.552985+00', 'fa6c9b052b2b75ce0a3faa71ba5defe63996b687e079c8d39c85979fe658748b');
INSERT INTO public.journal VALUES (5, 'approvers', 'ana', 'b6dbe8e3a35dea5e0b8f9aaed022820c17cc13b79f0d9e3ba19be9ab1717585b', '2026-11-29 20:30:48.601274+00', '53c060c0adebeadcc6f5cad77dff66c923e295e42932a4efd868ec7b41909b02');
INSERT INTO public.journal VALUES (6, 'events', '3', '8127610e3a1118155ea397ab0f7c744f8ec5c4258deade079aca532097608a2a', '2026-11-29 20:30:48.601274+00', '45fd400b48f877b7b18523a07a497b4cae6cb2069e16bf55d04cbda6d8df5570');
INSERT INTO public.journal VALUES (7, 'proposals', '8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', '0f7c1284e310fd1f786122025087dc14eaf1d4dd71b68e4cc0cc96d4ef17797a', '2026-11-29 20:30:48.635944+00', 'fcb10d5fa686c7c7824caa26635e5930c6e18a1489a094b558c6496b36d5cbce');
INSERT INTO public.journal VALUES (8, 'events', '4', 'b5674b1986933d69eab25151caa825e0b3027ba47bbdaa00b51f707585358148', '2026-11-29 20:30:48.722716+00', 'ddbb157992d94a1fa169ed254a364baf50c440e14555a9ccb77e2ec6ee6a611e');
INSERT INTO public.journal VALUES (9, 'events', '5', '7425725b7b72213403d476a0f7644889bd4d8ebbb2a9a3cdbc9c15e932874664', '2026-11-29 20:30:48.722716+00', '56e31b31ab45b3da5f88c331435e50f252c05217b0371378496cfa7f35fe5894');
INSERT INTO public.journal VALUES (10, 'proposals', '8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', '91f2e812d9f243ca1564d88a56c6998cffea945f7c2cc269051fc1e1e46324aa', '2026-11-29 20:30:48.722716+00', '67b15d858c4ac95ae1f183d889a2bbd797af2c9eb8ee5d35134f5301ec071e91');
INSERT INTO public.journal VALUES (11, 'rulings', '8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22|1', 'eac2c4d9fa7637ff45300a0e25d2a35ee1da93877caee1c57b74cf133edb4b01', '2026-11-29 20:30:48.722716+00', '237d6f270221f566441cccdec5a8f7c22efdbd681c5a610023a859c806837cec');
INSERT INTO public.journal VALUES (12, 'effects', '8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', 'b43aa9f99394383d687bf62abe8fd6a86d0a613ea1ee21ce9e9289d629f7e213', '2026-11-29 20:30:48.778019+00', '505b27bd1bb40de8645eafee5d1a6f0e078c54275f74d7226d371b4393ad129d');
INSERT INTO public.journal VALUES (13, 'events', '6', 'a1898dca6df94627993f68e9ebc3822a78ecbf5817de503904cbfde972a0a039', '2026-11-29 20:30:48.778019+00', 'e8ddb6b0620a03b08d24fa0134719f1d32bd42401bd49f448acd09d1ecd022fa');
INSERT INTO public.journal VALUES (14, 'effects', '8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', 'f7159b24d34fdfd132e8aec7619277022105525e6233b403c31c9887aeff78fb', '2026-11-29 20:30:48.808469+00', 'bc834c01d7375c46055bd00df67178c84db14b5c6dae529e1c1b3adcf9bd7eb9');
INSERT INTO public.journal VALUES (15, 'events', '7', 'e70a7b3a3e07cd0be0736cfe07baa06f808bfb06684d5349991b5c647baca686', '2026-11-29 20:30:48.808469+00', '54646829d3984626bbb8c442b71f95000bead7cf9b62daa59f5f34cc00c19601');
INSERT INTO public.journal VALUES (16, 'proposals', '8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', 'f767a31d31be9e8c112dd79c7acc1d494cbbfb07fa0724fed8c1d396f3ff0bda', '2026-11-29 20:30:48.831639+00', '39e1672d2e7c3841755f186cc738f367beafee165d3a20700c352d36fd8ee689');
INSERT INTO public.journal VALUES (17, 'events', '8', '0183f57582d2e775341766bb761257e34817f17e4d756a24c22e285dd8d682b5', '2026-11-29 20:30:48.856772+00', '921d209d6199716984bfcf003b4aa95cb67c29d7c391af02674b38c5573c0498');
INSERT INTO public.journal VALUES (18, 'events', '9', 'a16e5d9b08b131939a01339709ab138a89a850054f93951c258e5820934f1688', '2026-11-29 20:30:48.856772+00', 'a86a1d41f42b229cbc8a48ca5be2cd08c4f38bbe9b7000ea5cdaabdecc39d473');
INSERT INTO public.journal VALUES (19, 'proposals', '8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', 'b747a48347e57d596723de45448b07402426250a3d78b1588f0afb800a4c0aee', '2026-11-29 20:30:48.856772+00', '5c0897b755bd3591de74fc746ad3ef6f85514b216a49e04101a0fee59a6a3aea');
INSERT INTO public.journal VALUES (20, 'rulings', '8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8|1', 'b85e4c32b57ece491ab76598ca6025f2219e1c82d0d7225f4a3a3590a24501b7', '2026-11-29 20:30:48.856772+00', 'd54ae26171b93ac801f9fa2a83d831f884fd353140bdcc4adb46d9a9972c6429');
INSERT INTO public.journal VALUES (21, 'effects', '8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', '07eff2690b1e8de3ff2a72e9d3d0396c8fce579c0f37499ff8f0ca1af57bd30e', '2026-11-29 20:30:48.882863+00', '35b13496227b5fbfcef8966ab7f88444e87e8a2f0fbe8501ad7d21ce39cb9e76');
INSERT INTO public.journal VALUES (22, 'events', '10', 'd57029e1cb9caa40e2477e1b4c89442a3be690fde8a1c228526aaad8b687223c', '2026-11-29 20:30:48.882863+00', '838dd51ea9179ceadea3df60bdfbe7921aad2759d37985174621e5129f665772');
INSERT INTO public.journal VALUES (23, 'effects', '8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', '6177e259192e396d4ed092565831b725b2ee9111668eeed0dbe5bea861681624', '2026-11-29 20:30:48.904506+00', '5a93ba049fed16977c998a2f1dd2e322346e72019654d3d08beb5975c1d513f9');
INSERT INTO public.journal VALUES (24, 'events', '11', '44ead7030150769822ad1c2c7f1478e603bc461f0d6547d7f992247f36201d37', '2026-11-29 20:30:48.904506+00', '58c63b69a193b5f4039c5940f72cf6d7cb572356f0b1607cae12aa67911be962');
INSERT INTO public.journal VALUES (25, 'proposals', 'cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', '5644077971898355d887b39c662b062907a001b0b6aa758ba72dc0e99f098878', '2026-11-29 20:30:48.921678+00', 'e9363cca7f0e29548c275e876138a159497f42a8c52a4e5c665c00682a0306ad');
INSERT INTO public.journal VALUES (26, 'events', '12', 'c27102f0ec928d428a7bbde178ec1cf9dbc1251849483f237bad9cb52996fe45', '2026-11-29 20:30:48.95661+00', '1e47fd510756ff3518a6b2ce35e74163d6358cb4431bc5915ef6aa614e1be3cf');
INSERT INTO public.journal VALUES (27, 'events', '13', '71092461405a7155bbe0f79dee4c30ce4e05fbf45255cb3a1fc379d85fead5f7', '2026-11-29 20:30:48.95661+00', '55b415e33390c03b71ce5956f5dda731ec37e14608949be5280487b4d08b3c5f');
INSERT INTO public.journal VALUES (28, 'proposals', 'cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', 'a07db7182d307b3f833506b441e17eae6455c995fd5e3a24891d321633506aee', '2026-11-29 20:30:48.95661+00', '7ea4ceb7f9d02b3c1fbdb7e1013719600c9a9ed3685965d80803422a1816e009');
INSERT INTO public.journal VALUES (29, 'rulings', 'cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea|1', '940765abac780cb01dc040b4aaa1c0c3c63c8940d7676f333902708efbee8c56', '2026-11-29 20:30:48.95661+00', 'bd10e0043bce634ace8bf751bf07d4285d6f625ec88a2b92d109c35ed77ad5bd');
INSERT INTO public.journal VALUES (30, 'effects', 'cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', 'dd284977b68470823b752d0786723e22de3a1e1be9c5f05849284b1d7b8c0ed9', '2026-11-29 20:30:48.986963+00', '5ff1247e8d680184187c83a5908acbd4cb48e81f15bf5cc066cace757a01fbce');
INSERT INTO public.journal VALUES (31, 'events', '14', 'c4316f606a1383fdaf0f5efd81f5672bab41fbb35a9e77484e65b33c8ed07050', '2026-11-29 20:30:48.986963+00', '7380019f66bca6438da427608dced6c9a30ed4c239a7bb276d53ed4fce4e2981');
INSERT INTO public.journal VALUES (32, 'effects', 'cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', 'cb1f81fb7b3eeeed0e93a89c0fdc6b2d1f928140b19c29cfd1b8868c734e085a', '2026-11-29 20:30:48.99727+00', 'e5ba7ecaf9d60c117bff2e47402869ecbe286df3301996b021fe7e2089b75835');
INSERT INTO public.journal VALUES (33, 'events', '15', '7a39a9410f74529f19040a7ac4ab99e327100eaa3d2262f9b73038ee81887bfa', '2026-11-29 20:30:48.99727+00', '475760239ebb8fa37bb515e704b5f7f089bf4ab6318c40f2671d8a4600b32bb9');
INSERT INTO public.journal VALUES (34, 'proposals', '832221f61c008d9b47a8ea4aab3ea8aae2a5c0c8ae22708d0ab1706c92255128', '027f12e1fccc3d9edb0d378b6514c8f1af52fc03ca9e3c87e6df6ade423d73c3', '2026-11-29 20:30:49.006269+00', 'fe13ff0155e2e9e1c73980ba08eb27d7a663c55ae8c5d47ee34b8a56b58fe211');
INSERT INTO public.journal VALUES (35, 'chains', 'run-1', '2a64d7a929b3d95a344ec23c5f644fac87273d9e1e93059f3d80cf3407eabd57', '2026-11-29 20:30:49.015101+00', '0dccdc88b703a7c182c2a02e7544f46645958d2d80c070854f5b0a165663cc45');
INSERT INTO public.journal VALUES (36, 'chains', 'run-1', 'bb50c9c2d306eb2d559ea6f7fab862b580443444c01ec093eeba97a6cbfde372', '2026-11-29 20:30:49.024791+00', 'a9e7bbdd4fc031959d428a0598348d6d0ae151811858addefbc2cf8814e020b7');
INSERT INTO public.journal VALUES (37, 'chains', 'run-2', 'cc2737797d56264d61e28adb53602c0af57b7cdad47d9cd1c94da4ed1755f8a5', '2026-11-29 20:30:49.027427+00', '75faa431084f22cb3694e90add1354b8180428b5775949a277f989ac63891f9a');
INSERT INTO public.journal VALUES (38, 'chains', 'run-2', '47f081d363bcddee70b20d570becb21a1148f1e5a920befd735b23989baabf3e', '2026-11-29 20:30:49.034088+00', 'b707d58d12764f0bc049885d81e1dac3e9e9001fbe1a7559bf40d2754c4e70ad');
INSERT INTO public.journal VALUES (39, 'chains', 'run-3', '289fad3525d43895ce9307274aa91ac40312e6032641ae52c42cf6b073bd37fd', '2026-11-29 20:30:49.039176+00', '13b9ea7da036ffdb2d62b8f0e55e1a0b9d6371d52650d49d9ac279747bac8962');
INSERT INTO public.journal VALUES (40, 'chains', 'run-3', '993309dae33fc72e82d8cf55050e25c40fc7623fc6616fc5139ffd49c5e5c9ae', '2026-11-29 20:30:49.046074+00', '83f658c23552f68fee896d21bf4275ab07272a95afbbaca297e0d2350d32ebc3');
INSERT INTO public.journal VALUES (41, 'breakers', '1', '2619977323b9d1961adb16d0a840e3bc7e217c6a98c32f61e05cbc7af5993835', '2026-11-29 20:30:49.054863+00', '875be2f3e4364bd634f9c280958abc3e492d7a8a02a21abace86f956a5176ab1');
INSERT INTO public.journal VALUES (42, 'votes', 'pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp|1|ana', '14eb00e5fbb26dd375ff85cb016267472944880de3914ac5671d96a19720b8e8', '2026-11-29 20:30:49.054863+00', '44e16a72127d2d8c8afa1bc97709506235313505f73113cc690b74ccdba30eb7');
INSERT INTO public.journal VALUES (43, 'events', '16', 'b30834795da8825be27ac997f751863b5acb013fce147fdea902dd028607f62d', '2026-11-29 20:30:49.078332+00', 'b89e06a6e6683548f7c85409c5eaf1a65ddaff00d0accf26a7787250ddb0a928');
INSERT INTO public.journal VALUES (44, 'model_calls', '1', 'dcabc29bee9515e479451b916ec5841e3dff57a054c6580d74a88035239f1f81', '2026-11-29 20:30:49.123032+00', '7c7843b8bdf5450fccff2520bc91004a9d49de3d0c2fe28dacdaecdfc07f0556');
INSERT INTO public.journal VALUES (45, 'model_calls', '1', '379120f00da01d4ac5e2a42833f48096708e94fedd5e4e85a4e513e7116d05e6', '2026-11-29 20:30:49.135405+00', '502170dc6aa1212f022b8c1da399988232edad5fd47456845209fcf7c55db78e');
INSERT INTO public.journal_head VALUES (1, 45, '502170dc6aa1212f022b8c1da399988232edad5fd47456845209fcf7c55db78e');
INSERT INTO public.model_calls VALUES (1, 'k1', 'returns', 'case-R-1', 'returns@1', 'invented/model', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', '[{"role": "user", "content": "\u00dcn\u00efcode, und {\"a\": 1.5}"}]', '{"well": true}', 'answered', 12, 4, 900, 0, '2026-11-02 09:30:00+00');
INSERT INTO public.outbox VALUES ('case:case-R-1', 'c41b62233ba58c8f562c9862765a40529bb4c8e9a1da873c62a5d8b37e00e93f', 'R-1 waits', '[{"type": "divider"}]', NULL, 'pending', NULL, NULL, NULL, NULL, 0, '', NULL, NULL, NULL, '', 0, '2026-11-02 09:30:00+00', '2026-11-02 09:30:00+00');
INSERT INTO public.proposals VALUES ('8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', 'a0064c86a582fa64', '1001', 'approved', '', NULL, '', 1, 0, '', '2026-11-02 09:30:00+00', '{"case_id": "a0064c86a582fa64", "lane": "fulfilment", "shop": "shop", "source": "shop", "mapping": null, "action": "refund", "order_id": "1001", "subject": "1001", "target": "1001", "money": {"amount": 1101, "currency": "EUR"}, "rests_on": {"refundable_amount": 1101}, "evidence": "d51b5cbdd573eba227677d4c656e317e23d3db43970c43d3f13528ef46a2fd95", "policy": "fulfilment@1", "reason": "paid and never handed over", "customer": "", "requested_by": "", "undoes": "", "as_of": null}');
INSERT INTO public.proposals VALUES ('8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', '6cff804597a8b9d9', '1002', 'approved', '', NULL, '', 1, 0, '', '2026-11-02 09:30:00+00', '{"case_id": "6cff804597a8b9d9", "lane": "fulfilment", "shop": "shop", "source": "shop", "mapping": null, "action": "refund", "order_id": "1002", "subject": "1002", "target": "1002", "money": {"amount": 1102, "currency": "EUR"}, "rests_on": {"refundable_amount": 1102}, "evidence": "cd94c5a1e4c9083ab57113c70b4dc6af691205b87eb58e7889024c691742a2a9", "policy": "fulfilment@1", "reason": "paid and never handed over", "customer": "", "requested_by": "", "undoes": "", "as_of": null}');
INSERT INTO public.proposals VALUES ('cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', '3269eee5d2f67f12', '1003', 'approved', '', NULL, '', 1, 0, '', '2026-11-02 09:30:00+00', '{"case_id": "3269eee5d2f67f12", "lane": "fulfilment", "shop": "shop", "source": "shop", "mapping": null, "action": "refund", "order_id": "1003", "subject": "1003", "target": "1003", "money": {"amount": 1103, "currency": "EUR"}, "rests_on": {"refundable_amount": 1103}, "evidence": "1f51074ed64b8df0f0d9263ef1fffbfc34dd7f51d4039f6c1e6962fb6d1f33b3", "policy": "fulfilment@1", "reason": "paid and never handed over", "customer": "", "requested_by": "", "undoes": "", "as_of": null}');
INSERT INTO public.proposals VALUES ('832221f61c008d9b47a8ea4aab3ea8aae2a5c0c8ae22708d0ab1706c92255128', '09200c1d5863da35', '1004', 'waiting', '', NULL, '', 1, 0, '', '2026-11-02 09:30:00+00', '{"case_id": "09200c1d5863da35", "lane": "fulfilment", "shop": "shop", "source": "shop", "mapping": null, "action": "refund", "order_id": "1004", "subject": "1004", "target": "1004", "money": {"amount": 900, "currency": "EUR"}, "rests_on": {"refundable_amount": 900}, "evidence": "703e61b79213d190a42ef89912d4c97f66de324d1a9f34c41fa4a22866520436", "policy": "fulfilment@1", "reason": "paid and never handed over", "customer": "", "requested_by": "", "undoes": "", "as_of": null}');
INSERT INTO public.rulings VALUES ('8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22', 1, 'approve', 'ana', '', '', 'command', '2026-11-02 09:30:00+00', NULL, 'finance', '', '', 'authority@1', '{"case": "a0064c86a582fa64", "action": "refund", "order": "1001", "target": "1001", "amount": 1101, "currency": "EUR", "evidence": "d51b5cbdd573eba227677d4c656e317e23d3db43970c43d3f13528ef46a2fd95", "policy": "fulfilment@1"}');
INSERT INTO public.rulings VALUES ('8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8', 1, 'approve', 'ana', '', '', 'command', '2026-11-02 09:30:00+00', NULL, 'finance', '', '', 'authority@1', '{"case": "6cff804597a8b9d9", "action": "refund", "order": "1002", "target": "1002", "amount": 1102, "currency": "EUR", "evidence": "cd94c5a1e4c9083ab57113c70b4dc6af691205b87eb58e7889024c691742a2a9", "policy": "fulfilment@1"}');
INSERT INTO public.rulings VALUES ('cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea', 1, 'approve', 'ana', '', '', 'command', '2026-11-02 09:30:00+00', NULL, 'finance', '', '', 'authority@1', '{"case": "3269eee5d2f67f12", "action": "refund", "order": "1003", "target": "1003", "amount": 1103, "currency": "EUR", "evidence": "1f51074ed64b8df0f0d9263ef1fffbfc34dd7f51d4039f6c1e6962fb6d1f33b3", "policy": "fulfilment@1"}');
INSERT INTO public.slack_users VALUES ('T0INVENTED', 'U0INVENTED', 'ana');
INSERT INTO public.votes VALUES ('pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp', 1, 'ana', NULL, '', '', 'seen the scan', '', 'command', '2026-11-02 09:30:00+00');
SELECT pg_catalog.setval('public.breakers_id_seq', 1, true);
SELECT pg_catalog.setval('public.events_id_seq', 16, true);
SELECT pg_catalog.setval('public.journal_head_id_seq', 1, false);
SELECT pg_catalog.setval('public.journal_number_seq', 1, false);
SELECT pg_catalog.setval('public.model_calls_id_seq', 1, true);
SELECT pg_catalog.setval('public.touched_id_seq', 48, true);
ALTER TABLE ONLY public.approvers
    ADD CONSTRAINT approvers_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.breakers
    ADD CONSTRAINT breakers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.briefs
    ADD CONSTRAINT briefs_pkey PRIMARY KEY (case_id);
ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chains
    ADD CONSTRAINT chains_pkey PRIMARY KEY (run);
ALTER TABLE ONLY public.effects
    ADD CONSTRAINT effects_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.journal_head
    ADD CONSTRAINT journal_head_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.model_calls
    ADD CONSTRAINT model_calls_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.proposals
    ADD CONSTRAINT proposals_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.rulings
    ADD CONSTRAINT rulings_pkey PRIMARY KEY (proposal, round);
ALTER TABLE ONLY public.slack_inbox
    ADD CONSTRAINT slack_inbox_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.slack_users
    ADD CONSTRAINT slack_users_pkey PRIMARY KEY (team, "user");
ALTER TABLE ONLY public.touched
    ADD CONSTRAINT touched_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.votes
    ADD CONSTRAINT votes_pkey PRIMARY KEY (proposal, round, approver);
CREATE INDEX cases_by_lane_and_shop ON public.cases USING btree (lane, shop, standing);
CREATE INDEX ix_breakers_lane ON public.breakers USING btree (lane);
CREATE INDEX ix_cases_lane ON public.cases USING btree (lane);
CREATE INDEX ix_cases_standing ON public.cases USING btree (standing);
CREATE INDEX ix_cases_team ON public.cases USING btree (team);
CREATE INDEX ix_effects_approver ON public.effects USING btree (approver);
CREATE INDEX ix_effects_customer ON public.effects USING btree (customer);
CREATE INDEX ix_effects_lane ON public.effects USING btree (lane);
CREATE INDEX ix_effects_order_id ON public.effects USING btree (order_id);
CREATE INDEX ix_effects_state ON public.effects USING btree (state);
CREATE INDEX ix_events_subject ON public.events USING btree (subject);
CREATE INDEX ix_journal_key ON public.journal USING btree (key);
CREATE INDEX ix_model_calls_at ON public.model_calls USING btree (at);
CREATE INDEX ix_model_calls_case_id ON public.model_calls USING btree (case_id);
CREATE INDEX ix_model_calls_key ON public.model_calls USING btree (key);
CREATE INDEX ix_model_calls_model ON public.model_calls USING btree (model);
CREATE INDEX ix_outbox_state ON public.outbox USING btree (state);
CREATE INDEX ix_proposals_case_id ON public.proposals USING btree (case_id);
CREATE INDEX ix_proposals_order_id ON public.proposals USING btree (order_id);
CREATE INDEX ix_proposals_standing ON public.proposals USING btree (standing);
CREATE INDEX ix_rulings_ruled_at ON public.rulings USING btree (ruled_at);
CREATE INDEX ix_slack_inbox_state ON public.slack_inbox USING btree (state);
CREATE INDEX ix_slack_users_approver ON public.slack_users USING btree (approver);
CREATE INDEX ix_votes_at ON public.votes USING btree (at);
CREATE TRIGGER journal_approvers AFTER INSERT OR DELETE OR UPDATE ON public.approvers FOR EACH ROW EXECUTE FUNCTION public.journal_approvers();
CREATE TRIGGER journal_breakers AFTER INSERT OR DELETE OR UPDATE ON public.breakers FOR EACH ROW EXECUTE FUNCTION public.journal_breakers();
CREATE TRIGGER journal_cases AFTER INSERT OR DELETE OR UPDATE ON public.cases FOR EACH ROW EXECUTE FUNCTION public.journal_cases();
CREATE TRIGGER journal_chains AFTER INSERT OR DELETE OR UPDATE ON public.chains FOR EACH ROW EXECUTE FUNCTION public.journal_chains();
CREATE TRIGGER journal_effects AFTER INSERT OR DELETE OR UPDATE ON public.effects FOR EACH ROW EXECUTE FUNCTION public.journal_effects();
CREATE TRIGGER journal_events AFTER INSERT OR DELETE OR UPDATE ON public.events FOR EACH ROW EXECUTE FUNCTION public.journal_events();
CREATE TRIGGER journal_model_calls AFTER INSERT OR DELETE OR UPDATE ON public.model_calls FOR EACH ROW EXECUTE FUNCTION public.journal_model_calls();
CREATE TRIGGER journal_proposals AFTER INSERT OR DELETE OR UPDATE ON public.proposals FOR EACH ROW EXECUTE FUNCTION public.journal_proposals();
CREATE TRIGGER journal_rulings AFTER INSERT OR DELETE OR UPDATE ON public.rulings FOR EACH ROW EXECUTE FUNCTION public.journal_rulings();
CREATE TRIGGER journal_votes AFTER INSERT OR DELETE OR UPDATE ON public.votes FOR EACH ROW EXECUTE FUNCTION public.journal_votes();
