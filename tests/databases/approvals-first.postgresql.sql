CREATE TABLE public.approvals (
    order_id character varying(64) NOT NULL,
    status character varying(16),
    customer_id character varying(128),
    lines json,
    total_cents bigint,
    requested_at timestamp with time zone,
    expires_at timestamp with time zone,
    ended_reason text,
    ended_at timestamp with time zone,
    approved boolean,
    approver character varying(128),
    comment text,
    decided_at timestamp with time zone,
    handed_over_at timestamp with time zone,
    outcome character varying(16)
);
CREATE TABLE public.dead_letters (
    id integer NOT NULL,
    topic character varying(200) NOT NULL,
    event_id character varying(300) NOT NULL,
    digest character varying(64) NOT NULL,
    order_id character varying(64),
    reason text NOT NULL,
    data text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    resent_at timestamp with time zone
);
CREATE SEQUENCE public.dead_letters_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.dead_letters_id_seq OWNED BY public.dead_letters.id;
ALTER TABLE ONLY public.dead_letters ALTER COLUMN id SET DEFAULT nextval('public.dead_letters_id_seq'::regclass);
INSERT INTO public.approvals VALUES ('waits-1', 'pending', 'alice', '[{"item": "cars", "quantity": 11}]', 16500000, '2026-11-28 22:11:21.836654+00', '2036-03-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.approvals VALUES ('decided-1', 'approved', 'José', '[{"item": "cars", "quantity": 11}]', 16500000, '2026-11-28 22:11:21.840619+00', '2036-03-01 00:00:00+00', NULL, NULL, true, 'Ann', 'it''s fine', '2026-11-28 22:11:21.842336+00', NULL, NULL);
INSERT INTO public.approvals VALUES ('gone-1', 'withdrawn', 'o''neil', '[{"item": "cars", "quantity": 11}]', 16500000, '2026-11-28 22:11:21.845495+00', '2036-03-01 00:00:00+00', 'cancelled', '2026-11-28 22:11:21.847155+00', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT pg_catalog.setval('public.dead_letters_id_seq', 1, false);
ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT approvals_pkey PRIMARY KEY (order_id);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_topic_event_id_digest_key UNIQUE (topic, event_id, digest);
CREATE INDEX approvals_by_deadline ON public.approvals USING btree (status, expires_at, order_id);
CREATE INDEX approvals_undelivered ON public.approvals USING btree (order_id) WHERE ((decided_at IS NOT NULL) AND (outcome IS NULL) AND (status IS NOT NULL));
