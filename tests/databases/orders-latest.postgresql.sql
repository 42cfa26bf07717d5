CREATE FUNCTION public.audit_outcomes_stays() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the audit trail cannot be changed'; END $$;
CREATE FUNCTION public.audit_stays() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the audit trail cannot be changed'; END $$;
CREATE FUNCTION public.order_is_new() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO order_counts (status, orders) VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET orders = order_counts.orders + 1; INSERT INTO order_lines (item, number, quantity) SELECT line.value->>'item' AS item, NEW.number AS number, CAST(line.value->>'quantity' AS integer) AS quantity FROM json_array_elements(NEW.lines) AS line; RETURN NULL; END $$;
CREATE FUNCTION public.order_is_sold() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO item_sales (item, pieces) SELECT item, quantity FROM (SELECT line.value->>'item' AS item, NEW.number AS number, CAST(line.value->>'quantity' AS integer) AS quantity FROM json_array_elements(NEW.lines) AS line) AS sold WHERE true ON CONFLICT (item) DO UPDATE SET pieces = item_sales.pieces + excluded.pieces; RETURN NULL; END $$;
CREATE FUNCTION public.order_moves_on() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN UPDATE order_counts SET orders = orders - 1 WHERE status = OLD.status; INSERT INTO order_counts (status, orders) VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET orders = order_counts.orders + 1; RETURN NULL; END $$;
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
CREATE TABLE public.batch_orders (
    batch_id character varying(64) NOT NULL,
    number integer NOT NULL,
    order_id character varying(64),
    refused character varying(64),
    is_owner boolean NOT NULL
);
CREATE TABLE public.batches (
    number bigint NOT NULL,
    batch_id character varying(64) NOT NULL,
    digest character varying(64) NOT NULL,
    status character varying(32) NOT NULL,
    reason character varying(64),
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone
);
CREATE SEQUENCE public.batches_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.batches_number_seq OWNED BY public.batches.number;
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
CREATE TABLE public.item_sales (
    item character varying(128) NOT NULL,
    pieces bigint NOT NULL
);
CREATE TABLE public.order_counts (
    status character varying(32) NOT NULL,
    orders bigint NOT NULL
);
CREATE TABLE public.order_lines (
    item character varying(128) NOT NULL,
    number bigint NOT NULL,
    quantity integer NOT NULL
);
CREATE TABLE public.order_lines_left (
    through bigint NOT NULL
);
CREATE TABLE public.order_statuses (
    "position" bigint NOT NULL,
    order_id character varying(64) NOT NULL,
    sequence integer NOT NULL,
    status character varying(32) NOT NULL,
    reason character varying(64),
    total_cents bigint,
    at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.order_statuses_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.order_statuses_position_seq OWNED BY public.order_statuses."position";
CREATE TABLE public.orders (
    number bigint NOT NULL,
    order_id character varying(64) NOT NULL,
    customer_id character varying(128) NOT NULL,
    lines json NOT NULL,
    status character varying(32) NOT NULL,
    reason character varying(64),
    total_cents bigint,
    sequence integer NOT NULL,
    run_id character varying(32),
    cancel_requested_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.orders_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.orders_number_seq OWNED BY public.orders.number;
CREATE TABLE public.payments (
    number integer NOT NULL,
    order_id character varying(64) NOT NULL,
    kind character varying(8) NOT NULL,
    amount_cents bigint NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.payments_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.payments_number_seq OWNED BY public.payments.number;
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
CREATE TABLE public.tasks (
    number integer NOT NULL,
    task_id character varying(80) NOT NULL,
    instance_id character varying(200) NOT NULL,
    title character varying(200) NOT NULL,
    assignee character varying(128) NOT NULL,
    order_id character varying(64),
    status character varying(16) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone
);
CREATE SEQUENCE public.tasks_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.tasks_number_seq OWNED BY public.tasks.number;
CREATE TABLE public.undo_retries (
    order_id character varying(64) NOT NULL,
    retries integer NOT NULL,
    retried_by character varying(128) NOT NULL,
    retrying_since timestamp with time zone,
    not_undone json,
    failed_at timestamp with time zone,
    settled_at timestamp with time zone,
    settled_by character varying(128)
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
ALTER TABLE ONLY public.batches ALTER COLUMN number SET DEFAULT nextval('public.batches_number_seq'::regclass);
ALTER TABLE ONLY public.dead_letters ALTER COLUMN id SET DEFAULT nextval('public.dead_letters_id_seq'::regclass);
ALTER TABLE ONLY public.failed_sign_ins ALTER COLUMN number SET DEFAULT nextval('public.failed_sign_ins_number_seq'::regclass);
ALTER TABLE ONLY public.order_statuses ALTER COLUMN "position" SET DEFAULT nextval('public.order_statuses_position_seq'::regclass);
ALTER TABLE ONLY public.orders ALTER COLUMN number SET DEFAULT nextval('public.orders_number_seq'::regclass);
ALTER TABLE ONLY public.payments ALTER COLUMN number SET DEFAULT nextval('public.payments_number_seq'::regclass);
ALTER TABLE ONLY public.tasks ALTER COLUMN number SET DEFAULT nextval('public.tasks_number_seq'::regclass);
ALTER TABLE ONLY public.write_probe ALTER COLUMN number SET DEFAULT nextval('public.write_probe_number_seq'::regclass);
INSERT INTO public.batch_orders VALUES ('batch-1', 1, 'b-1', NULL, true);
INSERT INTO public.batches VALUES (1, 'batch-1', '7cb14bbdab858cad4f1c36aa9e23dc824d55826fb481c845b2c958bb6756907f', 'received', NULL, '2026-11-28 22:11:24.269551+00', NULL);
INSERT INTO public.item_sales VALUES ('cars', 2);
INSERT INTO public.item_sales VALUES ('paperclip', 5);
INSERT INTO public.order_counts VALUES ('paid', 0);
INSERT INTO public.order_counts VALUES ('completed', 1);
INSERT INTO public.order_counts VALUES ('reserved', 0);
INSERT INTO public.order_counts VALUES ('awaiting_approval', 1);
INSERT INTO public.order_counts VALUES ('cancelled', 1);
INSERT INTO public.order_counts VALUES ('rejected', 1);
INSERT INTO public.order_counts VALUES ('received', 1);
INSERT INTO public.order_lines VALUES ('cars', 1, 2);
INSERT INTO public.order_lines VALUES ('paperclip', 1, 5);
INSERT INTO public.order_lines VALUES ('cars', 2, 11);
INSERT INTO public.order_lines VALUES ('computers', 3, 1);
INSERT INTO public.order_lines VALUES ('paperclip', 5, 3);
INSERT INTO public.order_lines_left VALUES (0);
INSERT INTO public.order_statuses VALUES (1, 'Done-1', 1, 'received', NULL, NULL, '2026-11-28 22:11:24.245506+00');
INSERT INTO public.order_statuses VALUES (2, 'Done-1', 2, 'reserved', NULL, 3002500, '2026-11-28 22:11:24.250903+00');
INSERT INTO public.order_statuses VALUES (3, 'Done-1', 3, 'paid', NULL, 3002500, '2026-11-28 22:11:24.25317+00');
INSERT INTO public.order_statuses VALUES (4, 'Done-1', 4, 'completed', NULL, 3002500, '2026-11-28 22:11:24.254753+00');
INSERT INTO public.order_statuses VALUES (5, 'waits-1', 1, 'received', NULL, NULL, '2026-11-28 22:11:24.258876+00');
INSERT INTO public.order_statuses VALUES (6, 'waits-1', 2, 'reserved', NULL, 16500000, '2026-11-28 22:11:24.260693+00');
INSERT INTO public.order_statuses VALUES (7, 'waits-1', 3, 'awaiting_approval', NULL, 16500000, '2026-11-28 22:11:24.262166+00');
INSERT INTO public.order_statuses VALUES (8, 'gone-1', 1, 'received', NULL, NULL, '2026-11-28 22:11:24.263577+00');
INSERT INTO public.order_statuses VALUES (9, 'gone-1', 2, 'cancelled', 'cancelled', NULL, '2026-11-28 22:11:24.265463+00');
INSERT INTO public.order_statuses VALUES (10, 'bad-1', 1, 'rejected', 'invalid', NULL, '2026-11-28 22:11:24.266968+00');
INSERT INTO public.order_statuses VALUES (11, 'b-1', 1, 'received', NULL, NULL, '2026-11-28 22:11:24.270654+00');
INSERT INTO public.orders VALUES (1, 'Done-1', 'José', '[{"item": "cars", "quantity": 2}, {"item": "paperclip", "quantity": 5}]', 'completed', NULL, 3002500, 4, 'run1', NULL, '2026-11-28 22:11:24.245506+00', '2026-11-28 22:11:24.254753+00');
INSERT INTO public.orders VALUES (2, 'waits-1', 'alice', '[{"item": "cars", "quantity": 11}]', 'awaiting_approval', NULL, 16500000, 3, 'run2', NULL, '2026-11-28 22:11:24.258876+00', '2026-11-28 22:11:24.262166+00');
INSERT INTO public.orders VALUES (3, 'gone-1', 'o''neil', '[{"item": "computers", "quantity": 1}]', 'cancelled', 'cancelled', NULL, 2, 'run3', NULL, '2026-11-28 22:11:24.263577+00', '2026-11-28 22:11:24.265463+00');
INSERT INTO public.orders VALUES (4, 'bad-1', 'unknown', '[]', 'rejected', 'invalid', NULL, 1, NULL, NULL, '2026-11-28 22:11:24.266968+00', '2026-11-28 22:11:24.266968+00');
INSERT INTO public.orders VALUES (5, 'b-1', 'bob', '[{"item": "paperclip", "quantity": 3}]', 'received', NULL, NULL, 1, NULL, NULL, '2026-11-28 22:11:24.270654+00', '2026-11-28 22:11:24.270654+00');
INSERT INTO public.payments VALUES (1, 'Done-1', 'charge', 3002500, '2026-11-28 22:11:24.256896+00');
INSERT INTO public.spellings VALUES ('customer', 'José', 'jose');
INSERT INTO public.spellings VALUES ('item', 'cars', 'cars');
INSERT INTO public.spellings VALUES ('item', 'paperclip', 'paperclip');
INSERT INTO public.spellings VALUES ('customer', 'alice', 'alice');
INSERT INTO public.spellings VALUES ('customer', 'o''neil', 'o''neil');
INSERT INTO public.spellings VALUES ('item', 'computers', 'computers');
INSERT INTO public.spellings VALUES ('customer', 'unknown', 'unknown');
INSERT INTO public.spellings VALUES ('customer', 'bob', 'bob');
INSERT INTO public.tasks VALUES (1, 'pick-Done-1', 'task-1', 'Pick', '', 'Done-1', 'received', '2026-11-28 22:11:24.273747+00', '2026-11-28 22:11:24.273747+00', NULL);
SELECT pg_catalog.setval('public.audit_number_seq', 1, false);
SELECT pg_catalog.setval('public.batches_number_seq', 1, true);
SELECT pg_catalog.setval('public.dead_letters_id_seq', 1, false);
SELECT pg_catalog.setval('public.failed_sign_ins_number_seq', 1, false);
SELECT pg_catalog.setval('public.order_statuses_position_seq', 11, true);
SELECT pg_catalog.setval('public.orders_number_seq', 5, true);
SELECT pg_catalog.setval('public.payments_number_seq', 1, true);
SELECT pg_catalog.setval('public.tasks_number_seq', 1, true);
SELECT pg_catalog.setval('public.write_probe_number_seq', 1, false);
ALTER TABLE ONLY public.audit_outcomes
    ADD CONSTRAINT audit_outcomes_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.batch_orders
    ADD CONSTRAINT batch_orders_pkey PRIMARY KEY (batch_id, number);
ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_batch_id_key UNIQUE (batch_id);
ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_topic_event_id_digest_key UNIQUE (topic, event_id, digest);
ALTER TABLE ONLY public.failed_sign_ins
    ADD CONSTRAINT failed_sign_ins_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.item_sales
    ADD CONSTRAINT item_sales_pkey PRIMARY KEY (item);
ALTER TABLE ONLY public.order_counts
    ADD CONSTRAINT order_counts_pkey PRIMARY KEY (status);
ALTER TABLE ONLY public.order_lines_left
    ADD CONSTRAINT order_lines_left_pkey PRIMARY KEY (through);
ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT order_lines_pkey PRIMARY KEY (item, number);
ALTER TABLE ONLY public.order_statuses
    ADD CONSTRAINT order_statuses_order_id_status_key UNIQUE (order_id, status);
ALTER TABLE ONLY public.order_statuses
    ADD CONSTRAINT order_statuses_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_order_id_key UNIQUE (order_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_order_id_kind_key UNIQUE (order_id, kind);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.spellings
    ADD CONSTRAINT spellings_pkey PRIMARY KEY (kind, name);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_task_id_key UNIQUE (task_id);
ALTER TABLE ONLY public.undo_retries
    ADD CONSTRAINT undo_retries_pkey PRIMARY KEY (order_id);
ALTER TABLE ONLY public.write_probe
    ADD CONSTRAINT write_probe_pkey PRIMARY KEY (number);
CREATE INDEX audit_by_subject ON public.audit USING btree (subject, number);
CREATE INDEX batch_orders_by_order ON public.batch_orders USING btree (order_id);
CREATE INDEX dead_letters_by_resent ON public.dead_letters USING btree (resent_at, id);
CREATE INDEX ix_failed_sign_ins_address ON public.failed_sign_ins USING btree (address);
CREATE INDEX ix_failed_sign_ins_name_digest ON public.failed_sign_ins USING btree (name_digest);
CREATE INDEX orders_by_any_case_id ON public.orders USING btree (lower((order_id)::text) COLLATE "C", order_id);
CREATE INDEX orders_by_customer ON public.orders USING btree (customer_id, number);
CREATE INDEX orders_by_plain_id ON public.orders USING btree (order_id COLLATE "C");
CREATE INDEX orders_by_status ON public.orders USING btree (status, number);
CREATE INDEX orders_by_time ON public.orders USING btree (created_at);
CREATE INDEX spellings_by_folded ON public.spellings USING btree (kind, folded);
CREATE INDEX tasks_by_status ON public.tasks USING btree (status, number);
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.audit_stays();
CREATE TRIGGER audit_outcomes_is_not_emptied BEFORE TRUNCATE ON public.audit_outcomes FOR EACH STATEMENT EXECUTE FUNCTION public.audit_outcomes_stays();
CREATE TRIGGER audit_outcomes_stays BEFORE DELETE OR UPDATE ON public.audit_outcomes FOR EACH ROW EXECUTE FUNCTION public.audit_outcomes_stays();
CREATE TRIGGER audit_stays BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_stays();
CREATE TRIGGER order_is_new AFTER INSERT ON public.orders FOR EACH ROW WHEN (true) EXECUTE FUNCTION public.order_is_new();
CREATE TRIGGER order_is_sold AFTER UPDATE OF status ON public.orders FOR EACH ROW WHEN ((((new.status)::text <> (old.status)::text) AND ((new.status)::text = 'completed'::text))) EXECUTE FUNCTION public.order_is_sold();
CREATE TRIGGER order_moves_on AFTER UPDATE OF status ON public.orders FOR EACH ROW WHEN (((new.status)::text <> (old.status)::text)) EXECUTE FUNCTION public.order_moves_on();
ALTER TABLE ONLY public.audit_outcomes
    ADD CONSTRAINT audit_outcomes_number_fkey FOREIGN KEY (number) REFERENCES public.audit(number);
ALTER TABLE ONLY public.batch_orders
    ADD CONSTRAINT batch_orders_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.batches(batch_id);
ALTER TABLE ONLY public.order_statuses
    ADD CONSTRAINT order_statuses_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(order_id);
ALTER TABLE ONLY public.undo_retries
    ADD CONSTRAINT undo_retries_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(order_id);
