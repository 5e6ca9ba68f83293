#!/bin/bash
# Stands in for the entrypoint of the postgres image on Debian's PostgreSQL: an empty PGDATA gets a cluster with POSTGRES_USER,
# POSTGRES_PASSWORD and POSTGRES_DB and the files of /docker-entrypoint-initdb.d; then the server runs as the user postgres.
set -euo pipefail

from_file() {
    local name=$1 file="${1}_FILE"
    if [ -n "${!file:-}" ]; then
        export "$name"="$(< "${!file}")"
    fi
}

if [ "${1:-}" != postgres ] && [ "${1#-}" = "${1:-}" ]; then
    exec "$@"
fi
[ "${1:-}" = postgres ] && shift

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres:postgres "$PGDATA" /var/run/postgresql
    chmod 0700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" postgres "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER
    from_file POSTGRES_DB
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
        echo "POSTGRES_PASSWORD is not set and POSTGRES_HOST_AUTH_METHOD is not trust" >&2
        exit 1
    fi

    initdb --pgdata="$PGDATA" --username="$user" --encoding=UTF8 --auth-local=trust --auth-host="$method" --no-sync \
        ${POSTGRES_PASSWORD:+--pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD")} > /dev/null
    printf 'host all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"

    # While the files run nobody can connect over the network.
    pg_ctl --pgdata="$PGDATA" -w -s -o "-c listen_addresses='' -c unix_socket_directories=/tmp" start
    psql=(psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --host=/tmp --username="$user")
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE :"name";\n' | "${psql[@]}" --dbname=postgres --set=name="$database"
    fi
    export PGHOST=/tmp PGUSER="$user" PGDATABASE="$database"
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sql) echo "running $file"; "${psql[@]}" --dbname="$database" --file="$file" ;;
            *.sql.gz) echo "running $file"; gunzip -c "$file" | "${psql[@]}" --dbname="$database" ;;
            *.sh) echo "running $file"; . "$file" ;;
        esac
    done
    unset PGHOST PGUSER PGDATABASE
    pg_ctl --pgdata="$PGDATA" -w -s -m fast stop
fi

exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
