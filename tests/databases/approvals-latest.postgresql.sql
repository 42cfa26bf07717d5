CREATE FUNCTION public.audit_outcomes_stays() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the audit trail cannot be changed'; END $$;
CREATE FUNCTION public.audit_stays() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the audit trail cannot be changed'; END $$;
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
    outcome character varying(16),
    levels integer,
    endorser character varying(128),
    endorsement text,
    endorsed_at timestamp with time zone,
    concluded_at timestamp with time zone,
    change_number bigint
);
CREATE TABLE public.audit (
    number bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor character varying(128) NOT NULL,
    via character varying(16) NOT NULL,
    action character varying(100) NOT NULL,
    subject character varying(200) NOT NULL,
    details text NOT NULL
);
CREATE SEQUENCE public.audit_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_number_seq OWNED BY public.audit.number;
CREATE TABLE public.audit_outcomes (
    number bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    outcome character varying(100) NOT NULL,
    subject character varying(200)
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
CREATE TABLE public.failed_sign_ins (
    number bigint NOT NULL,
    name_digest character varying(64) NOT NULL,
    address character varying(64) NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.failed_sign_ins_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.failed_sign_ins_number_seq OWNED BY public.failed_sign_ins.number;
CREATE TABLE public.sessions (
    digest character varying(64) NOT NULL,
    name character varying(128) NOT NULL,
    csrf character varying(64) NOT NULL,
    via character varying(16) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    password character varying(64)
);
CREATE TABLE public.spellings (
    kind character varying(16) NOT NULL,
    name character varying(200) NOT NULL,
    folded character varying(200) NOT NULL
);
CREATE TABLE public.write_probe (
    number integer NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.write_probe_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.write_probe_number_seq OWNED BY public.write_probe.number;
ALTER TABLE ONLY public.audit ALTER COLUMN number SET DEFAULT nextval('public.audit_number_seq'::regclass);
ALTER TABLE ONLY public.dead_letters ALTER COLUMN id SET DEFAULT nextval('public.dead_letters_id_seq'::regclass);
ALTER TABLE ONLY public.failed_sign_ins ALTER COLUMN number SET DEFAULT nextval('public.failed_sign_ins_number_seq'::regclass);
ALTER TABLE ONLY public.write_probe ALTER COLUMN number SET DEFAULT nextval('public.write_probe_number_seq'::regclass);
INSERT INTO public.approvals VALUES ('waits-1', 'pending', 'alice', '[{"item": "cars", "quantity": 11}]', 16500000, '2026-11-28 22:11:24.390695+00', '2036-03-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1);
INSERT INTO public.approvals VALUES ('decided-1', 'approved', 'José', '[{"item": "cars", "quantity": 11}]', 16500000, '2026-11-28 22:11:24.398804+00', '2036-03-01 00:00:00+00', NULL, NULL, true, 'Ann', 'it''s fine', '2026-11-28 22:11:24.402087+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 22:11:24.402087+00', 3);
INSERT INTO public.approvals VALUES ('gone-1', 'withdrawn', 'o''neil', '[{"item": "cars", "quantity": 11}]', 16500000, '2026-11-28 22:11:24.410293+00', '2036-03-01 00:00:00+00', 'cancelled', '2026-11-28 22:11:24.413678+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 22:11:24.413678+00', 5);
INSERT INTO public.audit VALUES (1, '2026-11-28 22:11:24.406245+00', 'Ann', 'topic', 'approval.approve', 'decided-1', '{"comment": "it''s fine"}');
INSERT INTO public.audit_outcomes VALUES (1, '2026-11-28 22:11:24.406245+00', 'done', NULL);
INSERT INTO public.spellings VALUES ('customer', 'alice', 'alice');
INSERT INTO public.spellings VALUES ('customer', 'José', 'jose');
INSERT INTO public.spellings VALUES ('approver', 'Ann', 'ann');
INSERT INTO public.spellings VALUES ('subject', 'decided-1', 'decided-1');
INSERT INTO public.spellings VALUES ('customer', 'o''neil', 'o''neil');
SELECT pg_catalog.setval('public.audit_number_seq', 1, true);
SELECT pg_catalog.setval('public.dead_letters_id_seq', 1, false);
SELECT pg_catalog.setval('public.failed_sign_ins_number_seq', 1, false);
SELECT pg_catalog.setval('public.write_probe_number_seq', 1, false);
ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT approvals_pkey PRIMARY KEY (order_id);
ALTER TABLE ONLY public.audit_outcomes
    ADD CONSTRAINT audit_outcomes_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_topic_event_id_digest_key UNIQUE (topic, event_id, digest);
ALTER TABLE ONLY public.failed_sign_ins
    ADD CONSTRAINT failed_sign_ins_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.spellings
    ADD CONSTRAINT spellings_pkey PRIMARY KEY (kind, name);
ALTER TABLE ONLY public.write_probe
    ADD CONSTRAINT write_probe_pkey PRIMARY KEY (number);
CREATE INDEX approvals_by_any_case_id ON public.approvals USING btree (lower((order_id)::text) COLLATE "C", order_id);
CREATE INDEX approvals_by_approver ON public.approvals USING btree (approver, concluded_at, order_id);
CREATE INDEX approvals_by_change ON public.approvals USING btree (change_number);
CREATE INDEX approvals_by_customer ON public.approvals USING btree (customer_id, concluded_at, order_id);
CREATE INDEX approvals_by_deadline ON public.approvals USING btree (status, expires_at, order_id);
CREATE INDEX approvals_by_endorser ON public.approvals USING btree (endorser, concluded_at, order_id) WHERE (endorser IS NOT NULL);
CREATE INDEX approvals_by_outcome ON public.approvals USING btree (status, concluded_at, order_id);
CREATE INDEX approvals_concluded ON public.approvals USING btree (concluded_at, order_id);
CREATE INDEX approvals_incomplete ON public.approvals USING btree (order_id) WHERE (((decided_at IS NOT NULL) OR (ended_at IS NOT NULL)) AND (status IS NOT NULL) AND (concluded_at IS NULL));
CREATE INDEX approvals_undelivered ON public.approvals USING btree (order_id) WHERE ((decided_at IS NOT NULL) AND (outcome IS NULL) AND (status IS NOT NULL));
CREATE INDEX audit_by_subject ON public.audit USING btree (subject, number);
CREATE INDEX dead_letters_by_resent ON public.dead_letters USING btree (resent_at, id);
CREATE INDEX ix_failed_sign_ins_address ON public.failed_sign_ins USING btree (address);
CREATE INDEX ix_failed_sign_ins_name_digest ON public.failed_sign_ins USING btree (name_digest);
CREATE INDEX spellings_by_folded ON public.spellings USING btree (kind, folded);
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.audit_stays();
CREATE TRIGGER audit_outcomes_is_not_emptied BEFORE TRUNCATE ON public.audit_outcomes FOR EACH STATEMENT EXECUTE FUNCTION public.audit_outcomes_stays();
CREATE TRIGGER audit_outcomes_stays BEFORE DELETE OR UPDATE ON public.audit_outcomes FOR EACH ROW EXECUTE FUNCTION public.audit_outcomes_stays();
CREATE TRIGGER audit_stays BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_stays();
ALTER TABLE ONLY public.audit_outcomes
    ADD CONSTRAINT audit_outcomes_number_fkey FOREIGN KEY (number) REFERENCES public.audit(number);
