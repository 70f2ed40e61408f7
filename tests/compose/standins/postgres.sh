#!/bin/sh
# Makes the cluster on first use, then runs the server as the user postgres.
set -e
as_owner="setpriv --reuid postgres --regid postgres --clear-groups"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?is missing}"
    mkdir -p "$PGDATA" && chown postgres:postgres "$PGDATA" && chmod 700 "$PGDATA"
    printf %s "$POSTGRES_PASSWORD" > /tmp/password && chown postgres /tmp/password
    $as_owner initdb -D "$PGDATA" -U postgres -E UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 --pwfile=/tmp/password
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
fi
exec $as_owner "$@" -c "listen_addresses=*"
