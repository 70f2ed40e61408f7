#!/bin/bash
# As the official entry point: the data folder's owner, the user switch, and on first use initdb with
# POSTGRES_INITDB_ARGS and a server on a socket alone, which is stopped again before the real one starts.
set -Eeo pipefail
[[ $1 == -* ]] && set -- postgres "$@"
if [[ $1 == postgres && $(id -u) == 0 ]]; then
    mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres {} +
    exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
if [[ $1 == postgres && ! -s $PGDATA/PG_VERSION ]]; then
    : "${POSTGRES_PASSWORD:?is missing}"
    eval "initdb --username=postgres --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") $POSTGRES_INITDB_ARGS"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${@:2}" -c listen_addresses= -p 5432)" -w start
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@"
