-- A database for each service, and a role that owns it and may enter no other. PostgreSQL's image
-- runs this once, when it has made an empty cluster; the passwords are in its environment.
\getenv orders_password ORDERS_PASSWORD
\getenv inventory_password INVENTORY_PASSWORD
\getenv approvals_password APPROVALS_PASSWORD

CREATE ROLE orders LOGIN PASSWORD :'orders_password';
CREATE ROLE inventory LOGIN PASSWORD :'inventory_password';
CREATE ROLE approvals LOGIN PASSWORD :'approvals_password';

CREATE DATABASE orders OWNER orders;
CREATE DATABASE inventory OWNER inventory;
CREATE DATABASE approvals OWNER approvals;

REVOKE ALL ON DATABASE orders, inventory, approvals, postgres FROM PUBLIC;
