#!/usr/bin/dumb-init /bin/sh
# As the official entry point: the first process is dumb-init, which hands signals on, and Consul is its child.
set -e
[ "$1" = agent ] && shift && set -- consul agent -data-dir=/consul/data -config-dir=/consul/config "$@"
if [ "$1" = consul ]; then
    for folder in /consul/data /consul/config; do
        [ "$(stat -c %u "$folder")" = 100 ] || chown 100:1000 "$folder"
    done
    set -- setpriv --reuid 100 --regid 1000 --clear-groups "$@"
fi
exec "$@"
