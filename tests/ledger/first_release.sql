-- A ledger of the first release on SQLite: an invented shop's refunds, written by that release's own code.
BEGIN TRANSACTION;
CREATE TABLE approvers (
	name VARCHAR NOT NULL, 
	email VARCHAR NOT NULL, 
	roles JSON NOT NULL, 
	customers JSON NOT NULL, 
	token_hash VARCHAR NOT NULL, 
	token_expires_at DATETIME NOT NULL, 
	code_secret VARCHAR NOT NULL, 
	code_count INTEGER NOT NULL, 
	wrong_codes INTEGER NOT NULL, 
	locked_until DATETIME, 
	enrolled_at DATETIME NOT NULL, 
	revoked_at DATETIME, 
	PRIMARY KEY (name)
);
INSERT INTO "approvers" VALUES('ana','','["finance"]','[]','5ae6d7161e5f0e0fd22d14f169d10bc1705e563c651b700ab0d5b1efcc83cf0b','2027-05-01 09:30:00.000000','gAAAAABrDIt0LkWLNuSzMFndCYpezB6VPcsUIWAMfOrzh_y-W3tmhdzYqIQptZKY8pf3WEYLAPgKr7gpwVRR2kTI7-CGyB9siTLiDlh_b_dOSmsSm7Ci2hOO5FeKkPos3ThAyIs2uixF',0,0,NULL,'2026-11-02 09:30:00.000000',NULL);
CREATE TABLE breakers (
	id INTEGER NOT NULL, 
	lane VARCHAR NOT NULL, 
	why VARCHAR NOT NULL, 
	tripped_by VARCHAR NOT NULL, 
	tripped_at DATETIME NOT NULL, 
	closed_at DATETIME, 
	closed_by VARCHAR NOT NULL, 
	closed_why VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "breakers" VALUES(1,'fulfilment','three refunds were refused','','2026-11-02 09:30:00.000000',NULL,'','');
CREATE TABLE briefs (
	case_id VARCHAR NOT NULL, 
	evidence VARCHAR NOT NULL, 
	body JSON NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (case_id)
);
INSERT INTO "briefs" VALUES('case-R-1','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','{"summary": "inspected and not repaid"}','2026-11-02 09:30:00.000000');
CREATE TABLE cases (
	id VARCHAR NOT NULL, 
	lane VARCHAR NOT NULL, 
	shop VARCHAR NOT NULL, 
	pivot VARCHAR NOT NULL, 
	title VARCHAR NOT NULL, 
	standing VARCHAR NOT NULL, 
	material VARCHAR NOT NULL, 
	severity VARCHAR NOT NULL, 
	team VARCHAR NOT NULL, 
	owner VARCHAR NOT NULL, 
	amount INTEGER, 
	currency VARCHAR, 
	priority FLOAT NOT NULL, 
	due_at DATETIME NOT NULL, 
	opened_at DATETIME NOT NULL, 
	seen_as_of DATETIME NOT NULL, 
	closed_at DATETIME, 
	closed_reason VARCHAR NOT NULL, 
	body JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "cases" VALUES('case-R-1','returns','main','order:order-1001','late refund · order-1001','open','ef36f446387ec44b0d9c9ade96807537ed707a21c35d5fc8ba020ab5b07c273f','sev2','returns-desk','',5000,'EUR',1.0,'2026-03-02 09:30:00.000000','2026-11-02 09:30:00.000000','2026-03-02 09:30:00.000000',NULL,'','{"id": "case-R-1", "lane": "returns", "shop": "main", "pivot": "order:order-1001", "kinds": ["late_refund"], "about": "return", "subjects": ["R-1"], "orders": ["order-1001"], "team": "returns-desk", "owner": "", "findings": [{"kind": "late_refund", "subject": "R-1", "answer": "yes", "sentence": "Inspected 6 business days ago (as_new); owed EUR 50.00 by return_policy@1 1.1 and refund_policy@1 2.1, and not repaid.", "values": {"business_days_since_inspected": 6, "condition": "as_new", "entitled_amount": 5000, "inspected": true, "received": true, "refund_days": 5.0, "refund_percent_clause": "refund_policy@1 2.1", "refunded_amount": 0, "return_outcome": "refund", "return_outcome_clause": "return_policy@1 1.1", "status": "inspected"}, "missing": [], "ask": {}}], "advice": [], "evidence": {"as_of": "2026-03-02T09:30:00Z", "facts": [{"return_id": "R-1", "order_id": "order-1001", "line_id": "1001-1", "customer_id": "customer-7", "currency": "EUR", "sku": "lamp", "category": null, "quantity": 1, "status": "inspected", "reason": "unwanted", "reason_text": null, "contact_text": null, "review_text": null, "has_photos": false, "gift": false, "final_sale": false, "bought_on": "2026-03-02", "delivered_on": "2026-03-05", "requested_on": "2026-03-15", "requested_at": "2026-03-15T10:00:00Z", "days_held": 10, "held_since": "delivery", "hours_since_requested": 120, "received": true, "business_days_since_received": 3, "inspected": true, "business_days_since_inspected": 6, "condition": "as_new", "disposition": "restock", "paid_amount": 5000, "order_paid_amount": 8000, "order_refunded_amount": 0, "order_refundable_amount": 8000, "refunded": false, "refunded_amount": 0, "refund_count": 0, "first_refund_before_received": false, "repeated_refund": false, "method_wanted": "original", "method_paid": null, "customer_orders": 2, "customer_returns": 0, "customer_spent_amount": 12000, "customer_return_share": 0.2, "customer_full_returns": 0, "customer_returns_total": 1, "prior_refusals": 0, "spike_count": 1, "spike_expected": 1.0, "spike_q": 1.0, "contradictions": 0, "contradiction_rules": null, "return_window": "open", "return_window_clause": "return_policy@1 1.1", "return_window_today": "open", "fault": "customers", "return_outcome": "refund", "fault_clause": "return_policy@1 1.2", "fault_today": "customers", "return_outcome_clause": "return_policy@1 1.1", "return_outcome_today": "refund", "refund_percent": 100, "refund_method": "original", "restocking_percent": 0.0, "refund_percent_clause": "refund_policy@1 2.1", "refund_percent_today": 100, "refund_method_clause": "refund_policy@1 4.2", "refund_method_today": "original", "entitled_amount": 5000}], "tables": {}, "links": [], "picture": ""}, "risk": {"severity": "sev2", "score": 60, "money": {"amount": 5000, "currency": "EUR"}, "due_at": "2026-03-02T09:30:00Z", "priority": 1.0, "policy": "returns@1"}}');
INSERT INTO "cases" VALUES('case-R-2','returns','main','order:order-1001','late refund · order-1001','open','e1ec72824afe2b172e2bcfbd4fbdbe5f66e8d2feca46980b5b98c282b126398f','sev2','returns-desk','',5000,'EUR',1.0,'2026-03-02 09:30:00.000000','2026-11-02 09:30:00.000000','2026-03-02 09:30:00.000000',NULL,'','{"id": "case-R-2", "lane": "returns", "shop": "main", "pivot": "order:order-1001", "kinds": ["late_refund"], "about": "return", "subjects": ["R-2"], "orders": ["order-1001"], "team": "returns-desk", "owner": "", "findings": [{"kind": "late_refund", "subject": "R-2", "answer": "yes", "sentence": "Inspected 6 business days ago (as_new); owed EUR 50.00 by return_policy@1 1.1 and refund_policy@1 2.1, and not repaid.", "values": {"business_days_since_inspected": 6, "condition": "as_new", "entitled_amount": 5000, "inspected": true, "received": true, "refund_days": 5.0, "refund_percent_clause": "refund_policy@1 2.1", "refunded_amount": 0, "return_outcome": "refund", "return_outcome_clause": "return_policy@1 1.1", "status": "inspected"}, "missing": [], "ask": {}}], "advice": [], "evidence": {"as_of": "2026-03-02T09:30:00Z", "facts": [{"return_id": "R-2", "order_id": "order-1001", "line_id": "1001-1", "customer_id": "customer-7", "currency": "EUR", "sku": "lamp", "category": null, "quantity": 1, "status": "inspected", "reason": "unwanted", "reason_text": null, "contact_text": null, "review_text": null, "has_photos": false, "gift": false, "final_sale": false, "bought_on": "2026-03-02", "delivered_on": "2026-03-05", "requested_on": "2026-03-15", "requested_at": "2026-03-15T10:00:00Z", "days_held": 10, "held_since": "delivery", "hours_since_requested": 120, "received": true, "business_days_since_received": 3, "inspected": true, "business_days_since_inspected": 6, "condition": "as_new", "disposition": "restock", "paid_amount": 5000, "order_paid_amount": 8000, "order_refunded_amount": 0, "order_refundable_amount": 8000, "refunded": false, "refunded_amount": 0, "refund_count": 0, "first_refund_before_received": false, "repeated_refund": false, "method_wanted": "original", "method_paid": null, "customer_orders": 2, "customer_returns": 0, "customer_spent_amount": 12000, "customer_return_share": 0.2, "customer_full_returns": 0, "customer_returns_total": 1, "prior_refusals": 0, "spike_count": 1, "spike_expected": 1.0, "spike_q": 1.0, "contradictions": 0, "contradiction_rules": null, "return_window": "open", "return_window_clause": "return_policy@1 1.1", "return_window_today": "open", "fault": "customers", "return_outcome": "refund", "fault_clause": "return_policy@1 1.2", "fault_today": "customers", "return_outcome_clause": "return_policy@1 1.1", "return_outcome_today": "refund", "refund_percent": 100, "refund_method": "original", "restocking_percent": 0.0, "refund_percent_clause": "refund_policy@1 2.1", "refund_percent_today": 100, "refund_method_clause": "refund_policy@1 4.2", "refund_method_today": "original", "entitled_amount": 5000}], "tables": {}, "links": [], "picture": ""}, "risk": {"severity": "sev2", "score": 60, "money": {"amount": 5000, "currency": "EUR"}, "due_at": "2026-03-02T09:30:00Z", "priority": 1.0, "policy": "returns@1"}}');
CREATE TABLE chains (
	run VARCHAR NOT NULL, 
	length INTEGER NOT NULL, 
	head VARCHAR NOT NULL, 
	PRIMARY KEY (run)
);
INSERT INTO "chains" VALUES('run-1',3,'1111111111111111111111111111111111111111111111111111111111111111');
INSERT INTO "chains" VALUES('run-2',4,'2222222222222222222222222222222222222222222222222222222222222222');
INSERT INTO "chains" VALUES('run-3',5,'3333333333333333333333333333333333333333333333333333333333333333');
CREATE TABLE effects (
	"key" VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	order_id VARCHAR NOT NULL, 
	amount INTEGER, 
	currency VARCHAR, 
	state VARCHAR NOT NULL, 
	store_reference VARCHAR NOT NULL, 
	prior JSON NOT NULL, 
	detail VARCHAR NOT NULL, 
	holder VARCHAR NOT NULL, 
	lane VARCHAR NOT NULL, 
	shop VARCHAR NOT NULL, 
	customer VARCHAR NOT NULL, 
	approver VARCHAR NOT NULL, 
	intended_at DATETIME NOT NULL, 
	changed_at DATETIME NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "effects" VALUES('8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22','refund','1001',1101,'EUR','confirmed','refund-1001','{}','','me','fulfilment','shop','','ana','2026-11-02 09:30:00.000000','2026-11-02 09:30:00.000000');
INSERT INTO "effects" VALUES('8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8','refund','1002',1102,'EUR','confirmed','refund-1002','{}','','me','fulfilment','shop','','ana','2026-11-02 09:30:00.000000','2026-11-02 09:30:00.000000');
INSERT INTO "effects" VALUES('cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea','refund','1003',1103,'EUR','confirmed','refund-1003','{}','','me','fulfilment','shop','','ana','2026-11-02 09:30:00.000000','2026-11-02 09:30:00.000000');
CREATE TABLE events (
	id INTEGER NOT NULL, 
	subject VARCHAR NOT NULL, 
	what VARCHAR NOT NULL, 
	detail VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "events" VALUES(1,'case:case-R-1','opened','late refund · order-1001','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(2,'case:case-R-2','opened','late refund · order-1001','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(3,'approver:ana','enrolled','finance','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(4,'proposal:8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22','ruled','approve by ana via command: ','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(5,'case:a0064c86a582fa64','ruled','approve by ana via command: ','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(6,'effect:8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22','intended','refund','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(7,'effect:8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22','confirmed','','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(8,'proposal:8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8','ruled','approve by ana via command: ','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(9,'case:6cff804597a8b9d9','ruled','approve by ana via command: ','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(10,'effect:8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8','intended','refund','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(11,'effect:8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8','confirmed','','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(12,'proposal:cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea','ruled','approve by ana via command: ','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(13,'case:3269eee5d2f67f12','ruled','approve by ana via command: ','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(14,'effect:cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea','intended','refund','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(15,'effect:cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea','confirmed','','2026-11-02 09:30:00.000000');
INSERT INTO "events" VALUES(16,'approver:ana','slack','T0INVENTED/U0INVENTED','2026-11-02 09:30:00.000000');
CREATE TABLE journal (
	number INTEGER NOT NULL, 
	"of" VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	code VARCHAR NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "journal" VALUES(1,'cases','case-R-1','92dc6e82c5c17e80c7b94365e3a7509848e1bec44b76d08f947479dae46116d9','2026-11-29 20:30:44.441467','bdb975f23bd5746709113a802834054778c1e7be11f2c9ea959d4a6882245acb');
INSERT INTO "journal" VALUES(2,'cases','case-R-2','2750be2b5a483cf16df1ebf4fded6e4ae33ae69214ff99ed333ebbb78a034787','2026-11-29 20:30:44.441467','a53d85ac967e05de9ee43ea73391f639be896e55c35e88b501cf643f0b60ac51');
INSERT INTO "journal" VALUES(3,'events','1','6a1c27edbdfaf24f28904e5d7370f4ac0cb9fd655d5185111d08ff248136676b','2026-11-29 20:30:44.441467','f4112cb26aa7804765a7c5126a2115260627c885a2f8524c876c857a84f00100');
INSERT INTO "journal" VALUES(4,'events','2','e59427f56b049beb673309a1b948ec318c2e43ac0e73f5169b0302b24f3d6561','2026-11-29 20:30:44.441467','bfed3a253cab37caac9131ab9aab53c1a6bdc93c9d948d71715fe19c6c825828');
INSERT INTO "journal" VALUES(5,'approvers','ana','0d5ea07494fbbef98ccd7bfbf90ef0be476d10062b41c63e040026a0cf37eb1a','2026-11-29 20:30:44.465243','bc58ad93da7ce707de84c8f8305337b057598db4d277ea8203a922411bd588e4');
INSERT INTO "journal" VALUES(6,'events','3','8127610e3a1118155ea397ab0f7c744f8ec5c4258deade079aca532097608a2a','2026-11-29 20:30:44.465243','6562e23c93c553650be4494f06dbbbddf43b4ae5d82bde467493e7815e426a04');
INSERT INTO "journal" VALUES(7,'proposals','8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22','0f7c1284e310fd1f786122025087dc14eaf1d4dd71b68e4cc0cc96d4ef17797a','2026-11-29 20:30:44.470159','4a2c402a5bac512c3daaca8c7624247185ba73d538a27b852ab6d9e7abb0d8a7');
INSERT INTO "journal" VALUES(8,'events','4','b5674b1986933d69eab25151caa825e0b3027ba47bbdaa00b51f707585358148','2026-11-29 20:30:44.872495','53f2445d10abe0b2af6563aed8600e9049403442040f396aab8a065670c62b5b');
INSERT INTO "journal" VALUES(9,'events','5','7425725b7b72213403d476a0f7644889bd4d8ebbb2a9a3cdbc9c15e932874664','2026-11-29 20:30:44.872495','8805a4bf3f748cbe454010400ec5cd8d668f865d5a0c89b5d5c228cb542b659e');
INSERT INTO "journal" VALUES(10,'proposals','8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22','91f2e812d9f243ca1564d88a56c6998cffea945f7c2cc269051fc1e1e46324aa','2026-11-29 20:30:44.872495','971fa35c4176b040447ecd2f0099ea7ec71f705463b9f6bd6feb7717513be089');
INSERT INTO "journal" VALUES(11,'rulings','8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22|1','eac2c4d9fa7637ff45300a0e25d2a35ee1da93877caee1c57b74cf133edb4b01','2026-11-29 20:30:44.872495','672919b6e40c28cf100ddf74d8aa89fe1269f1adad1644ef4988005dadf5fda5');
INSERT INTO "journal" VALUES(12,'effects','8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22','b43aa9f99394383d687bf62abe8fd6a86d0a613ea1ee21ce9e9289d629f7e213','2026-11-29 20:30:44.901122','93c90280bbae7d0778d270833b2a3d06e5e12950a2de2b77c824b2c5f8d707ac');
INSERT INTO "journal" VALUES(13,'events','6','a1898dca6df94627993f68e9ebc3822a78ecbf5817de503904cbfde972a0a039','2026-11-29 20:30:44.901122','119adcc1651e374429ac175c43c8f7f40747405286f5ad0c8537bd4161f02157');
INSERT INTO "journal" VALUES(14,'effects','8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22','f7159b24d34fdfd132e8aec7619277022105525e6233b403c31c9887aeff78fb','2026-11-29 20:30:44.909151','22163d59dc911b1b37b8459023b1316572fc5ed6343bd310d469bf901fe5f52c');
INSERT INTO "journal" VALUES(15,'events','7','e70a7b3a3e07cd0be0736cfe07baa06f808bfb06684d5349991b5c647baca686','2026-11-29 20:30:44.909151','99cf599bb65ac5346a3efc23732ab58dff2aa5bd4df13b8f7a75e57b1f4683bb');
INSERT INTO "journal" VALUES(16,'proposals','8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8','f767a31d31be9e8c112dd79c7acc1d494cbbfb07fa0724fed8c1d396f3ff0bda','2026-11-29 20:30:44.924449','44fd9e451b000874ecce4eb8b671b9d729fe2d9e99a10c974b621c479ee5ce9f');
INSERT INTO "journal" VALUES(17,'events','8','0183f57582d2e775341766bb761257e34817f17e4d756a24c22e285dd8d682b5','2026-11-29 20:30:44.949927','c4f94612b0d585a381a45dbc1855da288bc5042547007c0aa7ebc222b9f9fe51');
INSERT INTO "journal" VALUES(18,'events','9','a16e5d9b08b131939a01339709ab138a89a850054f93951c258e5820934f1688','2026-11-29 20:30:44.949927','869a5eb4f1b92c1d5a02cd0473b6a0df913cada224849d812d042fd06adcd216');
INSERT INTO "journal" VALUES(19,'proposals','8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8','b747a48347e57d596723de45448b07402426250a3d78b1588f0afb800a4c0aee','2026-11-29 20:30:44.949927','1203b116d9dbd31e896bc33c05e80b382a851bd9733e6ca27aa114a6098c5252');
INSERT INTO "journal" VALUES(20,'rulings','8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8|1','b85e4c32b57ece491ab76598ca6025f2219e1c82d0d7225f4a3a3590a24501b7','2026-11-29 20:30:44.949927','645a5f0b0d3daaa3e53d10dadf3c2ff03e42e7a8748aa847dba6c0c0689824e7');
INSERT INTO "journal" VALUES(21,'effects','8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8','07eff2690b1e8de3ff2a72e9d3d0396c8fce579c0f37499ff8f0ca1af57bd30e','2026-11-29 20:30:45.008043','2c42199e00afacb60ebaaf95e21c1a61262b5e032cb65d1c9afea5e0426dad2d');
INSERT INTO "journal" VALUES(22,'events','10','d57029e1cb9caa40e2477e1b4c89442a3be690fde8a1c228526aaad8b687223c','2026-11-29 20:30:45.008043','bb922231848721e79e50662bf0ecb3d1d3719e39b35edcb9d12bac472d71e36e');
INSERT INTO "journal" VALUES(23,'effects','8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8','6177e259192e396d4ed092565831b725b2ee9111668eeed0dbe5bea861681624','2026-11-29 20:30:45.019962','12c92b2eef648c9ab62651b4df4eda0c014646b1354d646ad8be746f02e957c2');
INSERT INTO "journal" VALUES(24,'events','11','44ead7030150769822ad1c2c7f1478e603bc461f0d6547d7f992247f36201d37','2026-11-29 20:30:45.019962','62648bc082c8068dafe9e1b9c8220fcb9909eabc267bd52fcf9d49e75cc10f35');
INSERT INTO "journal" VALUES(25,'proposals','cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea','5644077971898355d887b39c662b062907a001b0b6aa758ba72dc0e99f098878','2026-11-29 20:30:45.035160','d47fc37cb05e9897a0f61c0b1214044edbe9d1779a46951869ef1765f5f7e658');
INSERT INTO "journal" VALUES(26,'events','12','c27102f0ec928d428a7bbde178ec1cf9dbc1251849483f237bad9cb52996fe45','2026-11-29 20:30:45.053606','9ac32a70367d59b3277d9f05eed5fe2e6962680f95fd95c0822005b1ffa81a63');
INSERT INTO "journal" VALUES(27,'events','13','71092461405a7155bbe0f79dee4c30ce4e05fbf45255cb3a1fc379d85fead5f7','2026-11-29 20:30:45.053606','08292f61cf42841698d7f98e63c0b77defca352f3887c90672caaf90950f4935');
INSERT INTO "journal" VALUES(28,'proposals','cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea','a07db7182d307b3f833506b441e17eae6455c995fd5e3a24891d321633506aee','2026-11-29 20:30:45.053606','5a907a1cb0b0ea96035417c5ba787be0ad7e3812a908628235a6b539f3477e40');
INSERT INTO "journal" VALUES(29,'rulings','cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea|1','940765abac780cb01dc040b4aaa1c0c3c63c8940d7676f333902708efbee8c56','2026-11-29 20:30:45.053606','87f0492bee59fa79537e9f3f70d5faaa5014ca790a8f952f1084ea8c0acabfe1');
INSERT INTO "journal" VALUES(30,'effects','cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea','dd284977b68470823b752d0786723e22de3a1e1be9c5f05849284b1d7b8c0ed9','2026-11-29 20:30:45.061818','8ddea6de9e58a2496e5c10140b66b9876c71a77cd4e354701087412ff03ae71e');
INSERT INTO "journal" VALUES(31,'events','14','c4316f606a1383fdaf0f5efd81f5672bab41fbb35a9e77484e65b33c8ed07050','2026-11-29 20:30:45.061818','0d7be65b0d5b4b3fc005e925293e801801635189c9984cee836a35b087b5c1cb');
INSERT INTO "journal" VALUES(32,'effects','cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea','cb1f81fb7b3eeeed0e93a89c0fdc6b2d1f928140b19c29cfd1b8868c734e085a','2026-11-29 20:30:45.067331','d9b11e57b846946db629aee0cf09e0f9aeaaf8be6af9d138bcbe4c2de4452171');
INSERT INTO "journal" VALUES(33,'events','15','7a39a9410f74529f19040a7ac4ab99e327100eaa3d2262f9b73038ee81887bfa','2026-11-29 20:30:45.067331','bc8310d76593aeb9d2f466094ca298c784fa3f7c083e0e3bf6095568cb86305e');
INSERT INTO "journal" VALUES(34,'proposals','832221f61c008d9b47a8ea4aab3ea8aae2a5c0c8ae22708d0ab1706c92255128','027f12e1fccc3d9edb0d378b6514c8f1af52fc03ca9e3c87e6df6ade423d73c3','2026-11-29 20:30:45.071684','a057596b13154ef65a03865ce944037a7e77fe6597a7de1e3e6212f73a256763');
INSERT INTO "journal" VALUES(35,'chains','run-1','2a64d7a929b3d95a344ec23c5f644fac87273d9e1e93059f3d80cf3407eabd57','2026-11-29 20:30:45.076704','08ad5d1f2554acb19b106e3ebae84b0d343a6504ab1bea02ac43dfc06daeaf8c');
INSERT INTO "journal" VALUES(36,'chains','run-1','bb50c9c2d306eb2d559ea6f7fab862b580443444c01ec093eeba97a6cbfde372','2026-11-29 20:30:45.080769','37227b18604a9bfc9d77df9967f00124121119e9f07be55ce38338c01b9fbf46');
INSERT INTO "journal" VALUES(37,'chains','run-2','cc2737797d56264d61e28adb53602c0af57b7cdad47d9cd1c94da4ed1755f8a5','2026-11-29 20:30:45.082876','c655b3d6363a128561e55ae8a0e79fabb0cf1ae05451ac4e932f69db6e4c6750');
INSERT INTO "journal" VALUES(38,'chains','run-2','47f081d363bcddee70b20d570becb21a1148f1e5a920befd735b23989baabf3e','2026-11-29 20:30:45.085318','5140b6cb6b5e85350c2676930abac9faf3ca2c7df8c30bc19eeab85cf2cb9293');
INSERT INTO "journal" VALUES(39,'chains','run-3','289fad3525d43895ce9307274aa91ac40312e6032641ae52c42cf6b073bd37fd','2026-11-29 20:30:45.087199','4805496b761406450b0740dfe8e3b64f839b7b95114458ed1ae9eb94c472144f');
INSERT INTO "journal" VALUES(40,'chains','run-3','993309dae33fc72e82d8cf55050e25c40fc7623fc6616fc5139ffd49c5e5c9ae','2026-11-29 20:30:45.089639','44688463935601bd63de7bcd65fa5b6206181a0463445e9f9ba6b4a9e0f08dd7');
INSERT INTO "journal" VALUES(41,'breakers','1','2619977323b9d1961adb16d0a840e3bc7e217c6a98c32f61e05cbc7af5993835','2026-11-29 20:30:45.093175','49b2c9b20466976167365addb18e948811f9f8a888b96fc9c391499cae771c8d');
INSERT INTO "journal" VALUES(42,'votes','pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp|1|ana','14eb00e5fbb26dd375ff85cb016267472944880de3914ac5671d96a19720b8e8','2026-11-29 20:30:45.093175','8ae947fd6b9065d0c0e032b5b35953785225c8c39d32a7a7796433e067a5774c');
INSERT INTO "journal" VALUES(43,'events','16','b30834795da8825be27ac997f751863b5acb013fce147fdea902dd028607f62d','2026-11-29 20:30:45.102081','ea933e1184df3bbccede9141fac5791657e106e640c064600132ac1f4d157354');
INSERT INTO "journal" VALUES(44,'model_calls','1','dcabc29bee9515e479451b916ec5841e3dff57a054c6580d74a88035239f1f81','2026-11-29 20:30:45.119047','788f73ce63929aa1279c3d73107e45d5aae559f0fd35467d98bdb6d9bd36b0d9');
INSERT INTO "journal" VALUES(45,'model_calls','1','379120f00da01d4ac5e2a42833f48096708e94fedd5e4e85a4e513e7116d05e6','2026-11-29 20:30:45.122594','03d4b86d5384dd2700ed3e584c1937bbdc31e11bcc833a8de4a325101db34353');
CREATE TABLE journal_head (
	id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	code VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "journal_head" VALUES(1,45,'03d4b86d5384dd2700ed3e584c1937bbdc31e11bcc833a8de4a325101db34353');
CREATE TABLE model_calls (
	id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	lane VARCHAR NOT NULL, 
	case_id VARCHAR NOT NULL, 
	prompt VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	evidence VARCHAR NOT NULL, 
	sent JSON NOT NULL, 
	received VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	tokens_in INTEGER, 
	tokens_out INTEGER, 
	cost INTEGER NOT NULL, 
	milliseconds INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "model_calls" VALUES(1,'k1','returns','case-R-1','returns@1','invented/model','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','[{"role": "user", "content": "\u00dcn\u00efcode, und {\"a\": 1.5}"}]','{"well": true}','answered',12,4,900,0,'2026-11-02 09:30:00.000000');
CREATE TABLE outbox (
	"key" VARCHAR NOT NULL, 
	revision VARCHAR NOT NULL, 
	text VARCHAR NOT NULL, 
	blocks JSON NOT NULL, 
	thread VARCHAR, 
	state VARCHAR NOT NULL, 
	channel_id VARCHAR, 
	thread_ts VARCHAR, 
	ts VARCHAR, 
	delivered_revision VARCHAR, 
	attempts INTEGER NOT NULL, 
	holder VARCHAR NOT NULL, 
	held_until DATETIME, 
	sent_at DATETIME, 
	next_try_at DATETIME, 
	last_error VARCHAR NOT NULL, 
	place INTEGER NOT NULL, 
	queued_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "outbox" VALUES('case:case-R-1','c41b62233ba58c8f562c9862765a40529bb4c8e9a1da873c62a5d8b37e00e93f','R-1 waits','[{"type": "divider"}]',NULL,'pending',NULL,NULL,NULL,NULL,0,'',NULL,NULL,NULL,'',0,'2026-11-02 09:30:00.000000','2026-11-02 09:30:00.000000');
CREATE TABLE proposals (
	digest VARCHAR NOT NULL, 
	case_id VARCHAR NOT NULL, 
	order_id VARCHAR NOT NULL, 
	standing VARCHAR NOT NULL, 
	detail VARCHAR NOT NULL, 
	flow_run_id VARCHAR, 
	undoes VARCHAR NOT NULL, 
	round INTEGER NOT NULL, 
	reminded INTEGER NOT NULL, 
	escalated_to VARCHAR NOT NULL, 
	opened_at DATETIME NOT NULL, 
	body JSON NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "proposals" VALUES('8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22','a0064c86a582fa64','1001','approved','',NULL,'',1,0,'','2026-11-02 09:30:00.000000','{"case_id": "a0064c86a582fa64", "lane": "fulfilment", "shop": "shop", "source": "shop", "mapping": null, "action": "refund", "order_id": "1001", "subject": "1001", "target": "1001", "money": {"amount": 1101, "currency": "EUR"}, "rests_on": {"refundable_amount": 1101}, "evidence": "d51b5cbdd573eba227677d4c656e317e23d3db43970c43d3f13528ef46a2fd95", "policy": "fulfilment@1", "reason": "paid and never handed over", "customer": "", "requested_by": "", "undoes": "", "as_of": null}');
INSERT INTO "proposals" VALUES('8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8','6cff804597a8b9d9','1002','approved','',NULL,'',1,0,'','2026-11-02 09:30:00.000000','{"case_id": "6cff804597a8b9d9", "lane": "fulfilment", "shop": "shop", "source": "shop", "mapping": null, "action": "refund", "order_id": "1002", "subject": "1002", "target": "1002", "money": {"amount": 1102, "currency": "EUR"}, "rests_on": {"refundable_amount": 1102}, "evidence": "cd94c5a1e4c9083ab57113c70b4dc6af691205b87eb58e7889024c691742a2a9", "policy": "fulfilment@1", "reason": "paid and never handed over", "customer": "", "requested_by": "", "undoes": "", "as_of": null}');
INSERT INTO "proposals" VALUES('cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea','3269eee5d2f67f12','1003','approved','',NULL,'',1,0,'','2026-11-02 09:30:00.000000','{"case_id": "3269eee5d2f67f12", "lane": "fulfilment", "shop": "shop", "source": "shop", "mapping": null, "action": "refund", "order_id": "1003", "subject": "1003", "target": "1003", "money": {"amount": 1103, "currency": "EUR"}, "rests_on": {"refundable_amount": 1103}, "evidence": "1f51074ed64b8df0f0d9263ef1fffbfc34dd7f51d4039f6c1e6962fb6d1f33b3", "policy": "fulfilment@1", "reason": "paid and never handed over", "customer": "", "requested_by": "", "undoes": "", "as_of": null}');
INSERT INTO "proposals" VALUES('832221f61c008d9b47a8ea4aab3ea8aae2a5c0c8ae22708d0ab1706c92255128','09200c1d5863da35','1004','waiting','',NULL,'',1,0,'','2026-11-02 09:30:00.000000','{"case_id": "09200c1d5863da35", "lane": "fulfilment", "shop": "shop", "source": "shop", "mapping": null, "action": "refund", "order_id": "1004", "subject": "1004", "target": "1004", "money": {"amount": 900, "currency": "EUR"}, "rests_on": {"refundable_amount": 900}, "evidence": "703e61b79213d190a42ef89912d4c97f66de324d1a9f34c41fa4a22866520436", "policy": "fulfilment@1", "reason": "paid and never handed over", "customer": "", "requested_by": "", "undoes": "", "as_of": null}');
CREATE TABLE rulings (
	proposal VARCHAR NOT NULL, 
	round INTEGER NOT NULL, 
	verdict VARCHAR NOT NULL, 
	approver VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	reason_code VARCHAR NOT NULL, 
	via VARCHAR NOT NULL, 
	ruled_at DATETIME NOT NULL, 
	amount INTEGER, 
	role VARCHAR NOT NULL, 
	on_behalf_of VARCHAR NOT NULL, 
	seconded_by VARCHAR NOT NULL, 
	authority VARCHAR NOT NULL, 
	covered JSON NOT NULL, 
	PRIMARY KEY (proposal, round)
);
INSERT INTO "rulings" VALUES('8aa89249aa8f0a4e9a4e8480447237b634cd1582ac06a76a2f732dcf8bee7f22',1,'approve','ana','','','command','2026-11-02 09:30:00.000000',NULL,'finance','','','authority@1','{"case": "a0064c86a582fa64", "action": "refund", "order": "1001", "target": "1001", "amount": 1101, "currency": "EUR", "evidence": "d51b5cbdd573eba227677d4c656e317e23d3db43970c43d3f13528ef46a2fd95", "policy": "fulfilment@1"}');
INSERT INTO "rulings" VALUES('8cf850cc9663d66c1d1bd9713a97efb2632beb8ba1d9996b2c7c6fa18dc5d4e8',1,'approve','ana','','','command','2026-11-02 09:30:00.000000',NULL,'finance','','','authority@1','{"case": "6cff804597a8b9d9", "action": "refund", "order": "1002", "target": "1002", "amount": 1102, "currency": "EUR", "evidence": "cd94c5a1e4c9083ab57113c70b4dc6af691205b87eb58e7889024c691742a2a9", "policy": "fulfilment@1"}');
INSERT INTO "rulings" VALUES('cf7b48e0134d119ae55cc03474764b4e4e84598f9a914da2581ff436c9fec0ea',1,'approve','ana','','','command','2026-11-02 09:30:00.000000',NULL,'finance','','','authority@1','{"case": "3269eee5d2f67f12", "action": "refund", "order": "1003", "target": "1003", "amount": 1103, "currency": "EUR", "evidence": "1f51074ed64b8df0f0d9263ef1fffbfc34dd7f51d4039f6c1e6962fb6d1f33b3", "policy": "fulfilment@1"}');
CREATE TABLE slack_inbox (
	"key" VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	body JSON NOT NULL, 
	state VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	answer JSON, 
	holder VARCHAR NOT NULL, 
	held_until DATETIME NOT NULL, 
	received_at DATETIME NOT NULL, 
	done_at DATETIME, 
	PRIMARY KEY ("key")
);
CREATE TABLE slack_users (
	team VARCHAR NOT NULL, 
	user VARCHAR NOT NULL, 
	approver VARCHAR NOT NULL, 
	PRIMARY KEY (team, user)
);
INSERT INTO "slack_users" VALUES('T0INVENTED','U0INVENTED','ana');
CREATE TABLE touched (
	id INTEGER NOT NULL, 
	"of" VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	"by" VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE votes (
	proposal VARCHAR NOT NULL, 
	round INTEGER NOT NULL, 
	approver VARCHAR NOT NULL, 
	amount INTEGER, 
	role VARCHAR NOT NULL, 
	on_behalf_of VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	reason_code VARCHAR NOT NULL, 
	via VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (proposal, round, approver)
);
INSERT INTO "votes" VALUES('pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp',1,'ana',NULL,'','','seen the scan','','command','2026-11-02 09:30:00.000000');
CREATE INDEX ix_cases_standing ON cases (standing);
CREATE INDEX ix_cases_team ON cases (team);
CREATE INDEX cases_by_lane_and_shop ON cases (lane, shop, standing);
CREATE INDEX ix_cases_lane ON cases (lane);
CREATE INDEX ix_proposals_order_id ON proposals (order_id);
CREATE INDEX ix_proposals_case_id ON proposals (case_id);
CREATE INDEX ix_proposals_standing ON proposals (standing);
CREATE INDEX ix_rulings_ruled_at ON rulings (ruled_at);
CREATE INDEX ix_votes_at ON votes (at);
CREATE INDEX ix_effects_state ON effects (state);
CREATE INDEX ix_effects_order_id ON effects (order_id);
CREATE INDEX ix_effects_approver ON effects (approver);
CREATE INDEX ix_effects_lane ON effects (lane);
CREATE INDEX ix_effects_customer ON effects (customer);
CREATE INDEX ix_breakers_lane ON breakers (lane);
CREATE INDEX ix_events_subject ON events (subject);
CREATE INDEX ix_journal_key ON journal ("key");
CREATE TRIGGER journal_cases_delete AFTER delete ON cases BEGIN INSERT INTO touched (of, key, by) VALUES ('cases', json_array(OLD.id), ''); END;
CREATE TRIGGER journal_cases_update AFTER update ON cases BEGIN INSERT INTO touched (of, key, by) VALUES ('cases', json_array(NEW.id), ''); END;
CREATE TRIGGER journal_cases_insert AFTER insert ON cases BEGIN INSERT INTO touched (of, key, by) VALUES ('cases', json_array(NEW.id), ''); END;
CREATE TRIGGER journal_proposals_delete AFTER delete ON proposals BEGIN INSERT INTO touched (of, key, by) VALUES ('proposals', json_array(OLD.digest), ''); END;
CREATE TRIGGER journal_proposals_update AFTER update ON proposals BEGIN INSERT INTO touched (of, key, by) VALUES ('proposals', json_array(NEW.digest), ''); END;
CREATE TRIGGER journal_proposals_insert AFTER insert ON proposals BEGIN INSERT INTO touched (of, key, by) VALUES ('proposals', json_array(NEW.digest), ''); END;
CREATE TRIGGER journal_rulings_delete AFTER delete ON rulings BEGIN INSERT INTO touched (of, key, by) VALUES ('rulings', json_array(OLD.proposal, OLD.round), ''); END;
CREATE TRIGGER journal_rulings_update AFTER update ON rulings BEGIN INSERT INTO touched (of, key, by) VALUES ('rulings', json_array(NEW.proposal, NEW.round), ''); END;
CREATE TRIGGER journal_rulings_insert AFTER insert ON rulings BEGIN INSERT INTO touched (of, key, by) VALUES ('rulings', json_array(NEW.proposal, NEW.round), ''); END;
CREATE TRIGGER journal_votes_delete AFTER delete ON votes BEGIN INSERT INTO touched (of, key, by) VALUES ('votes', json_array(OLD.proposal, OLD.round, OLD.approver), ''); END;
CREATE TRIGGER journal_votes_update AFTER update ON votes BEGIN INSERT INTO touched (of, key, by) VALUES ('votes', json_array(NEW.proposal, NEW.round, NEW.approver), ''); END;
CREATE TRIGGER journal_votes_insert AFTER insert ON votes BEGIN INSERT INTO touched (of, key, by) VALUES ('votes', json_array(NEW.proposal, NEW.round, NEW.approver), ''); END;
CREATE TRIGGER journal_approvers_delete AFTER delete ON approvers BEGIN INSERT INTO touched (of, key, by) VALUES ('approvers', json_array(OLD.name), ''); END;
CREATE TRIGGER journal_approvers_update AFTER update ON approvers BEGIN INSERT INTO touched (of, key, by) VALUES ('approvers', json_array(NEW.name), ''); END;
CREATE TRIGGER journal_approvers_insert AFTER insert ON approvers BEGIN INSERT INTO touched (of, key, by) VALUES ('approvers', json_array(NEW.name), ''); END;
CREATE TRIGGER journal_effects_delete AFTER delete ON effects BEGIN INSERT INTO touched (of, key, by) VALUES ('effects', json_array(OLD.key), ''); END;
CREATE TRIGGER journal_effects_update AFTER update ON effects BEGIN INSERT INTO touched (of, key, by) VALUES ('effects', json_array(NEW.key), ''); END;
CREATE TRIGGER journal_effects_insert AFTER insert ON effects BEGIN INSERT INTO touched (of, key, by) VALUES ('effects', json_array(NEW.key), ''); END;
CREATE TRIGGER journal_breakers_delete AFTER delete ON breakers BEGIN INSERT INTO touched (of, key, by) VALUES ('breakers', json_array(OLD.id), ''); END;
CREATE TRIGGER journal_breakers_update AFTER update ON breakers BEGIN INSERT INTO touched (of, key, by) VALUES ('breakers', json_array(NEW.id), ''); END;
CREATE TRIGGER journal_breakers_insert AFTER insert ON breakers BEGIN INSERT INTO touched (of, key, by) VALUES ('breakers', json_array(NEW.id), ''); END;
CREATE TRIGGER journal_events_delete AFTER delete ON events BEGIN INSERT INTO touched (of, key, by) VALUES ('events', json_array(OLD.id), ''); END;
CREATE TRIGGER journal_events_update AFTER update ON events BEGIN INSERT INTO touched (of, key, by) VALUES ('events', json_array(NEW.id), ''); END;
CREATE TRIGGER journal_events_insert AFTER insert ON events BEGIN INSERT INTO touched (of, key, by) VALUES ('events', json_array(NEW.id), ''); END;
CREATE TRIGGER journal_chains_delete AFTER delete ON chains BEGIN INSERT INTO touched (of, key, by) VALUES ('chains', json_array(OLD.run), ''); END;
CREATE TRIGGER journal_chains_update AFTER update ON chains BEGIN INSERT INTO touched (of, key, by) VALUES ('chains', json_array(NEW.run), ''); END;
CREATE TRIGGER journal_chains_insert AFTER insert ON chains BEGIN INSERT INTO touched (of, key, by) VALUES ('chains', json_array(NEW.run), ''); END;
CREATE INDEX ix_slack_users_approver ON slack_users (approver);
CREATE INDEX ix_model_calls_key ON model_calls ("key");
CREATE INDEX ix_model_calls_model ON model_calls (model);
CREATE INDEX ix_model_calls_at ON model_calls (at);
CREATE INDEX ix_model_calls_case_id ON model_calls (case_id);
CREATE TRIGGER journal_model_calls_delete AFTER delete ON model_calls BEGIN INSERT INTO touched (of, key, by) VALUES ('model_calls', json_array(OLD.id), ''); END;
CREATE TRIGGER journal_model_calls_update AFTER update ON model_calls BEGIN INSERT INTO touched (of, key, by) VALUES ('model_calls', json_array(NEW.id), ''); END;
CREATE TRIGGER journal_model_calls_insert AFTER insert ON model_calls BEGIN INSERT INTO touched (of, key, by) VALUES ('model_calls', json_array(NEW.id), ''); END;
CREATE INDEX ix_outbox_state ON outbox (state);
CREATE INDEX ix_slack_inbox_state ON slack_inbox (state);
COMMIT;
