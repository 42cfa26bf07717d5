-- Creates a database for each service that needs one, and a role that owns it and may enter no other.
-- PostgreSQL's image runs this once, in an empty cluster. Each role has a file with its password.
CREATE TEMPORARY TABLE roles AS
    SELECT left(file, -length('-password')) AS name,
           pg_read_file('/etc/orderflow/postgres/' || file) AS password
      FROM pg_ls_dir('/etc/orderflow/postgres') AS file
     WHERE file LIKE '%-password' AND file <> 'superuser-password';

SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', name, password) FROM roles \gexec
SELECT format('CREATE DATABASE %I OWNER %I', name, name) FROM roles \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname)
  FROM pg_database WHERE NOT datistemplate \gexec
