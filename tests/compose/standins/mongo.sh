#!/bin/bash
# As the official entry point: the data folders' owner, the user switch, and all addresses where none is given.
set -Eeuo pipefail
[[ ${1:0:1} == - ]] && set -- mongod "$@"
if [[ $1 == mongod && $(id -u) == 0 ]]; then
    find -L /data/configdb /data/db ! -user mongodb -exec chown mongodb {} +
    chown --dereference mongodb "/proc/$$/fd/1" "/proc/$$/fd/2" || :
    exec setpriv --reuid mongodb --regid mongodb --clear-groups "$0" "$@"
fi
[[ $1 == mongod && " $* " != *" --bind_ip"* ]] && set -- "$@" --bind_ip_all
exec "$@"
