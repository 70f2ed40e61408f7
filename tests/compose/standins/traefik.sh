#!/bin/sh
# As the official entry point, which starts the large program once more to ask whether it knows the command.
set -e
[ "${1#-}" != "$1" ] && set -- traefik "$@"
traefik "$1" --help > /dev/null 2>&1 && set -- traefik "$@"
exec "$@"
