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
	levels INTEGER, 
	endorser VARCHAR(128), 
	endorsement TEXT, 
	endorsed_at DATETIME, 
	concluded_at DATETIME, 
	change_number BIGINT, 
	PRIMARY KEY (order_id)
);
INSERT INTO "approvals" VALUES('waits-1','pending','alice','[{"item": "cars", "quantity": 11}]',16500000,'2026-11-28 22:11:22.994589','2036-03-01 00:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1);
INSERT INTO "approvals" VALUES('decided-1','approved','José','[{"item": "cars", "quantity": 11}]',16500000,'2026-11-28 22:11:22.998999','2036-03-01 00:00:00.000000',NULL,NULL,1,'Ann','it''s fine','2026-11-28 22:11:23.001920',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-28 22:11:23.001920',3);
INSERT INTO "approvals" VALUES('gone-1','withdrawn','o''neil','[{"item": "cars", "quantity": 11}]',16500000,'2026-11-28 22:11:23.007891','2036-03-01 00:00:00.000000','cancelled','2026-11-28 22:11:23.010091',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-28 22:11:23.010091',5);
CREATE TABLE audit (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	via VARCHAR(16) NOT NULL, 
	action VARCHAR(100) NOT NULL, 
	subject VARCHAR(200) NOT NULL, 
	details TEXT NOT NULL
);
INSERT INTO "audit" VALUES(1,'2026-11-28 22:11:23.005122','Ann','topic','approval.approve','decided-1','{"comment": "it''s fine"}');
CREATE TABLE audit_outcomes (
	number INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	outcome VARCHAR(100) NOT NULL, 
	subject VARCHAR(200), 
	PRIMARY KEY (number), 
	FOREIGN KEY(number) REFERENCES audit (number)
);
INSERT INTO "audit_outcomes" VALUES(1,'2026-11-28 22:11:23.005122','done',NULL);
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
INSERT INTO "spellings" VALUES('customer','alice','alice');
INSERT INTO "spellings" VALUES('customer','José','jose');
INSERT INTO "spellings" VALUES('approver','Ann','ann');
INSERT INTO "spellings" VALUES('subject','decided-1','decided-1');
INSERT INTO "spellings" VALUES('customer','o''neil','o''neil');
CREATE TABLE write_probe (
	number INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (number)
);
CREATE INDEX dead_letters_by_resent ON dead_letters (resent_at, id);
CREATE INDEX ix_failed_sign_ins_address ON failed_sign_ins (address);
CREATE INDEX ix_failed_sign_ins_name_digest ON failed_sign_ins (name_digest);
CREATE INDEX audit_by_subject ON audit (subject, number);
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE TRIGGER audit_is_new BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number) BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE INDEX spellings_by_folded ON spellings (kind, folded);
CREATE INDEX approvals_by_deadline ON approvals (status, expires_at, order_id);
CREATE INDEX approvals_by_change ON approvals (change_number);
CREATE INDEX approvals_concluded ON approvals (concluded_at, order_id);
CREATE INDEX approvals_by_outcome ON approvals (status, concluded_at, order_id);
CREATE INDEX approvals_by_endorser ON approvals (endorser, concluded_at, order_id) WHERE endorser IS NOT NULL;
CREATE INDEX approvals_by_customer ON approvals (customer_id, concluded_at, order_id);
CREATE INDEX approvals_incomplete ON approvals (order_id) WHERE (decided_at IS NOT NULL OR ended_at IS NOT NULL) AND status IS NOT NULL AND concluded_at IS NULL;
CREATE INDEX approvals_by_approver ON approvals (approver, concluded_at, order_id);
CREATE INDEX approvals_by_any_case_id ON approvals (order_id COLLATE "NOCASE", order_id);
CREATE INDEX approvals_undelivered ON approvals (order_id) WHERE decided_at IS NOT NULL AND outcome IS NULL AND status IS NOT NULL;
CREATE TRIGGER audit_outcomes_keeps BEFORE UPDATE ON audit_outcomes BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE TRIGGER audit_outcomes_stays BEFORE DELETE ON audit_outcomes BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
CREATE TRIGGER audit_outcomes_is_new BEFORE INSERT ON audit_outcomes WHEN EXISTS (SELECT 1 FROM audit_outcomes WHERE number = NEW.number) BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('audit',1);
COMMIT;
