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
ALTER TABLE ONLY public.dead_letters ALTER COLUMN id SET DEFAULT nextval('public.dead_letters_id_seq'::regclass);
ALTER TABLE ONLY public.order_statuses ALTER COLUMN "position" SET DEFAULT nextval('public.order_statuses_position_seq'::regclass);
ALTER TABLE ONLY public.orders ALTER COLUMN number SET DEFAULT nextval('public.orders_number_seq'::regclass);
ALTER TABLE ONLY public.payments ALTER COLUMN number SET DEFAULT nextval('public.payments_number_seq'::regclass);
INSERT INTO public.order_statuses VALUES (1, 'Done-1', 1, 'received', NULL, NULL, '2026-11-28 22:11:21.777479+00');
INSERT INTO public.order_statuses VALUES (2, 'Done-1', 2, 'reserved', NULL, 3002500, '2026-11-28 22:11:21.782037+00');
INSERT INTO public.order_statuses VALUES (3, 'Done-1', 3, 'paid', NULL, 3002500, '2026-11-28 22:11:21.784474+00');
INSERT INTO public.order_statuses VALUES (4, 'Done-1', 4, 'completed', NULL, 3002500, '2026-11-28 22:11:21.785965+00');
INSERT INTO public.order_statuses VALUES (5, 'waits-1', 1, 'received', NULL, NULL, '2026-11-28 22:11:21.789592+00');
INSERT INTO public.order_statuses VALUES (6, 'waits-1', 2, 'reserved', NULL, 16500000, '2026-11-28 22:11:21.791114+00');
INSERT INTO public.order_statuses VALUES (7, 'waits-1', 3, 'awaiting_approval', NULL, 16500000, '2026-11-28 22:11:21.792447+00');
INSERT INTO public.order_statuses VALUES (8, 'gone-1', 1, 'received', NULL, NULL, '2026-11-28 22:11:21.793667+00');
INSERT INTO public.order_statuses VALUES (9, 'gone-1', 2, 'cancelled', 'cancelled', NULL, '2026-11-28 22:11:21.795204+00');
INSERT INTO public.order_statuses VALUES (10, 'bad-1', 1, 'rejected', 'invalid', NULL, '2026-11-28 22:11:21.796368+00');
INSERT INTO public.orders VALUES (1, 'Done-1', 'José', '[{"item": "cars", "quantity": 2}, {"item": "paperclip", "quantity": 5}]', 'completed', NULL, 3002500, 4, 'run1', NULL, '2026-11-28 22:11:21.777479+00', '2026-11-28 22:11:21.785965+00');
INSERT INTO public.orders VALUES (2, 'waits-1', 'alice', '[{"item": "cars", "quantity": 11}]', 'awaiting_approval', NULL, 16500000, 3, 'run2', NULL, '2026-11-28 22:11:21.789592+00', '2026-11-28 22:11:21.792447+00');
INSERT INTO public.orders VALUES (3, 'gone-1', 'o''neil', '[{"item": "computers", "quantity": 1}]', 'cancelled', 'cancelled', NULL, 2, 'run3', NULL, '2026-11-28 22:11:21.793667+00', '2026-11-28 22:11:21.795204+00');
INSERT INTO public.orders VALUES (4, 'bad-1', 'unknown', '[]', 'rejected', 'invalid', NULL, 1, NULL, NULL, '2026-11-28 22:11:21.796368+00', '2026-11-28 22:11:21.796368+00');
INSERT INTO public.payments VALUES (1, 'Done-1', 'charge', 3002500, '2026-11-28 22:11:21.787879+00');
SELECT pg_catalog.setval('public.dead_letters_id_seq', 1, false);
SELECT pg_catalog.setval('public.order_statuses_position_seq', 10, true);
SELECT pg_catalog.setval('public.orders_number_seq', 4, true);
SELECT pg_catalog.setval('public.payments_number_seq', 1, true);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_topic_event_id_digest_key UNIQUE (topic, event_id, digest);
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
CREATE INDEX orders_by_status ON public.orders USING btree (status, number);
ALTER TABLE ONLY public.order_statuses
    ADD CONSTRAINT order_statuses_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(order_id);
