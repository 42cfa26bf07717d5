BEGIN TRANSACTION;
CREATE TABLE approvals (
	order_id VARCHAR(64) NOT NULL, 
	status VARCHAR(16), 
	customer_id VARCHAR(128), 
	lines JSON, 
	total_cents BIGINT, 
	requested_at DATETIME, 
	expires_at DATETIME, 
	ended_reason TEXT, 
	ended_at DATETIME, 
	approved BOOLEAN, 
	approver VARCHAR(128), 
	comment TEXT, 
	decided_at DATETIME, 
	handed_over_at DATETIME, 
	outcome VARCHAR(16), 
	PRIMARY KEY (order_id)
);
INSERT INTO "approvals" VALUES('waits-1','pending','alice','[{"item": "cars", "quantity": 11}]',16500000,'2026-11-28 22:11:19.866960','2036-03-01 00:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "approvals" VALUES('decided-1','approved','José','[{"item": "cars", "quantity": 11}]',16500000,'2026-11-28 22:11:19.886430','2036-03-01 00:00:00.000000',NULL,NULL,1,'Ann','it''s fine','2026-11-28 22:11:19.888137',NULL,NULL);
INSERT INTO "approvals" VALUES('gone-1','withdrawn','o''neil','[{"item": "cars", "quantity": 11}]',16500000,'2026-11-28 22:11:19.892710','2036-03-01 00:00:00.000000','cancelled','2026-11-28 22:11:19.894471',NULL,NULL,NULL,NULL,NULL,NULL);
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
CREATE INDEX approvals_undelivered ON approvals (order_id) WHERE decided_at IS NOT NULL AND outcome IS NULL AND status IS NOT NULL;
CREATE INDEX approvals_by_deadline ON approvals (status, expires_at, order_id);
COMMIT;
