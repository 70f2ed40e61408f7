#!/bin/sh
# As the official entry point. The official program is compiled without protected mode.
set -e
[ "${1#-}" != "$1" ] && set -- redis-server "$@"
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . ! -user redis -exec chown redis {} +
    exec setpriv --reuid redis --regid redis --clear-groups "$0" "$@"
fi
umask 0077
[ "$1" = redis-server ] && set -- "$@" --protected-mode no
exec "$@"
