BEGIN TRANSACTION;
CREATE TABLE dead_letters (
	id INTEGER NOT NULL, 
	topic VARCHAR(200) NOT NULL, 
	event_id VARCHAR(300) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	order_id VARCHAR(64), 
	reason TEXT NOT NULL, 
	data TEXT NOT NULL, 
	received_at DATETIME NOT NULL, 
	resent_at DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (topic, event_id, digest)
);
CREATE TABLE order_statuses (
	position INTEGER NOT NULL, 
	order_id VARCHAR(64) NOT NULL, 
	sequence INTEGER NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	reason VARCHAR(64), 
	total_cents BIGINT, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (position), 
	UNIQUE (order_id, status), 
	FOREIGN KEY(order_id) REFERENCES orders (order_id)
);
INSERT INTO "order_statuses" VALUES(1,'Done-1',1,'received',NULL,NULL,'2026-11-28 22:11:19.653247');
INSERT INTO "order_statuses" VALUES(2,'Done-1',2,'reserved',NULL,3002500,'2026-11-28 22:11:19.658111');
INSERT INTO "order_statuses" VALUES(3,'Done-1',3,'paid',NULL,3002500,'2026-11-28 22:11:19.662378');
INSERT INTO "order_statuses" VALUES(4,'Done-1',4,'completed',NULL,3002500,'2026-11-28 22:11:19.664775');
INSERT INTO "order_statuses" VALUES(5,'waits-1',1,'received',NULL,NULL,'2026-11-28 22:11:19.671417');
INSERT INTO "order_statuses" VALUES(6,'waits-1',2,'reserved',NULL,16500000,'2026-11-28 22:11:19.674556');
INSERT INTO "order_statuses" VALUES(7,'waits-1',3,'awaiting_approval',NULL,16500000,'2026-11-28 22:11:19.677607');
INSERT INTO "order_statuses" VALUES(8,'gone-1',1,'received',NULL,NULL,'2026-11-28 22:11:19.679598');
INSERT INTO "order_statuses" VALUES(9,'gone-1',2,'cancelled','cancelled',NULL,'2026-11-28 22:11:19.681738');
INSERT INTO "order_statuses" VALUES(10,'bad-1',1,'rejected','invalid',NULL,'2026-11-28 22:11:19.682693');
CREATE TABLE orders (
	number INTEGER NOT NULL, 
	order_id VARCHAR(64) NOT NULL, 
	customer_id VARCHAR(128) NOT NULL, 
	lines JSON NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	reason VARCHAR(64), 
	total_cents BIGINT, 
	sequence INTEGER NOT NULL, 
	run_id VARCHAR(32), 
	cancel_requested_at DATETIME, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (order_id)
);
INSERT INTO "orders" VALUES(1,'Done-1','José','[{"item": "cars", "quantity": 2}, {"item": "paperclip", "quantity": 5}]','completed',NULL,3002500,4,'run1',NULL,'2026-11-28 22:11:19.653247','2026-11-28 22:11:19.664775');
INSERT INTO "orders" VALUES(2,'waits-1','alice','[{"item": "cars", "quantity": 11}]','awaiting_approval',NULL,16500000,3,'run2',NULL,'2026-11-28 22:11:19.671417','2026-11-28 22:11:19.677607');
INSERT INTO "orders" VALUES(3,'gone-1','o''neil','[{"item": "computers", "quantity": 1}]','cancelled','cancelled',NULL,2,'run3',NULL,'2026-11-28 22:11:19.679598','2026-11-28 22:11:19.681738');
INSERT INTO "orders" VALUES(4,'bad-1','unknown','[]','rejected','invalid',NULL,1,NULL,NULL,'2026-11-28 22:11:19.682693','2026-11-28 22:11:19.682693');
CREATE TABLE payments (
	number INTEGER NOT NULL, 
	order_id VARCHAR(64) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	amount_cents BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (order_id, kind)
);
INSERT INTO "payments" VALUES(1,'Done-1','charge',3002500,'2026-11-28 22:11:19.667209');
CREATE INDEX orders_by_status ON orders (status, number);
COMMIT;
