#!/bin/bash
# Start PostgreSQL; the first time, make its data folder, user and database, and run the scripts of
# /docker-entrypoint-initdb.d, as the upstream image does it.
set -euo pipefail

# Set a variable from the file that VARIABLE_FILE names, if it does, else to a default.
take() {
    local name=$1 from="$1_FILE"
    if [ -n "${!name:-}" ] && [ -n "${!from:-}" ]; then
        echo "error: $name and $from are both set" >&2
        exit 1
    fi
    [ -z "${!from:-}" ] || printf -v "$name" '%s' "$(<"${!from}")"
    [ -n "${!name:-}" ] || printf -v "$name" '%s' "$2"
    export "${name?}"
    unset "$from"
}

make_data_folder() {
    local initdb_arguments=()
    eval "initdb_arguments=(${POSTGRES_INITDB_ARGS:-})"
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        "${initdb_arguments[@]}"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" \
        >> "$PGDATA/pg_hba.conf"
}

run_first_scripts() {
    local psql=(psql --set=ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER")
    export PGPASSWORD="$POSTGRES_PASSWORD"
    # Nobody shall find the server before it is as it must be: it listens on its socket alone.
    pg_ctl --options="-c listen_addresses=''" --wait start
    if [ "$POSTGRES_DB" != postgres ]; then
        "${psql[@]}" --dbname postgres --set name="$POSTGRES_DB" <<< 'CREATE DATABASE :"name";'
    fi
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        echo "first start: $file"
        case "$file" in
            *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) "${psql[@]}" --dbname "$POSTGRES_DB" --file "$file" ;;
            *.sql.gz) gunzip --stdout "$file" | "${psql[@]}" --dbname "$POSTGRES_DB" ;;
            *) echo "first start: $file is not known, and left" ;;
        esac
    done
    pg_ctl --mode=fast --wait stop
    unset PGPASSWORD
}

[ "${1:0:1}" != - ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres:postgres "$PGDATA" /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "${BASH_SOURCE[0]}" "$@"
fi

mkdir -p "$PGDATA"
chmod 700 "$PGDATA" || true
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    take POSTGRES_PASSWORD ""
    take POSTGRES_USER postgres
    take POSTGRES_DB "$POSTGRES_USER"
    if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        echo "error: the first start needs POSTGRES_PASSWORD, or POSTGRES_PASSWORD_FILE" >&2
        exit 1
    fi
    shopt -s nullglob
    make_data_folder
    run_first_scripts
fi
exec "$@"
