BEGIN TRANSACTION;
CREATE TABLE audit (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	via VARCHAR(16) NOT NULL, 
	action VARCHAR(100) NOT NULL, 
	subject VARCHAR(200) NOT NULL, 
	details TEXT NOT NULL
);
CREATE TABLE audit_outcomes (
	number INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	outcome VARCHAR(100) NOT NULL, 
	subject VARCHAR(200), 
	PRIMARY KEY (number), 
	FOREIGN KEY(number) REFERENCES audit (number)
);
CREATE TABLE batch_orders (
	batch_id VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	order_id VARCHAR(64), 
	refused VARCHAR(64), 
	is_owner BOOLEAN NOT NULL, 
	PRIMARY KEY (batch_id, number), 
	FOREIGN KEY(batch_id) REFERENCES batches (batch_id)
);
INSERT INTO "batch_orders" VALUES('batch-1',1,'b-1',NULL,1);
CREATE TABLE batches (
	number INTEGER NOT NULL, 
	batch_id VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	reason VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	PRIMARY KEY (number), 
	UNIQUE (batch_id)
);
INSERT INTO "batches" VALUES(1,'batch-1','7cb14bbdab858cad4f1c36aa9e23dc824d55826fb481c845b2c958bb6756907f','received',NULL,'2026-11-28 22:11:22.951201',NULL);
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
CREATE TABLE failed_sign_ins (
	number INTEGER NOT NULL, 
	name_digest VARCHAR(64) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (number)
);
CREATE TABLE item_sales (
	item VARCHAR(128) NOT NULL, 
	pieces BIGINT NOT NULL, 
	PRIMARY KEY (item)
);
INSERT INTO "item_sales" VALUES('cars',2);
INSERT INTO "item_sales" VALUES('paperclip',5);
CREATE TABLE order_counts (
	status VARCHAR(32) NOT NULL, 
	orders BIGINT NOT NULL, 
	PRIMARY KEY (status)
);
INSERT INTO "order_counts" VALUES('received',1);
INSERT INTO "order_counts" VALUES('reserved',0);
INSERT INTO "order_counts" VALUES('paid',0);
INSERT INTO "order_counts" VALUES('completed',1);
INSERT INTO "order_counts" VALUES('awaiting_approval',1);
INSERT INTO "order_counts" VALUES('cancelled',1);
INSERT INTO "order_counts" VALUES('rejected',1);
CREATE TABLE order_lines (
	item VARCHAR(128) NOT NULL, 
	number BIGINT NOT NULL, 
	quantity INTEGER NOT NULL, 
	PRIMARY KEY (item, number)
)
 WITHOUT ROWID

;
INSERT INTO "order_lines" VALUES('cars',1,2);
INSERT INTO "order_lines" VALUES('cars',2,11);
INSERT INTO "order_lines" VALUES('computers',3,1);
INSERT INTO "order_lines" VALUES('paperclip',1,5);
INSERT INTO "order_lines" VALUES('paperclip',5,3);
CREATE TABLE order_lines_left (
	through BIGINT NOT NULL, 
	PRIMARY KEY (through)
);
INSERT INTO "order_lines_left" VALUES(0);
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
INSERT INTO "order_statuses" VALUES(1,'Done-1',1,'received',NULL,NULL,'2026-11-28 22:11:22.941204');
INSERT INTO "order_statuses" VALUES(2,'Done-1',2,'reserved',NULL,3002500,'2026-11-28 22:11:22.943624');
INSERT INTO "order_statuses" VALUES(3,'Done-1',3,'paid',NULL,3002500,'2026-11-28 22:11:22.944841');
INSERT INTO "order_statuses" VALUES(4,'Done-1',4,'completed',NULL,3002500,'2026-11-28 22:11:22.945455');
INSERT INTO "order_statuses" VALUES(5,'waits-1',1,'received',NULL,NULL,'2026-11-28 22:11:22.947036');
INSERT INTO "order_statuses" VALUES(6,'waits-1',2,'reserved',NULL,16500000,'2026-11-28 22:11:22.947747');
INSERT INTO "order_statuses" VALUES(7,'waits-1',3,'awaiting_approval',NULL,16500000,'2026-11-28 22:11:22.948287');
INSERT INTO "order_statuses" VALUES(8,'gone-1',1,'received',NULL,NULL,'2026-11-28 22:11:22.948779');
INSERT INTO "order_statuses" VALUES(9,'gone-1',2,'cancelled','cancelled',NULL,'2026-11-28 22:11:22.949496');
INSERT INTO "order_statuses" VALUES(10,'bad-1',1,'rejected','invalid',NULL,'2026-11-28 22:11:22.949972');
INSERT INTO "order_statuses" VALUES(11,'b-1',1,'received',NULL,NULL,'2026-11-28 22:11:22.951544');
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
INSERT INTO "orders" VALUES(1,'Done-1','José','[{"item": "cars", "quantity": 2}, {"item": "paperclip", "quantity": 5}]','completed',NULL,3002500,4,'run1',NULL,'2026-11-28 22:11:22.941204','2026-11-28 22:11:22.945455');
INSERT INTO "orders" VALUES(2,'waits-1','alice','[{"item": "cars", "quantity": 11}]','awaiting_approval',NULL,16500000,3,'run2',NULL,'2026-11-28 22:11:22.947036','2026-11-28 22:11:22.948287');
INSERT INTO "orders" VALUES(3,'gone-1','o''neil','[{"item": "computers", "quantity": 1}]','cancelled','cancelled',NULL,2,'run3',NULL,'2026-11-28 22:11:22.948779','2026-11-28 22:11:22.949496');
INSERT INTO "orders" VALUES(4,'bad-1','unknown','[]','rejected','invalid',NULL,1,NULL,NULL,'2026-11-28 22:11:22.949972','2026-11-28 22:11:22.949972');
INSERT INTO "orders" VALUES(5,'b-1','bob','[{"item": "paperclip", "quantity": 3}]','received',NULL,NULL,1,NULL,NULL,'2026-11-28 22:11:22.951544','2026-11-28 22:11:22.951544');
CREATE TABLE payments (
	number INTEGER NOT NULL, 
	order_id VARCHAR(64) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	amount_cents BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (order_id, kind)
);
INSERT INTO "payments" VALUES(1,'Done-1','charge',3002500,'2026-11-28 22:11:22.946360');
CREATE TABLE sessions (
	digest VARCHAR(64) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	csrf VARCHAR(64) NOT NULL, 
	via VARCHAR(16) NOT NULL, 
	created_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	password VARCHAR(64), 
	PRIMARY KEY (digest)
);
CREATE TABLE spellings (
	kind VARCHAR(16) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	folded VARCHAR(200) NOT NULL, 
	PRIMARY KEY (kind, name)
);
INSERT INTO "spellings" VALUES('customer','José','jose');
INSERT INTO "spellings" VALUES('item','cars','cars');
INSERT INTO "spellings" VALUES('item','paperclip','paperclip');
INSERT INTO "spellings" VALUES('customer','alice','alice');
INSERT INTO "spellings" VALUES('customer','o''neil','o''neil');
INSERT INTO "spellings" VALUES('item','computers','computers');
INSERT INTO "spellings" VALUES('customer','unknown','unknown');
INSERT INTO "spellings" VALUES('customer','bob','bob');
CREATE TABLE tasks (
	number INTEGER NOT NULL, 
	task_id VARCHAR(80) NOT NULL, 
	instance_id VARCHAR(200) NOT NULL, 
	title VARCHAR(200) NOT NULL, 
	assignee VARCHAR(128) NOT NULL, 
	order_id VARCHAR(64), 
	status VARCHAR(16) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	completed_at DATETIME, 
	PRIMARY KEY (number), 
	UNIQUE (task_id)
);
INSERT INTO "tasks" VALUES(1,'pick-Done-1','task-1','Pick','','Done-1','received','2026-11-28 22:11:22.954614','2026-11-28 22:11:22.954614',NULL);
CREATE TABLE undo_retries (
	order_id VARCHAR(64) NOT NULL, 
	retries INTEGER NOT NULL, 
	retried_by VARCHAR(128) NOT NULL, 
	retrying_since DATETIME, 
	not_undone JSON, 
	failed_at DATETIME, 
	settled_at DATETIME, 
	settled_by VARCHAR(128), 
	PRIMARY KEY (order_id), 
	FOREIGN KEY(order_id) REFERENCES orders (order_id)
);
CREATE TABLE write_probe (
	number INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (number)
);
CREATE INDEX dead_letters_by_resent ON dead_letters (resent_at, id);
CREATE INDEX ix_failed_sign_ins_name_digest ON failed_sign_ins (name_digest);
CREATE INDEX ix_failed_sign_ins_address ON failed_sign_ins (address);
CREATE INDEX audit_by_subject ON audit (subject, number);
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE TRIGGER audit_is_new BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number) BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE INDEX spellings_by_folded ON spellings (kind, folded);
CREATE INDEX orders_by_status ON orders (status, number);
CREATE INDEX orders_by_time ON orders (created_at);
CREATE INDEX orders_by_customer ON orders (customer_id, number);
CREATE INDEX orders_by_any_case_id ON orders (order_id COLLATE "NOCASE", order_id);
CREATE INDEX tasks_by_status ON tasks (status, number);
CREATE TRIGGER audit_outcomes_keeps BEFORE UPDATE ON audit_outcomes BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE TRIGGER audit_outcomes_stays BEFORE DELETE ON audit_outcomes BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE TRIGGER audit_outcomes_is_new BEFORE INSERT ON audit_outcomes WHEN EXISTS (SELECT 1 FROM audit_outcomes WHERE number = NEW.number) BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE INDEX batch_orders_by_order ON batch_orders (order_id);
CREATE TRIGGER order_is_new AFTER INSERT ON orders FOR EACH ROW WHEN (true) BEGIN INSERT INTO order_counts (status, orders) VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET orders = order_counts.orders + 1; INSERT INTO order_lines (item, number, quantity) SELECT json_extract(line.value, '$.item') AS item, NEW.number AS number, json_extract(line.value, '$.quantity') AS quantity FROM json_each(NEW.lines) AS line; END;
CREATE TRIGGER order_moves_on AFTER UPDATE OF status ON orders FOR EACH ROW WHEN (NEW.status <> OLD.status) BEGIN UPDATE order_counts SET orders = orders - 1 WHERE status = OLD.status; INSERT INTO order_counts (status, orders) VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET orders = order_counts.orders + 1; END;
CREATE TRIGGER order_is_sold AFTER UPDATE OF status ON orders FOR EACH ROW WHEN (NEW.status <> OLD.status AND NEW.status = 'completed') BEGIN INSERT INTO item_sales (item, pieces) SELECT item, quantity FROM (SELECT json_extract(line.value, '$.item') AS item, NEW.number AS number, json_extract(line.value, '$.quantity') AS quantity FROM json_each(NEW.lines) AS line) AS sold WHERE true ON CONFLICT (item) DO UPDATE SET pieces = item_sales.pieces + excluded.pieces; END;
DELETE FROM "sqlite_sequence";
COMMIT;
